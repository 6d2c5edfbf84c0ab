"""Reading a customer's decisions back from a topic that others fill too."""

import pytest

from app.core.errors import InfrastructureError
from app.live.web.recent_decisions import read_back
from app.settings.load import load_settings
from tests.process.conftest import Instance


@pytest.fixture
def filled(instance: Instance) -> Instance:
    """Partition 1 has 6,000 decisions; each thousandth is Ann's."""
    for number in range(6_000):
        key = b"ann" if number % 1_000 == 0 else b"bob"
        instance.wire.record("decisions", key, b'{"n":%d}' % number, partition=1)
    instance.wire.flush()
    return instance


def test_the_newest_are_found_first_and_come_in_the_order_made(filled: Instance) -> None:
    """It stops when there are enough, and says from when on it looked."""
    settings = filled.wire.settings
    tail = read_back(settings, 1, "ann", 1)
    assert tail.lines == [b'{"n":4000}', b'{"n":5000}']
    assert tail.since_ms is not None
    whole = read_back(settings, 1, "ann", 20)
    assert whole.lines == [b'{"n":%d}' % number for number in range(0, 6_000, 1_000)]
    assert whole.since_ms is None
    assert read_back(settings, 1, "carl", 20).lines == []


def test_it_looks_at_so_many_records_and_no_more(filled: Instance) -> None:
    """Older ones are not found, and the answer says so."""
    tail = read_back(filled.wire.settings, 1, "ann", 20, max_records=3_500)
    assert tail.lines == [b'{"n":3000}', b'{"n":4000}', b'{"n":5000}']
    assert tail.since_ms is not None


def test_what_was_sent_twice_counts_once(instance: Instance) -> None:
    """A worker that was killed repeats a decision letter by letter."""
    for _ in range(2):
        instance.wire.record("decisions", b"ann", b'{"n":1}', partition=0)
    instance.wire.flush()
    assert read_back(instance.wire.settings, 0, "ann", 20).lines == [b'{"n":1}']


def test_an_empty_partition_is_an_answer(instance: Instance) -> None:
    """A partition without decisions gives an empty list, no error."""
    assert read_back(instance.wire.settings, 0, "ann", 20) == ([], None)


def test_a_broker_that_is_gone_is_reported() -> None:
    """An InfrastructureError is raised before the deadline."""
    settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    with pytest.raises(InfrastructureError, match="does not answer"):
        read_back(settings, 0, "ann", 20, deadline_s=0.3)
