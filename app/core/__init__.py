"""The pure core: it decides and does nothing else.

No I/O, clock, randomness, logging, Kafka or Faust here: every function is determined by its
arguments. Times are integer epoch milliseconds (``*_ms``), and so are durations.
"""
