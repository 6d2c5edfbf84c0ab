"""Events that come as history (header ``trigger-decide-from``), decided by hand."""

import orjson
import pytest

from app.backtest.clock import Outage
from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.compile import compile_rules
from app.core.decisions import Decision
from app.core.errors import EventError
from app.formats.decode import decode_record

MINUTE = 60_000
T0 = 1_772_359_200_000  # 2026-03-01T10:00:00Z
RULES = {
    "version": 1,
    "channels": {"email": {"requires": "email"}},
    "triggers": {
        "cart": {
            "kind": "abandonment",
            "start": ["cart_updated"],
            "key": "cart_id",
            "steps": [
                {"after": "30m", "template": "first", "channels": ["email"]},
                {"after": "60m", "template": "second", "channels": ["email"]},
            ],
        },
        "third": {
            "kind": "milestone",
            "count": "order_placed",
            "reaches": 3,
            "template": "third",
            "channels": ["email"],
        },
    },
}


def seeded(topic: str, name: str, at_ms: int, data: dict[str, str], from_ms: int) -> bytes:
    """A line in record form, marked as history."""
    value = {
        "event_id": f"{name}-{at_ms}",
        "type": name,
        "customer_id": "ann",
        "occurred_at": at_ms,
        "data": data,
    }
    headers = {"trigger-decide-from": str(from_ms)}
    return orjson.dumps({"topic": topic, "key": "ann", "value": value, "headers": headers})


def live(name: str, at_ms: int) -> bytes:
    """A line in event form."""
    event = {"event_id": f"{name}-{at_ms}", "type": name, "customer_id": "ann"}
    return orjson.dumps({"topic": "orders", "occurred_at": at_ms, "data": {}} | event)


def test_what_is_due_before_is_closed_and_what_is_due_later_is_decided() -> None:
    """The first reminder was due before; the second is sent, and the third order is the third."""
    from_ms = T0 + 45 * MINUTE
    made: list[Decision] = []
    lines = [
        seeded("profiles", "profile_updated", T0, {"email": "ann@example.org"}, from_ms),
        seeded("orders", "order_placed", T0 + 1, {}, from_ms),
        seeded("orders", "order_placed", T0 + 2, {}, from_ms),
        seeded("orders", "cart_updated", T0 + 3, {"cart_id": "k"}, from_ms),
        live("order_placed", T0 + 50 * MINUTE),
    ]
    replay = Replay(compile_rules(RULES, version="x"), made.append)
    replay.run(read_arrivals(lines), until_ms=T0 + 90 * MINUTE)
    assert [(each.trigger, each.step, each.outcome.value) for each in made] == [
        ("third", 0, "send"),
        ("cart", 1, "send"),
    ]


def test_what_is_due_before_is_closed_while_the_partition_is_behind_too() -> None:
    """It does not wait to be decided, so ``once`` lets the first event after it enter."""
    hello = {"kind": "event", "on": ["subscribed"], "template": "t", "channels": ["email"]}
    rules = {**RULES, "triggers": {"hello": hello | {"once": True}}}
    lines = [
        seeded("profiles", "profile_updated", T0, {"email": "ann@example.org"}, T0 + MINUTE),
        seeded("orders", "subscribed", T0 + 1, {}, T0 + MINUTE),
        live("subscribed", T0 + 2 * MINUTE),
        live("subscribed", T0 + 3 * MINUTE),
    ]
    made: list[Decision] = []
    outage = Outage(T0, T0 + 10 * MINUTE)
    replay = Replay(compile_rules(rules, version="x"), made.append, outage=outage)
    replay.run(read_arrivals(lines), until_ms=T0 + 90 * MINUTE)
    assert [(each.key, each.outcome.value, each.decided_ms) for each in made] == [
        (f"subscribed-{T0 + 2 * MINUTE}", "send", T0 + 10 * MINUTE)
    ]


@pytest.mark.parametrize("text", [b"", b"soon", b"-5", b"0", b"9" * 20])
def test_a_mark_that_is_no_time_is_a_dead_letter(text: bytes) -> None:
    """Where it were ignored, a whole history would be decided."""
    value = orjson.dumps(
        {"event_id": "e", "type": "shipped", "customer_id": "a", "occurred_at": T0, "data": {}}
    )
    with pytest.raises(EventError, match="trigger-decide-from: expected epoch milliseconds"):
        decode_record("orders", 0, 0, b"a", value, [("trigger-decide-from", text)])
