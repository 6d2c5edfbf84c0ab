"""What sends led to, of a running worker: on its topic, in its metrics, over a crash."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for

RULES = """\
version: 1
currency: EUR
channels: {email: {requires: email}}
triggers:
  hello: {kind: event, on: [subscribed], template: hello, channels: [email]}
"""
WORTH = {"value": 40, "margin": -2.5, "currency": "EUR"}


@pytest.fixture
def rules(tmp_path: Path) -> dict[str, str]:
    """The variable that names the rules of these tests."""
    path = tmp_path / "marketing.yaml"
    path.write_text(RULES)
    return {"TRIGGER_RULES": str(path)}


def greet(instance: Instance) -> dict[str, Any]:
    """Have somebody subscribe; the request that greets them."""
    (customer_id,) = instance.customers(1)
    instance.wire.event("orders", customer_id, "subscribed")
    instance.wire.flush()
    (request,) = instance.wire.wait_for_values("dispatch", 1)
    return request


def engage(wire: Wire, request: dict[str, Any], name: str) -> None:
    data = {"request_id": request["request_id"], "channel": request["channel"]}
    wire.event("engagement", request["customer_id"], name, data)


def test_outcomes_go_out_and_are_counted(instance: Instance, rules: dict[str, str]) -> None:
    """Keyed by the customer, named by the request; money in the rules' currency."""
    wire = instance.wire
    with instance.worker(**rules) as worker:
        worker.wait_until_ready()
        request = greet(instance)
        engage(wire, request, "message_clicked")
        engage(wire, request, "unsubscribed")
        wire.flush()
        wire.wait_for_values("outcomes", 2)
        order = wire.event("orders", request["customer_id"], "order_placed", WORTH)
        wire.flush()
        outcomes = wire.wait_for_values("outcomes", 3)
        assert {record.key() for record in wire.read("outcomes")} == {b"c0"}
        wait_for("counted", lambda: worker.metric("trigger_outcomes_total") == 3)
        labels = {"trigger": "hello", "channel": "email", "variant": ""}
        assert worker.metric("trigger_outcomes_total", **labels, kind="conversion") == 1
        assert worker.metric("trigger_revenue_total", trigger="hello", channel="email") == 40
        assert worker.metric("trigger_margin_total", trigger="hello", sign="loss") == 2.5
        assert worker.metric("trigger_list_health_total", channel="email") == 1
        assert worker.metric("trigger_marketing_messages_total", **labels, kind="send") == 1
        explained = json.loads(worker.get("/explain/c0?format=json")[1])
        assert worker.stop() == 0, worker.log
    (bought,) = (each for each in outcomes if each["kind"] == "conversion")
    assert bought["request_id"] == request["request_id"]
    assert bought["cause"]["event_id"] == order
    assert {name: bought[name] for name in WORTH} == WORTH
    assert explained["sends"][0]["led_to"] == ["clicked", "unsubscribed", "conversion"]


@pytest.mark.parametrize(
    ("broker", "guarantee", "at", "wiped"),
    [
        ("embedded", "at_least_once", "after 3", True),
        ("embedded", "at_least_once", "after 5", False),
        ("kafka", "exactly_once", "before 6", False),
        ("kafka", "exactly_once", "after 6", True),
    ],
    indirect=["broker"],
)
def test_a_kill_loses_no_outcome(
    instance: Instance, rules: dict[str, str], guarantee: str, at: str, wiped: bool
) -> None:
    """What at_least_once repeats has the same identity: request, kind and the event behind it."""
    wire = instance.wire
    rules["TRIGGER_GUARANTEE"] = guarantee
    with instance.worker(**rules) as worker:
        worker.wait_until_ready()
        request = greet(instance)
        assert worker.stop() == 0, worker.log
    order = wire.event("orders", request["customer_id"], "order_placed", WORTH)
    wire.flush()
    with instance.worker(**rules, CRASH_AT=at) as worker:
        assert worker.wait() == -9
    if wiped:
        shutil.rmtree(instance.data_dir)
    with instance.worker(**rules) as worker:
        worker.wait_until_ready()
        copies = 2 if at == "after 5" else 1
        wire.wait_for_values("outcomes", copies)
        wait_for("commit", lambda: wire.committed()["orders"] == 2)
        assert worker.stop() == 0, worker.log
    assert len(wire.values("outcomes")) == copies
    found = {
        (each["request_id"], each["kind"], each["cause"]["event_id"])
        for each in wire.values("outcomes")
    }
    assert found == {(request["request_id"], "conversion", order)}
