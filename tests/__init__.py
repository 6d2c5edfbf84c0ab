"""Tests mirror the code; property/ and integration/ cut across it."""
