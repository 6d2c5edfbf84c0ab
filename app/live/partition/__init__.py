"""Turns the input of one partition into commit units; the set of assigned partitions."""
