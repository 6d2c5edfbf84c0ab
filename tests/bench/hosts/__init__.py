"""The hosts of the comparison: one module each, run as ``python -m tests.bench.hosts.NAME JOB``.

A host reads the four input topics of its job, keeps every customer's record in its store and on its
changelog, and writes decisions and send requests, until it is stopped.
"""
