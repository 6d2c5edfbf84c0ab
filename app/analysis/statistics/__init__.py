"""Intervals, tests and sample sizes: counts in, numbers out, each with its source."""
