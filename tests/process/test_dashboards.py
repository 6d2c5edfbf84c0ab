"""Both dashboards over a live Prometheus: every query of every panel is run and returns data."""

import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from deploy.monitoring import dashboards
from tests.process.conftest import Instance
from tests.process.prometheus import (
    RULES,
    RunningPrometheus,
    hurried,
    require_prometheus,
    write_config,
)
from tests.process.running import Wire, wait_for
from tests.process.test_worker_explain import free_ports

pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)

FACTOR: Final = 60
CUSTOMERS: Final = 40
LATE: Final = "job:trigger_timers_late:ratio_rate1h"

#: Everything that a panel looks at happens under these, most of it within a second or two.
TRIGGERS: Final = """\
version: 1
currency: EUR
channels: {email: {requires: email}, push: {requires: push_token}}
throttle:
  cooldown: 48h
  caps: [{limit: 2, per: 1d}]
  quiet_hours: {from: "FROM", to: "TO", channels: [push]}
holdout: {percent: 20, salt: dashboards}
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         after: 1s, template: cart, channels: [email]}
  welcome: {kind: event, on: [subscribed], template: welcome, channels: [email]}
  again: {kind: event, on: [subscribed], family: welcome, template: again, channels: [email]}
  night: {kind: event, on: [onboarding_completed], template: night, channels: [push]}
  thanks: {kind: event, on: [order_placed], category: transactional, template: t, channels: [email]}
"""

#: What an hour or a week is to Grafana is a second or two here.
VARIABLES: Final = {
    "$job": ".*",
    "$trigger": ".*",
    "$__rate_interval": "20s",
    "$__range": "60s",
    "[1h]": "[20s]",
    "[1d]": "[60s]",
    "offset 1w": "offset 1s",
}


def rules(shadow: bool = False) -> str:
    """The rules, with quiet hours around now."""
    hour = time.gmtime().tm_hour
    text = TRIGGERS.replace("FROM", f"{(hour - 1) % 24:02}:00").replace(
        "TO", f"{(hour + 2) % 24:02}:00"
    )
    return text.replace("template: cart", "template: cart-2") if shadow else text


def shop(wire: Wire) -> None:
    """Customers come, leave carts, buy, complain, and one publisher writes nonsense."""
    ids = [f"c{number}" for number in range(CUSTOMERS)]
    for customer_id in ids:
        profile = {"email": f"{customer_id}@example.org", "push_token": "p", "timezone": "UTC"}
        wire.event("profiles", customer_id, "profile_updated", profile)
        wire.event("orders", customer_id, "subscribed")
        wire.event("orders", customer_id, "onboarding_completed")
        wire.event("orders", customer_id, "cart_updated", {"cart_id": "k", "value": 30})
    left_ms = int(time.time() * 1000)
    wire.event("orders", ids[0], "subscribed", event_id="twice")
    wire.event("orders", ids[0], "subscribed", event_id="twice")
    wire.record("orders", b"x", b"not json")
    wire.flush()
    requests: dict[str, str] = wait_for("reminders", lambda: reminders(wire))
    for number, (customer_id, request_id) in enumerate(sorted(requests.items())):
        told = {"request_id": request_id, "channel": "email"}
        for kind in ("message_delivered", "message_opened", "message_clicked"):
            wire.event("engagement", customer_id, kind, told)
        kind = ("unsubscribed", "message_complained", "message_bounced")[number % 3]
        wire.event("engagement", customer_id, kind, told)
        bought = {"cart_id": "k", "value": 30, "margin": 9 - number % 12, "currency": "EUR"}
        # some bought before the reminder was decided, which is known only now: it is recalled
        at_ms = left_ms + 1 if number % 4 == 0 else None
        wire.event("orders", customer_id, "order_placed", bought, occurred_ms=at_ms)
    wire.flush()


def leave_carts(wire: Wire, cart_id: str) -> None:
    """Every customer leaves one, whose timer fires a second later."""
    for number in range(CUSTOMERS):
        wire.event("orders", f"c{number}", "cart_updated", {"cart_id": cart_id, "value": 30})
    wire.flush()


def reminders(wire: Wire) -> dict[str, str]:
    """Customer -> request of the reminder, once most have theirs; the others are held out."""
    requests = {
        each["customer_id"]: each["request_id"]
        for each in wire.values("dispatch")
        if each["trigger"] == "cart"
    }
    return requests if len(requests) > CUSTOMERS / 2 else {}


@pytest.fixture
def prometheus(instance: Instance, tmp_path: Path) -> Iterator[RunningPrometheus]:
    """A Prometheus that has watched a shop from before its first customer."""
    require_prometheus()
    (port,) = free_ports(1)
    (tmp_path / "rules.yaml").write_text(rules())
    (tmp_path / "shadow.yaml").write_text(rules(shadow=True))
    settings = {
        "TRIGGER_WEB_PORT": str(port),
        "TRIGGER_SHADOW": str(tmp_path / "shadow.yaml"),
    }
    with (
        instance.worker(**settings) as worker,
        RunningPrometheus(
            write_config(
                tmp_path / "prometheus",
                [f"127.0.0.1:{port}"],
                hurried(RULES.read_text(), FACTOR),
            ),
            300 // FACTOR,
        ) as running,
    ):
        worker.wait_until_ready()
        wait_for("zeros", lambda: running.query('trigger_outcomes_total{kind="recovery"} == 0'))
        shop(instance.wire)
        wait_for("outcomes", lambda: running.query("sum(trigger_revenue_total) > 100"))
        wait_for("sends", lambda: running.query("job_trigger:trigger_messages:increase1h > 0"))
        numbers = count()

        def is_late_known() -> object:
            """Timers fire until Prometheus has seen some twice within its shortest window."""
            leave_carts(instance.wire, f"k{next(numbers)}")
            return running.query(f"{LATE} >= 0")

        wait_for(LATE, is_late_known, poll_s=1.0)
        yield running


def test_every_panel_shows_something(prometheus: RunningPrometheus) -> None:
    """Each query returns series, and each panel has a number: not only shares of nothing."""
    silent = []
    numbers: dict[tuple[str, str], int] = {}
    for name in dashboards.DASHBOARDS:
        for title, promql in dashboards.queries(name, VARIABLES):
            values = [float(each["value"][1]) for each in prometheus.query(promql)]
            print(f"{name}: {title}: {len(values)} series, {values[:4]}")
            if not values:
                silent.append(f"{name}: {title}: {promql}")
            found = sum(not math.isnan(value) for value in values)
            numbers[name, title] = numbers.get((name, title), 0) + found
    assert silent == []
    assert [panel for panel, count in numbers.items() if not count] == []
    assert sum(numbers.values()) > 100
