"""Bytes to values and back: input records, output records, schemas, trace headers, JSON lines."""
