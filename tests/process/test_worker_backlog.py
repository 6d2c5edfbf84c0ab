"""A worker comes back to a long backlog on Apache Kafka and is killed while it catches up."""

import os
import random
import time
from pathlib import Path
from typing import Final

import pytest

from app.settings.load import load_settings
from tests.kafka.cluster import KafkaCluster
from tests.process.conftest import Instance
from tests.process.running import wait_for

pytestmark = [pytest.mark.soak, pytest.mark.parametrize("broker", ["kafka"], indirect=True)]

#: 120,000 take 100 s of an idle machine of two cores, many times that of a busy one.
RECORDS: Final = int(os.environ.get("TRIGGER_BACKLOG_RECORDS") or 40_000)
#: Long for a machine that is busy, and for so many.
DEADLINE_S: Final = 300.0 * max(1.0, RECORDS / 40_000)
CUSTOMERS = 2_000
HOUR_MS = 3_600_000
RULES = """\
version: 1
channels: {email: {requires: email}}
triggers:
  cart_abandoned: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
                   after: 30m, expires: 12h, template: cart, channels: [email]}
"""


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_no_reminder_goes_out_after_a_purchase_in_the_backlog(
    broker: KafkaCluster, tmp_path: Path, guarantee: str
) -> None:
    """All on one partition; the purchases lie anywhere between the cart and the worker's start,
    most of them after the reminder was due.
    """
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": f"backlog.{guarantee}.",
            "TRIGGER_APP_ID": f"backlog-{guarantee}",
            "TRIGGER_PARTITIONS": "1",
        }
    )
    instance = Instance(settings, tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    ids = instance.customers(CUSTOMERS)
    buyers = publish_backlog(instance, ids)

    variables = {"TRIGGER_GUARANTEE": guarantee}
    with instance.worker(**variables) as worker:
        third = RECORDS / 3
        wait_for("a part", lambda: worker.metric("trigger_events_total") > third, DEADLINE_S)
        worker.kill()
    assert not sent(instance)
    with instance.worker(**variables) as worker:
        left = CUSTOMERS - len(buyers)
        wait_for("reminders", lambda: len(sent(instance)) >= left, DEADLINE_S)
        assert worker.stop() == 0, worker.log
    assert sent(instance) == set(ids) - buyers
    assert all(each["kind"] == "send" for each in instance.wire.values("dispatch"))


def publish_backlog(instance: Instance, ids: list[str]) -> set[str]:
    """A cart of each customer two hours ago, then views and, of nine in ten, a purchase; who buys.

    Returned once Kafka has it all.
    """
    dice = random.Random(5)  # repeatable, not secret
    now_ms = int(time.time() * 1000)
    start_ms = now_ms - 2 * HOUR_MS
    buyers = {each for each in ids if dice.random() < 0.9}
    happens = [(start_ms + number, each, "cart_updated") for number, each in enumerate(ids)]
    happens += [
        (start_ms + CUSTOMERS + dice.randrange(2 * HOUR_MS - CUSTOMERS), each, "order_placed")
        for each in sorted(buyers)
    ]
    happens += [
        (start_ms + CUSTOMERS + dice.randrange(2 * HOUR_MS - CUSTOMERS), dice.choice(ids), "view")
        for _ in range(RECORDS - len(happens))
    ]
    for at_ms, customer_id, what in sorted(happens):
        kind = "product_viewed" if what == "view" else what
        instance.wire.event("orders", customer_id, kind, {"cart_id": "k"}, occurred_ms=at_ms)
    instance.wire.flush()
    return buyers


def sent(instance: Instance) -> set[str]:
    """Customers who got a reminder."""
    return {each["customer_id"] for each in instance.wire.values("dispatch")}
