"""What a test run asks of Apache Kafka: whether it is here, and what to do when it is not."""

import pytest

from tests.kafka.jars import why_missing

#: why Kafka could not be used, once a test wanted it
missed: str | None = None


def require_kafka() -> None:
    """Skip the test, or all that a fixture serves, where there is no Apache Kafka. The end of the
    run says so loudly.
    """
    global missed
    missing = why_missing()
    if missing:
        missed = missing
        pytest.skip(f"no Apache Kafka: {missing}")
