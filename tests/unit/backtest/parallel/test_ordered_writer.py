"""Entries of several shards, written in one order."""

from app.backtest.parallel.ordered_writer import Entry, OrderedWriter, SortKey, event_key
from app.core.time.instants import Instant

NOW = Instant(100, 95)


def at(number: int) -> SortKey:
    """An arrival's place; all of them at one instant."""
    return event_key(NOW, number)


def test_what_is_written_waits_for_what_may_come_before_it() -> None:
    """A shard that is ahead, in the same millisecond or not, does not overtake."""
    written: list[bytes] = []
    merged = OrderedWriter(2, lambda _, line: written.append(line))
    timer: SortKey = (99, 2, 94, 0, -50, "cart", "ann", "", 0, 90)
    ahead: list[Entry] = [(at(1), 0, b"1"), (at(4), 0, b"4")]
    merged.take(0, ahead, at(4), 2)
    assert written == []
    merged.take(1, [(timer, 0, b"timer"), (at(2), 0, b"2a"), (at(2), 1, b"2b")], at(2), 3)
    assert written == [b"timer", b"1", b"2a", b"2b"]
    merged.take(1, [(at(2), 0, b"2c"), (at(3), 0, b"3")], at(6), 2)
    assert written[4:] == [b"2c", b"3", b"4"]
    merged.take(0, [], at(6), 0)
    assert not merged.is_far_ahead(0)


def test_a_shard_that_is_far_ahead_is_recognised() -> None:
    """Until the others have come so far."""
    merged = OrderedWriter(2, lambda _, line: None)
    merged.take(0, [(at(1), 0, b"")], at(1), 100 << 20)
    assert (merged.is_far_ahead(0), merged.is_far_ahead(1)) == (True, False)
    merged.take(1, [], at(1), 0)
    assert not merged.is_far_ahead(0)
