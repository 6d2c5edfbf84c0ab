"""Metrics, gauges, spans and log lines of commit units."""
