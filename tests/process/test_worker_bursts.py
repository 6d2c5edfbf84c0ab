"""Profiles and orders in one burst on Apache Kafka, which stands still for a while under way."""

import json
import os
import time
from pathlib import Path
from typing import Final

import pytest

from app.settings.load import load_settings
from tests.kafka.cluster import KafkaCluster
from tests.process.conftest import Instance
from tests.process.running import wait_for

pytestmark = [pytest.mark.soak, pytest.mark.parametrize("broker", ["kafka"], indirect=True)]

CUSTOMERS: Final = int(os.environ.get("TRIGGER_BURST_CUSTOMERS") or 10_000)
DEADLINE_S: Final = 300.0 * max(1.0, CUSTOMERS / 10_000)
FROZEN_S: Final = 6.0
AT_ONCE: Final = 500
#: Nothing is waited for: an order that overtakes its profile is lost.
RULES = """\
version: 1
profile_patience: 0s
channels: {email: {requires: email}}
triggers:
  thanks: {kind: event, on: [order_placed], category: transactional, expires: 1d, template: thanks,
           channels: [email]}
"""


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_no_order_overtakes_its_profile(
    broker: KafkaCluster, tmp_path: Path, guarantee: str
) -> None:
    """Each order was published one millisecond after the customer's profile. A worker whose client
    does not come back from a frozen broker ends, and another goes on.
    """
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": f"burst.{guarantee}.",
            "TRIGGER_APP_ID": f"burst-{guarantee}",
        }
    )
    instance = Instance(settings, tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    variables = {"TRIGGER_GUARANTEE": guarantee}
    workers = [instance.worker(**variables)]

    def is_all_handled() -> bool:
        if workers[-1].process.poll() is not None:
            workers.append(instance.worker(**variables))
        return instance.wire.committed()["orders"] >= CUSTOMERS

    try:
        workers[0].wait_until_ready()
        publish(instance, 0, CUSTOMERS // 2)
        for node in broker.nodes:
            node.freeze()
        time.sleep(FROZEN_S)
        for node in broker.nodes:
            node.thaw()
        publish(instance, CUSTOMERS // 2, CUSTOMERS)
        wait_for("orders", is_all_handled, DEADLINE_S, poll_s=1.0)
        assert workers[-1].stop() == 0, workers[-1].log
    finally:
        for worker in workers:
            worker.kill()
    verdicts = {
        each["customer_id"]: (each["outcome"], each["reason"])
        for each in instance.wire.values("decisions")
    }
    assert len(verdicts) == CUSTOMERS
    assert set(verdicts.values()) == {("send", "passed")}


def publish(instance: Instance, first: int, end: int) -> None:
    """A profile and an order of each customer, a millisecond apart, of the last seconds.

    The broker has the profiles of some hundreds before their orders are on their way.
    """
    wire = instance.wire
    start_ms = int(time.time() * 1000) - 2 * (end - first)
    email = {"email": "ann@x.test"}
    pair: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("profiles", "profile_updated", email),
        ("orders", "order_placed", {}),
    )
    for chunk in range(first, end, AT_ONCE):
        for step, (topic, name, data) in enumerate(pair):
            for number in range(chunk, min(end, chunk + AT_ONCE)):
                at_ms = start_ms + 2 * (number - first) + step
                envelope = {
                    "event_id": f"{name}-{number}",
                    "type": name,
                    "customer_id": f"c{number}",
                    "occurred_at": at_ms,
                    "data": data,
                }
                value, key = json.dumps(envelope).encode(), f"c{number}".encode()
                wire.record(topic, key, value, timestamp_ms=at_ms)
            wire.flush()
