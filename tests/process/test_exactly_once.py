"""Exactly once: what read-committed readers of the outputs see, whatever dies."""

import shutil
from collections import Counter
from typing import Any

import pytest

from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for

pytestmark = [pytest.mark.soak, pytest.mark.parametrize("broker", ["kafka"], indirect=True)]

CUSTOMERS = 5
#: every numbered effect of app/live/commit/exactly_once.py
POINTS = [f"{when} {number}" for number in range(1, 9) for when in ("before", "after")]
EXACTLY_ONCE = {"TRIGGER_GUARANTEE": "exactly_once"}
AT_LEAST_ONCE = {"TRIGGER_GUARANTEE": "at_least_once"}


def publish_orders(wire: Wire, ids: list[str]) -> None:
    """One of each customer."""
    for customer_id in ids:
        wire.event("orders", customer_id, "order_placed", {"value": 1})
    wire.flush()


def expected(ids: list[str], orders: int) -> dict[tuple[str, str], int]:
    """How often each customer gets what, after so many orders of each: not once more."""
    return {(customer_id, "order_placed"): orders for customer_id in ids} | {
        (customer_id, "third_order"): orders // 3 for customer_id in ids if orders >= 3
    }


def seen(wire: Wire, topic: str) -> dict[tuple[str, str], int]:
    """How often each customer got what, repeats counted."""
    values = wire.values(topic)
    ids = [each["request_id"] for each in values]
    assert len(set(ids)) == len(ids)
    return Counter((each["customer_id"], each["trigger"]) for each in values)


def assert_once(wire: Wire, ids: list[str], orders: int) -> None:
    """Dispatch and decisions have what is expected, each once."""
    wanted = expected(ids, orders)
    wait_for("all requests", lambda: sum(seen(wire, "dispatch").values()) >= sum(wanted.values()))
    assert seen(wire, "dispatch") == wanted
    assert seen(wire, "decisions") == wanted


def test_kills_at_every_effect_lose_and_repeat_nothing(instance: Instance) -> None:
    """One worker after the other is killed, each at the next point, with new orders to handle;
    every second one leaves no volume.
    """
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)
    for number, point in enumerate(POINTS):
        publish_orders(wire, ids)
        with instance.worker(**EXACTLY_ONCE, CRASH_AT=point) as worker:
            assert worker.wait(40) == -9, worker.log
        seen(wire, "dispatch")
        if number % 2:
            shutil.rmtree(instance.data_dir, ignore_errors=True)
    with instance.worker(**EXACTLY_ONCE) as worker:
        assert_once(wire, ids, len(POINTS))
        publish_orders(wire, ids)
        assert_once(wire, ids, len(POINTS) + 1)
        assert worker.metric("trigger_customers") == CUSTOMERS
        assert worker.metric("trigger_transactions_total", outcome="committed") >= 2
        assert worker.stop() == 0, worker.log


@pytest.mark.parametrize("at", ["before 6", "after 6"])
def test_a_timers_send_is_there_once_after_a_kill(instance: Instance, at: str) -> None:
    """No source offset goes with it: the state alone says whether it was sent."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    instance.leave_cart(customer_id, **EXACTLY_ONCE)
    with instance.worker(**EXACTLY_ONCE, CRASH_AT=at) as worker:
        assert worker.wait(40) == -9
    if at == "before 6":
        assert wire.values("dispatch") == []
    with instance.worker(**EXACTLY_ONCE) as worker:
        worker.wait_until_ready()
        wait_for("timers", lambda: len(wire.values("dispatch")) == 2)
        assert worker.stop() == 0
    triggers = [each["trigger"] for each in wire.values("dispatch")]
    assert sorted(triggers) == ["cart_abandoned", "late_cart"]


def test_a_clean_stop_and_an_idle_start_repeat_nothing(instance: Instance) -> None:
    """With and without the volume; and nothing is committed that was not read."""
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)
    publish_orders(wire, ids)
    for _ in range(2):
        with instance.worker(**EXACTLY_ONCE) as worker:
            assert_once(wire, ids, 1)
            wait_for("idle", lambda: worker.metric("trigger_transactions_total") > 0)
            assert worker.stop() == 0, worker.log
        shutil.rmtree(instance.data_dir)
    assert wire.committed()["orders"] == CUSTOMERS


def test_units_of_several_partitions_share_transactions(instance: Instance) -> None:
    """Timers of all partitions are due at once: fewer transactions than units."""
    wire = instance.wire
    ids = instance.customers(40)
    with instance.worker(**EXACTLY_ONCE) as worker:
        worker.wait_until_ready()
        for _ in range(5):
            publish_orders(wire, ids)
        assert_once(wire, ids, 5)
        units = worker.metric("trigger_batch_duration_seconds_count", phase="effects")
        assert worker.metric("trigger_transactions_total", outcome="committed") < units
        assert worker.metric("trigger_transaction_duration_seconds_count") < units
        assert worker.stop() == 0


@pytest.mark.parametrize(("at", "wiped"), [("after 3", True), ("after 5", False)])
def test_the_guarantee_can_change_over_the_same_state(
    instance: Instance, at: str, wiped: bool
) -> None:
    """At least once leaves outboxes behind: exactly once sends them, once, and so on and back."""
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)

    def wipe() -> None:
        if wiped:
            shutil.rmtree(instance.data_dir, ignore_errors=True)

    publish_orders(wire, ids)
    with instance.worker(**AT_LEAST_ONCE, CRASH_AT=f"{at} skip 1") as worker:
        assert worker.wait(40) == -9
    wipe()
    with instance.worker(**EXACTLY_ONCE) as worker:
        wait_for("orders", lambda: distinct(wire) == expected(ids, 1))
        wait_for("seal", lambda: worker.metric("trigger_transactions_total") > 0)
        worker.kill()
    requests = wire.values("dispatch")
    # What had been sent when at_least_once died may be sent again, once.
    assert len(requests) <= 2 * CUSTOMERS
    for guarantee in (EXACTLY_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE):
        wipe()
        before = len(wire.values("dispatch"))
        publish_orders(wire, ids)
        with instance.worker(**guarantee) as worker:
            wire.wait_for_values("dispatch", before + CUSTOMERS)
            wait_for("commit", lambda: worker.metric("trigger_buffered_records") == 0)
            assert worker.stop() == 0, worker.log
    assert distinct(wire) == expected(ids, 4)
    times = Counter(each["request_id"] for each in wire.values("dispatch"))
    first = {each["request_id"] for each in requests}
    assert all(times[each] <= 2 for each in first)
    assert all(count == 1 for each, count in times.items() if each not in first)


def distinct(wire: Wire) -> dict[tuple[str, str], int]:
    """How often each customer got what, repeats of one request left out."""
    by_id: dict[str, dict[str, Any]] = {
        each["request_id"]: each for each in wire.values("dispatch")
    }
    return Counter((each["customer_id"], each["trigger"]) for each in by_id.values())
