"""The log of a live run: where things are, and nothing of what is in them."""

import json
from typing import Any, Final

import pytest

from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for
from tests.unit.contracts.registry import Registry

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

CONTEXT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#: A customer id is personal too, the more so when it is an address.
CUSTOMER: Final = "grace.hopper@example.org"
PERSONAL: Final = {
    "first_name": "Gracella",
    "email": CUSTOMER,
    "phone": "+491701234567",
    "push_token": "token-of-gracella",
    "birthday": "1906-12-09",
    "timezone": "Europe/Berlin",
    "attributes": {"loft": "Navy-Yard-17"},
}
NEEDLES: Final = ("grace", "Gracella", "491701234567", "1906-12-09", "Navy-Yard", "Hopper")


def publish_everything(wire: Wire) -> int:
    """Good events and every kind of bad record, with something personal wherever it fits; how
    many are bad.
    """
    key = CUSTOMER.encode()
    header: tuple[str, str | bytes | None] = ("traceparent", CONTEXT.encode())
    good = {
        "event_id": "Gracella-1",
        "type": "order_placed",
        "customer_id": CUSTOMER,
        "occurred_at": 1,
        "data": {"order_id": "Navy-Yard-17"},
    }
    wire.event("profiles", CUSTOMER, "profile_updated", PERSONAL)
    wire.flush()
    wire.event("orders", CUSTOMER, "order_placed", {"note": "Gracella"}, headers=[header])
    wire.event("orders", CUSTOMER, "order_placed", {"note": "Gracella"}, headers=[header])
    wire.event("orders", CUSTOMER, "Gracella_clicked")
    bad: list[Any] = [
        b"Gracella",
        b'"Gracella',
        b'{"Gracella": ',
        ["Gracella"],
        good | {"event_id": "Gracella" * 99},
        good | {"occurred_at": "Gracella"},
        good | {"occurred_at": "1906-12-09T99:00:00Z"},
        good | {"occurred_at": {"Gracella": 1}},
        good | {"data": "Gracella"},
        good | {"customer_id": "Hopper"},
        good | {"type": "cart_updated", "data": {"note": "Gracella"}},
    ]
    for value in bad:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        wire.record("orders", key, raw, headers=[header, ("from", "Gracella")])
    profile = good | {"type": "profile_updated"}
    for data in (
        {"timezone": "Gracella"},
        {"birthday": "Gracella"},
        {"channels": "Gracella"},
        {"consent": {"email": "Gracella"}},
        {"email": ["Gracella"]},
        {"attributes": "Gracella"},
    ):
        wire.record("profiles", key, json.dumps(profile | {"data": data}).encode())
    wire.record("orders", b"Hopper", json.dumps(good).encode())
    wire.record("orders", key, b"x", headers=[("ce_id", b"Gracella\xff")])
    wire.record("orders", key, b"\0\0\0\0\x09Gracella")
    wire.flush()
    return len(bad) + 6 + 3


def parsed(log: str) -> list[dict[str, Any]]:
    """The lines as objects: every line must be one."""
    return [json.loads(line) for line in log.splitlines()]


def assert_impersonal(log: str) -> None:
    found = [needle for needle in NEEDLES if needle.casefold() in log.casefold()]
    assert found == [], [line for line in log.splitlines() if found[0] in line.casefold()]


def test_the_log_says_where_and_not_what(instance: Instance) -> None:
    """At its most talkative: dead letters, decisions, a page about the customer, a bug, a crash."""
    wire = instance.wire
    bad = publish_everything(wire)
    orders = wire.settings.topic("orders")
    variables = {"TRIGGER_LOG_FORMAT": "json", "TRIGGER_LOG_LEVEL": "debug"}
    with Registry() as registry:
        variables["TRIGGER_SCHEMA_REGISTRY_URL"] = registry.url
        with instance.worker(**variables, TRIGGER_WEB_TOKEN=CUSTOMER) as worker:
            worker.wait_until_ready()
            wait_for("dead letters", lambda: worker.metric("trigger_dead_letters_total") == bad)
            wire.wait_for_values("dispatch", 2)
            assert worker.get(f"/explain/{CUSTOMER}")[0] == 200
            assert worker.get(f"/customers/{CUSTOMER}?last=x")[0] == 400
            assert worker.stop() == 0
            run = worker.log
        event_id = wire.event("orders", CUSTOMER, "order_placed", {"note": "Gracella"})
        wire.flush()
        with instance.worker(**variables, FAIL_ON=event_id) as worker:
            assert worker.wait() == 1
            crash = worker.log

    assert_impersonal(run)
    assert_impersonal(crash)
    lines = parsed(run)
    dead = [line for line in lines if line.get("action") == "dead_letter"]
    assert sum(line["count"] for line in dead) == bad
    assert {line["topic"] for line in dead} == {orders, wire.settings.topic("profiles")}
    assert {line["reason"] for line in dead} >= {
        "not_json",
        "not_object",
        "envelope",
        "key",
        "missing_key",
        "profile",
        "unknown_schema",
    }
    assert all(type(line["partition"]) is type(line["offset"]) is int for line in dead)
    (key,) = {line["trace_id"] for line in dead if line["reason"] == "missing_key"}
    assert key == CONTEXT[3:35]
    decided = [line for line in lines if line.get("action") == "decided"]
    assert [(line["trigger"], line["outcome"]) for line in decided] == [
        ("order_placed", "send")
    ] * 2
    for line in decided:
        assert line["trace_id"] == CONTEXT[3:35]
        assert (line["topic"], line["reason"]) == ("orders", "passed")
        assert type(line["partition"]) is type(line["offset"]) is int
    (failed,) = [line for line in parsed(crash) if line.get("action") == "failed"]
    assert "ZeroDivisionError: (its text may be about" in failed["exception"]
    assert "worker_process.py" in failed["exception"]
