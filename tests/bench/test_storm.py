"""Workers join and leave one after the other; the gaps are printed, and have no limit here."""

import pytest

from tests.bench.storm import storm
from tests.kafka.wanted import require_kafka

pytestmark = pytest.mark.soak
CHANGES = 4


def test_a_storm_of_joins_and_leaves_loses_nothing() -> None:
    """Each order has its requests in the end, whoever had its partition."""
    require_kafka()
    found = storm(CHANGES)
    print(found)
    assert found["changes"] == CHANGES
    assert found["stayed_longest_s"] > 0 < found["moved_longest_s"]
