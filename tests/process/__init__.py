"""Tests against a real broker over TCP."""
