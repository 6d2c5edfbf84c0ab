"""A Kafka broker for the demo and the tests, as one child process.

Nothing outside this folder knows which program it is: callers use ``bootstrap_servers``.
"""
