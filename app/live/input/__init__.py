"""Fetches record batches, merges them by timestamp, knows how far each partition was read."""
