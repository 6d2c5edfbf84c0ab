"""Apache Kafka, for the tests that need it."""

from tests.kafka.jars import why_missing
from tests.needs import skip_without


def require_kafka() -> None:
    """Skip the test, or all that a fixture serves, where there is no Apache Kafka."""
    reason = why_missing()
    if reason:
        skip_without("kafka", reason)
