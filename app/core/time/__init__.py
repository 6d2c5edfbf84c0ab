"""Instants, durations and time zones: integer epoch milliseconds and IANA zones."""
