"""Tests of the customers table and its database."""
