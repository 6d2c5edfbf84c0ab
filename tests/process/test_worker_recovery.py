"""At least once: a worker that dies and comes back loses nothing and applies nothing twice."""

import shutil
from collections import Counter
from typing import Any

import pytest

from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for

pytestmark = pytest.mark.soak
CUSTOMERS = 5
ORDERS = 4
AT_LEAST_ONCE = {"TRIGGER_GUARANTEE": "at_least_once"}


def publish_orders(wire: Wire, ids: list[str]) -> None:
    for _ in range(ORDERS):
        for customer_id in ids:
            wire.event("orders", customer_id, "order_placed", {"value": 1})
    wire.flush()


def assert_as_if_nothing_had_happened(requests: list[dict[str, Any]], ids: list[str]) -> None:
    """One request per order and one per third order, however often each was sent."""
    by_id = {request["request_id"]: request for request in requests}
    kinds = Counter((each["customer_id"], each["trigger"]) for each in by_id.values())
    expected = {(customer_id, "order_placed"): ORDERS for customer_id in ids}
    expected |= {(customer_id, "third_order"): ORDERS // 3 for customer_id in ids}
    assert dict(kinds) == expected


def wait_for_requests(wire: Wire, ids: list[str]) -> list[dict[str, Any]]:
    """All different requests that are expected, and then every record on the topic."""
    expected = len(ids) * (ORDERS + ORDERS // 3)
    wait_for(
        f"{expected} requests",
        lambda: len({each["request_id"] for each in wire.values("dispatch")}) >= expected,
    )
    return wire.values("dispatch")


@pytest.mark.parametrize(
    ("at", "wiped"),
    [("before 3", True), ("after 3", False), ("after 5", True), ("after 6", False)],
)
def test_a_kill_between_effects_loses_and_repeats_nothing(
    instance: Instance, at: str, wiped: bool
) -> None:
    """SIGKILL around an effect of the third unit; the next worker makes everything whole."""
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)
    publish_orders(wire, ids)
    with instance.worker(**AT_LEAST_ONCE, CRASH_AT=f"{at} skip 2") as worker:
        assert worker.wait() == -9
    if wiped:
        shutil.rmtree(instance.data_dir)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        wait_for("commit", lambda: wire.committed()["orders"] == CUSTOMERS * ORDERS)
        requests = wait_for_requests(wire, ids)
        assert worker.stop() == 0, worker.log
    assert_as_if_nothing_had_happened(requests, ids)


@pytest.mark.parametrize("wiped", [False, True], ids=["same volume", "wiped volume"])
def test_a_timers_send_survives_a_kill_before_it_was_produced(
    instance: Instance, wiped: bool
) -> None:
    """No event is read again for it: the outbox in the changelog is all there is."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    instance.leave_cart(customer_id, **AT_LEAST_ONCE)
    assert wire.committed()["orders"] == 1
    with instance.worker(**AT_LEAST_ONCE, CRASH_AT="after 3") as worker:
        assert worker.wait() == -9
    assert wire.values("dispatch") == []
    if wiped:
        shutil.rmtree(instance.data_dir)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        assert wire.wait_for_values("dispatch", 1)[0]["trigger"] == "cart_abandoned"
        assert worker.stop() == 0


@pytest.mark.parametrize("wiped", [False, True], ids=["same volume", "wiped volume"])
def test_pending_timers_survive_a_kill(instance: Instance, wiped: bool) -> None:
    """The index of timers is there again, from disk or from the changelog, and fires once."""
    wire = instance.wire
    ids = instance.customers(8)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        worker.wait_until_ready()
        for customer_id in ids:
            wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
        wire.flush()
        wait_for("carts", lambda: worker.metric("trigger_timers_fired_total") == 8)
        worker.kill()
    if wiped:
        shutil.rmtree(instance.data_dir)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        worker.wait_until_ready()
        assert worker.metric("trigger_customers") == 8
        wait_for("late carts", lambda: worker.metric("trigger_timers_fired_total") == 8)
        requests = wire.wait_for_values("dispatch", 16)
        assert worker.metric("trigger_timers_pending") == 0
        assert worker.stop() == 0
    by_id = {request["request_id"]: request["trigger"] for request in requests}
    assert Counter(by_id.values()) == {"cart_abandoned": 8, "late_cart": 8}


def test_a_clean_stop_repeats_nothing(instance: Instance) -> None:
    """After SIGTERM the next worker neither reads nor sends anything again, volume or not."""
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)
    publish_orders(wire, ids)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        wait_for_requests(wire, ids)
        assert worker.stop() == 0
    shutil.rmtree(instance.data_dir)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        worker.wait_until_ready()
        wire.event("orders", ids[0], "order_placed")
        wire.flush()
        requests = wire.wait_for_values("dispatch", CUSTOMERS * (ORDERS + ORDERS // 3) + 1)
        assert worker.metric("trigger_outboxes_resent_total") == 0
        assert worker.stop() == 0
    assert len(requests) == len({request["request_id"] for request in requests})


def test_a_changelog_of_one_record_is_recovered(instance: Instance) -> None:
    """At offset 0, into an empty database: nothing of it is taken for applied."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        wait_for("commit", lambda: wire.committed()["profiles"] == 1)
        worker.kill()
    assert [message.offset() for message in wire.read(wire.settings.changelog_topic)] == [0]
    shutil.rmtree(instance.data_dir)
    with instance.worker(**AT_LEAST_ONCE) as worker:
        worker.wait_until_ready()
        assert worker.metric("trigger_customers") == 1
        wire.event("orders", customer_id, "order_placed")
        wire.flush()
        assert wire.wait_for_values("dispatch", 1)[0]["channel"] == "email"
        assert worker.stop() == 0, worker.log
