"""Real input: every purchase of the CDNOW data set through Kafka and a worker, counted by hand.

The data set (Fader and Hardie, 23,570 customers from January 1997 to June 1998) gives days; a
day's purchases are spread evenly over it, in the order of the file.
"""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from app.core.time.instants import DAY_MS
from app.publish.publish import publish
from app.settings.model import default_rules_path
from tests.process.conftest import Instance
from tests.process.running import wait_for

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

GRACE_MS = 5_000
KEPT = ("first_purchase", "every_fifth_order", "vip", "win_back")
VIP_SPEND = 1000
QUIET_DAYS = 10

Purchase = tuple[int, str, float]  # epoch ms, customer, value


def purchases() -> list[Purchase]:
    """Every purchase, spread over its day, in the order of time."""
    rows: dict[str, list[tuple[str, float]]] = defaultdict(list)
    data_set = distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_master.txt")
    for line in Path(str(data_set)).read_text().splitlines()[1:]:
        customer, day, _, value = line.split()
        rows[day].append((customer, float(value)))
    found = []
    for day, bought in rows.items():
        start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
        start_ms = int(start.timestamp()) * 1000
        for place, (customer, spent) in enumerate(bought):
            found.append((start_ms + DAY_MS * place // len(bought), customer, spent))
    return sorted(found)


def expected_counts(bought: list[Purchase]) -> dict[str, int]:
    """Decisions by trigger, straight from the purchases and the meaning of each rule.

    The milestones are due some hours after their purchase: at the end only those count whose time
    (and the grace) has come.
    """
    by_customer: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at_ms, customer, value in bought:
        by_customer[customer].append((at_ms, value))
    end_ms = bought[-1][0] - GRACE_MS
    counts: Counter[str] = Counter()
    hour_ms = 3_600_000
    for history in by_customer.values():
        cents = 0
        for number, (at_ms, value) in enumerate(history, start=1):
            before, cents = cents, cents + round(value * 100)
            counts["first_purchase"] += number == 1 and at_ms + hour_ms <= end_ms
            counts["every_fifth_order"] += number % 5 == 0 and at_ms + 2 * hour_ms <= end_ms
            reaches_vip = before < VIP_SPEND * 100 <= cents
            counts["vip"] += reaches_vip and at_ms + 3 * hour_ms <= end_ms
            due_ms = at_ms + QUIET_DAYS * DAY_MS
            is_last = number == len(history)
            next_ms = bought[-1][0] if is_last else history[number][0]
            counts["win_back"] += due_ms + GRACE_MS <= next_ms
    return dict(counts)


def test_every_purchase_of_cdnow_is_counted(instance: Instance) -> None:
    """First purchases are the data set's customers; the rest is as an independent count has it."""
    bought = purchases()
    assert len(bought) == 69_659
    expected = expected_counts(bought)
    customers = len({customer for _, customer, _ in bought})
    assert expected["first_purchase"] == customers == 23_570

    document = YAML(typ="safe", pure=True).load(default_rules_path())
    document["triggers"] = {name: document["triggers"][name] for name in KEPT}
    rules = instance.data_dir.parent / "cdnow.yaml"
    rules.write_text(json.dumps(document))
    lines = (
        json.dumps(
            {
                "topic": "orders",
                "event_id": f"p{number}",
                "type": "order_placed",
                "customer_id": customer,
                "occurred_at": at_ms,
                "data": {"order_id": f"o{number}", "value": value, "currency": "USD"},
            }
        ).encode()
        for number, (at_ms, customer, value) in enumerate(bought)
    )
    settings = instance.wire.settings
    assert publish(settings, lines, timestamps="occurred_at").bad == 0
    with instance.worker(
        TRIGGER_CLOCK="records", TRIGGER_GRACE=f"{GRACE_MS}ms", TRIGGER_RULES=str(rules)
    ) as worker:
        total = sum(expected.values())
        wait_for("all", lambda: worker.metric("trigger_decisions_total") >= total, 1200)
        assert worker.metric("trigger_events_total", outcome="applied") == len(bought)
        assert worker.stop() == 0, worker.log
    decisions = instance.wire.values("decisions")
    final = [each for each in decisions if each["outcome"] != "defer"]
    assert dict(Counter(each["trigger"] for each in final)) == expected
    assert len({each["request_id"] for each in final}) == len(final)
