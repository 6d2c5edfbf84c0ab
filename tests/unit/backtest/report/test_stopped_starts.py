"""Starts that opened nothing: counted by trigger and reason, and told by the report."""

import orjson

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.backtest.report.sections import stopped_starts
from app.backtest.report.tally import Tally
from app.core.decisions import Decision
from app.rules_file.load import parse_rules

RULES = b"""
version: 1
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed], after: 1h,
         template: t, channels: [email]}
  hello: {kind: event, on: [subscribed], when: {field: customer.orders, op: gte, value: 1},
          template: t, channels: [email]}
"""
T0 = 1_767_225_600_000


def told(*lines: tuple[str, int]) -> tuple[Tally, str]:
    """What a history of these types, so many seconds apart, leaves."""
    made: list[Decision] = []
    tally = Tally()
    replay = Replay(parse_rules(RULES), made.append, stopped=tally.take_stopped)
    replay.run(
        read_arrivals(
            orjson.dumps(
                {
                    "topic": "orders",
                    "event_id": f"{name}-{second}",
                    "type": name,
                    "customer_id": "ann",
                    "occurred_at": T0 + second * 1000,
                    "data": {"cart_id": "k"},
                }
            )
            for name, second in lines
        )
    )
    return tally, str(stopped_starts(tally))


def test_each_reason_has_its_row() -> None:
    """A cart touched just after its purchase, and an event whose condition failed."""
    tally, section = told(("subscribed", 0), ("order_placed", 9), ("cart_updated", 10))
    assert tally.stopped == {("hello", "when"): 1, ("cart", "cancelled"): 1}
    assert "a cancel of the same key came after it, or just before" in section
    assert "`when` did not hold" in section


def test_counts_of_several_processes_add_up() -> None:
    """Counts of processes with different customers are added."""
    whole, other = told(("subscribed", 0))[0], told(("subscribed", 1))[0]
    whole.add(other)
    assert whole.stopped == {("hello", "when"): 2}


def test_without_one_the_report_says_so() -> None:
    """A sentence takes the place of an empty table."""
    assert "Every start opened an instance." in told(("cart_updated", 0))[1]
