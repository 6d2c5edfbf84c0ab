"""``--clock records``: a rehearsal over Kafka decides what the backtest decides."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.core.time.instants import parse_rfc3339
from app.formats import encode
from app.publish.publish import publish
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path
from tests.process.conftest import Instance
from tests.process.fleet import partitions
from tests.process.running import RunningWorker, wait_for

START_MS = 1_700_000_000_000
GRACE_MS = 5_000
EVENTS = 1500


def history() -> list[bytes]:
    """Events of all topics over two weeks, some arriving late, and what people did with some of
    the messages that these set off; no two at the same time.
    """
    lines = events()
    made = backtest(lines)[0]
    choice = random.Random(8)
    engaged = [
        line
        for number, each in enumerate(made)
        if each["outcome"] == "send" and choice.random() < 0.4
        for line in engagement(each, number, choice)
    ]
    return sorted([*lines, *engaged], key=lambda line: int(json.loads(line)["arrived_at"]))


def engagement(decision: dict[str, Any], number: int, choice: random.Random) -> list[bytes]:
    """Opened, and perhaps clicked, within hours; at odd times, other events are at even ones."""
    sent_ms = parse_rfc3339(decision["decided_at"])
    names = ["message_opened", "message_clicked"][: choice.choice([1, 1, 2])]
    return [
        json.dumps(
            {
                "topic": "engagement",
                "event_id": f"{name}{number}",
                "type": name,
                "customer_id": decision["customer_id"],
                "occurred_at": at_ms,
                "arrived_at": at_ms,
                "data": {"request_id": decision["request_id"], "channel": decision["channel"]},
            }
        ).encode()
        for name in names
        for at_ms in [sent_ms // 2 * 2 + 1 + 2 * choice.randrange(10**7)]
    ]


def events() -> list[bytes]:
    """Events of all topics."""
    choice = random.Random(7)
    arrivals = sorted(choice.sample(range(0, 14 * 86_400_000, 2), EVENTS))
    lines = []
    for number, at_ms in enumerate(arrivals):
        customer = f"c{choice.randrange(40)}"
        topic, type_, data = choice.choice(EXAMPLES)
        late_ms = choice.choice([0, 0, 0, 1_000, 60_000, 3_600_000])
        event: dict[str, Any] = {
            "topic": topic,
            "event_id": f"e{number - (choice.random() < 0.02)}",
            "type": type_,
            "customer_id": customer,
            "occurred_at": START_MS + at_ms - late_ms,
            "arrived_at": START_MS + at_ms,
            "data": {
                name: value.format(c=customer) if isinstance(value, str) else value
                for name, value in data.items()
            },
        }
        lines.append(json.dumps(event).encode())
    return lines


EXAMPLES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "profiles",
        "profile_updated",
        {"email": "{c}@example.org", "timezone": "Europe/Berlin", "birthday": "1990-11-20"},
    ),
    ("profiles", "profile_updated", {"phone": "+4930{c}", "push_token": "t-{c}"}),
    ("orders", "product_viewed", {"sku": "s1", "category": "shoes"}),
    ("orders", "cart_updated", {"cart_id": "k-{c}", "value": 60}),
    ("orders", "cart_updated", {"cart_id": "k2-{c}", "value": 30}),
    (
        "orders",
        "order_placed",
        {"order_id": "o-{c}", "cart_id": "k-{c}", "value": 60, "margin": 9.5, "currency": "EUR"},
    ),
    ("orders", "delivered", {"order_id": "o-{c}", "on_time": True}),
    ("bookings", "payment_failure", {"booking_id": "b-{c}", "value": 200}),
    ("bookings", "itinerary_saved", {"booking_id": "b-{c}", "value": 200}),
    ("bookings", "booking_confirmed", {"booking_id": "b-{c}", "value": 200}),
    ("engagement", "message_opened", {"request_id": "r", "channel": "email"}),
    ("engagement", "unsubscribed", {"channel": "push"}),
    ("orders", "review_completed", {"order_id": "o-{c}"}),
    ("orders", "support_contacted", {}),
    ("orders", "cart_updated", {"value": 1}),
]


def without_place(decision: dict[str, Any]) -> dict[str, Any]:
    """The decision as it is wherever its events were read."""
    cause = {"event_id": decision["cause"]["event_id"], "topic": decision["cause"]["topic"]}
    return decision | {"cause": cause}


def in_order(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by request first, and then by all that a verdict says."""
    placeless = map(without_place, decisions)
    return sorted(
        placeless, key=lambda each: (each["request_id"], json.dumps(each, sort_keys=True))
    )


def backtest(lines: list[bytes]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the backtest decides, and what its sends led to."""
    made: list[Decision] = []
    led_to: list[SendOutcome] = []
    rules = load_rules(default_rules_path())
    Replay(rules, made.append, outcome=led_to.append, grace_ms=GRACE_MS).run(read_arrivals(lines))
    return (
        [json.loads(encode.written(each)[0]) for each in made],
        [json.loads(encode.written_outcome(each)) for each in led_to],
    )


def expected_of(lines: list[bytes]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The same in order, of a history that puts everything to the test."""
    made, led_to = backtest(lines)
    assert len(made) > 200
    assert {"opened", "clicked", "conversion", "recovery"} <= {each["kind"] for each in led_to}
    return in_order(made), in_order(led_to)


REHEARSAL = {
    "TRIGGER_CLOCK": "records",
    # a machine so busy that a topic is read later than this would hear of opens before sends
    "TRIGGER_MAX_IDLE": "3s",
    "TRIGGER_GRACE": f"{GRACE_MS}ms",
    "TRIGGER_RULES": str(default_rules_path()),
}


def test_a_rehearsal_decides_what_the_backtest_decides(instance: Instance) -> None:
    """The same history, over Kafka by the records' clock and in memory: the same decisions, and
    the same outcomes.
    """
    lines = history()
    expected, led_to = expected_of(lines)
    with instance.worker(**REHEARSAL) as worker:
        worker.wait_until_ready()
        assert publish(instance.wire.settings, lines, timestamps="occurred_at").bad == 0
        wait_for("all", lambda: worker.metric("trigger_events_total") == len(lines))
        found = instance.wire.wait_for_values("decisions", len(expected))
        outcomes = instance.wire.wait_for_values("outcomes", len(led_to))
        assert worker.stop() == 0, worker.log
    assert in_order(found) == expected
    assert in_order(outcomes) == led_to


def without_repeats(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In order already, a repeat of the same verdict or outcome left out."""
    return [each for place, each in enumerate(made) if place == 0 or each != made[place - 1]]


@pytest.mark.parametrize(
    ("broker", "guarantee"),
    [("embedded", "at_least_once"), ("kafka", "exactly_once")],
    indirect=["broker"],
)
def test_a_rehearsal_killed_in_between_still_decides_the_same(
    instance: Instance, guarantee: str
) -> None:
    """After a SIGKILL decisions and outcomes are the backtest's; at least once may repeat one."""
    lines = history()
    expected, led_to = expected_of(lines)
    variables = REHEARSAL | {"TRIGGER_GUARANTEE": guarantee}

    def found(topic: str) -> list[dict[str, Any]]:
        made = in_order(instance.wire.values(topic))
        return made if guarantee == "exactly_once" else without_repeats(made)

    assert publish(instance.wire.settings, lines, timestamps="occurred_at").bad == 0
    with instance.worker(**variables, TRIGGER_MAX_POLL_RECORDS="20") as worker:
        wait_for("some", lambda: worker.metric("trigger_events_total") > 150)
        worker.kill()
    with instance.worker(**variables) as worker:
        wait_for("the rest", lambda: worker.metric("trigger_events_total") > 0)
        wait_for("all", lambda: len(found("decisions")) >= len(expected))
        wait_for("outcomes", lambda: len(found("outcomes")) >= len(led_to))
        assert worker.stop() == 0, worker.log
    assert found("decisions") == expected
    assert found("outcomes") == led_to


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_rehearsal_that_has_read_everything_ends_after_a_restart(instance: Instance) -> None:
    """Where it ends is read from the topics: not from what this process has read of them."""
    ids = [f"c{number}" for number in range(8)]
    start_ms = 1_767_225_600_000
    lines = [line("profiles", each, "profile_updated", start_ms, email=f"{each}@x") for each in ids]
    lines += [line("orders", each, "cart_updated", start_ms + 1, cart_id="k") for each in ids]
    lines.append(line("orders", "zoe", "product_viewed", start_ms + 3_600_000))
    assert publish(instance.wire.settings, lines, timestamps="occurred_at").bad == 0
    variables = {"TRIGGER_CLOCK": "records", "TRIGGER_MAX_IDLE": "2s"}
    with instance.worker(**variables) as worker:
        wait_for("all", lambda: worker.metric("trigger_events_total") == len(lines))
        worker.kill()
    with instance.worker(**variables) as worker:
        worker.wait_until_ready()
        wait_for("carts", lambda: worker.metric("trigger_timers_pending") == 0)
        requests = instance.wire.values("dispatch")
        assert worker.stop() == 0, worker.log
    assert {each["customer_id"] for each in requests} == set(ids)


def test_a_rehearsal_ends_where_another_worker_has_the_newest_record(
    instance: Instance, tmp_path: Path
) -> None:
    """Two workers with half of the partitions each; the one without it fires its timers, too."""
    ids = [f"c{number}" for number in range(24)]
    start_ms = 1_767_225_600_000
    lines = [line("profiles", each, "profile_updated", start_ms, email=f"{each}@x") for each in ids]
    lines += [line("orders", each, "cart_updated", start_ms + 1, cart_id="k") for each in ids]
    lines.append(line("orders", "zoe", "product_viewed", start_ms + 3_600_000))

    def worker(name: str) -> RunningWorker:
        return instance.worker(
            TRIGGER_CLOCK="records",
            TRIGGER_MAX_IDLE="2s",
            TRIGGER_INSTANCE_ID=f"rehearsal-{name}",
            TRIGGER_DATA_DIR=str(tmp_path / name),
        )

    with worker("a") as first:
        # The embedded broker may give one of two that join at once an assignment that is none.
        first.wait_until_ready()
        with worker("b") as second:
            both = (first, second)
            half = instance.wire.settings.partitions // 2
            wait_for("half for each", lambda: all(len(partitions(each)) == half for each in both))
            assert publish(instance.wire.settings, lines, timestamps="occurred_at").bad == 0
            requests = instance.wire.wait_for_values("dispatch", 2 * len(ids))
            wait_for("timers of both", lambda: all(timers_fired(each) > 0 for each in both))
            for each in both:
                assert each.stop() == 0, each.log
    assert Counter(each["customer_id"] for each in requests) == dict.fromkeys(ids, 2)


def timers_fired(worker: RunningWorker) -> float:
    """How many the worker says, once the unit that fired them is done."""
    return worker.metric("trigger_timers_fired_total")


def line(topic: str, customer_id: str, type: str, at_ms: int, **data: Any) -> bytes:
    """A line as ``triggers publish`` takes it."""
    value = {
        "event_id": f"{type}-{customer_id}",
        "type": type,
        "customer_id": customer_id,
        "occurred_at": at_ms,
        "data": data,
    }
    return json.dumps({"topic": topic, "key": customer_id, "value": value}).encode()
