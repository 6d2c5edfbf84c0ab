"""The growth side: statistics, reports, models."""
