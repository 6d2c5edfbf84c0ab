"""Files of decisions, outcomes and events as tables of an embedded database.

DuckDB reads JSON lines (plain or gzip) with all cores and keeps to a memory limit: what does not
fit goes to a temporary folder that ends with the process.
"""
