"""Apache Kafka for tests: resolved with Maven, one or three brokers on loopback.

``python -m tests.kafka`` runs one until Ctrl-C.
"""
