"""What is odd about an event file as a whole."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from app.backtest.history import read_arrivals
from app.backtest.history_review import HistoryReview
from app.backtest.parallel.line_headers import read_headers

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = 1_772_359_200_000  # 2026-03-01T10:00:00Z
WALL = T0 + 90 * DAY


def event(at_ms: int, event_id: str = "", **changed: Any) -> dict[str, Any]:
    """A line in event form."""
    return {
        "topic": "orders",
        "event_id": event_id or f"e{at_ms}",
        "type": "product_viewed",
        "customer_id": "ann",
        "occurred_at": at_ms,
        "data": {"sku": "a"},
    } | changed


def remarks(lines: Iterable[dict[str, Any]]) -> list[str]:
    """What the review says, whichever way the lines are read."""
    content = [orjson.dumps(line) for line in lines]
    found = []
    for read in (read_arrivals, read_headers):
        review = HistoryReview("f", WALL)
        list(read(content, review))
        found.append(list(review.remarks()))
    assert found[0] == found[1]
    return found[0]


def test_an_ordinary_history_is_not_odd() -> None:
    """Gaps of weeks, events an hour late, one delivered twice, one that is nested."""
    times = [T0, T0 + 20 * DAY, T0 + 20 * DAY - HOUR, T0 + 20 * DAY]
    lines = [event(at) for at in times]
    nested = event(T0 + 21 * DAY, data={"items": [{"sku": "a"}]})
    assert remarks([*lines, nested, nested]) == []


@pytest.mark.parametrize("place", [0, 2])
def test_a_line_ahead_of_its_neighbours_is_named(place: int) -> None:
    """With how far, and for how many lines now stays there; wherever it stands."""
    lines = [event(T0 + number * HOUR) for number in range(6)]
    lines[place] = event(T0 + 73 * 365 * DAY)
    (told,) = remarks(lines)
    assert told.startswith(f"f:{place + 1}: lies 73 years ahead of the lines around it")
    assert f"for {5 - place} later lines" in told


def test_lines_out_of_order_are_counted() -> None:
    """Two files one behind the other, the newer first."""
    lines = [event(T0 + number * HOUR) for number in [*range(100, 104), *range(4)]]
    (told,) = remarks(lines)
    assert told.startswith("f:5: lies 4 days before a line above it")
    assert "4 of 8 lines" in told


def test_arrived_at_makes_a_late_event_right() -> None:
    """The order is that of arrival."""
    late = event(T0 - 30 * DAY, arrived_at=T0 + 2 * HOUR)
    assert remarks([event(T0), event(T0 + HOUR), late]) == []


def test_seconds_in_place_of_milliseconds_are_recognised() -> None:
    """Once for the file, however many lines."""
    (told,) = remarks([event(T0 // 1000 + number) for number in range(50)])
    assert told.startswith("f:1: occurred_at lies in 1970")
    assert "on 50 of 50 lines: epoch seconds" in told
    (told,) = remarks([event(0)])
    assert "epoch seconds" not in told
    assert "lies in 1970" in told


def test_events_from_the_future_are_reported() -> None:
    """A day after the present, by which clocks may differ."""
    assert remarks([event(WALL + HOUR)]) == []
    (told,) = remarks([event(WALL + 2 * DAY)])
    assert "lies in the future" in told


@pytest.mark.parametrize(
    "changed", [{"type": "cart_updated"}, {"occurred_at": T0 + 1}, {"data": {"sku": "b"}}]
)
def test_one_id_on_different_events_is_reported(changed: dict[str, Any]) -> None:
    """With both lines; the same event again is a duplicate and no more."""
    line = event(T0, "x")
    assert remarks([line, line]) == []
    (told,) = remarks([line, event(T0, "x") | changed, line])
    assert told.startswith("f:2: has the event_id of another event (line 1), as 1 line:")
    assert "is ignored" in told


def test_one_id_of_two_customers_is_reported_as_such() -> None:
    """Event ids are a customer's own: both events are applied."""
    lines = [event(T0, "x"), event(T0, "x", customer_id="bob")]
    (told,) = remarks(lines)
    assert told.startswith("f:2: has the event_id of another customer's event (line 1), as 1 line:")
    assert "both are applied" in told
    twice = [*lines, event(T0, "x", type="cart_updated")]
    assert [text.partition(":")[2].partition(":")[0] for text in remarks(twice)] == ["3", "2"]
