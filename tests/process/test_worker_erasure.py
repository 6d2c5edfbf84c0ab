"""A null profile: what is left of the customer, and that nothing comes back."""

import shutil
import time

import pytest

from app.core.customer.record import Customer
from tables import records
from tables.layout import record_of
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, Wire, wait_for

#: So long that no worker of a test commits.
NEVER = {"TRIGGER_GUARANTEE": "at_least_once", "TRIGGER_COMMIT_INTERVAL": "1d"}


def last_value(wire: Wire, customer_id: str) -> bytes | None:
    """The customer's entry as a compacted changelog has it."""
    return [
        message.value()
        for message in wire.read(wire.settings.changelog_topic)
        if message.key() == customer_id.encode()
    ][-1]


def test_erasure_leaves_a_tombstone_and_starts_afresh(instance: Instance) -> None:
    """A null profile removes record and timers; what comes later is of a stranger.

    Until then the changelog has of the customer what was applied, and nothing else.
    """
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    with instance.worker() as worker:
        worker.wait_until_ready()
        wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
        wire.flush()
        wait_for("timers", lambda: worker.metric("trigger_timers_pending") == 2)
        wire.record("profiles", customer_id.encode(), None)
        wire.flush()
        wait_for("erasure", lambda: worker.metric("trigger_customers") == 0 and worker.log)
        assert worker.metric("trigger_timers_pending") == 0
        left = last_record(wire, customer_id)
        assert left == Customer(
            customer_id=customer_id,
            applied={"profiles": 1, "orders": 0},
            erased_ms=left.erased_ms,
        )
        wire.event("orders", customer_id, "order_placed")
        wire.flush()
        (decision,) = wire.wait_for_values("decisions", 1)
        assert decision["reason"] == "reach"
        assert worker.stop() == 0
    assert last_record(wire, customer_id).counts == {"order_placed": 1}


def last_record(wire: Wire, customer_id: str) -> Customer:
    """The record in it."""
    return records.decode(record_of(last_value(wire, customer_id) or b""))


@pytest.mark.parametrize("wiped", [False, True], ids=["same volume", "wiped volume"])
def test_what_is_read_again_after_a_crash_does_not_bring_the_customer_back(
    instance: Instance, wiped: bool
) -> None:
    """Neither events from before the erasure nor the erasure itself have an effect again."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    for _ in range(3):
        wire.event("orders", customer_id, "order_placed", {"value": 1})
    wire.flush()

    def has_handled(worker: RunningWorker, outcome: str, count: int) -> None:
        wait_for(
            outcome,
            lambda: worker.metric("trigger_events_total", outcome=outcome) == count,
        )

    with instance.worker(**NEVER) as worker:
        has_handled(worker, "applied", 4)
        wire.record("profiles", customer_id.encode(), None)
        wire.flush()
        has_handled(worker, "erased", 1)
        worker.kill()
    requests = wire.values("dispatch")
    assert len(requests) == 4
    assert sum(wire.committed().values()) == 0
    if wiped:
        shutil.rmtree(instance.data_dir)
    with instance.worker(**NEVER) as worker:
        has_handled(worker, "skipped", 5)
        assert worker.metric("trigger_customers") == 0
        wire.event("orders", customer_id, "order_placed", {"value": 1})
        wire.flush()
        has_handled(worker, "applied", 1)
        worker.kill()
    with instance.worker() as worker:
        has_handled(worker, "skipped", 6)
        assert worker.metric("trigger_customers") == 1
        assert worker.stop() == 0, worker.log
    record = last_record(wire, customer_id)
    assert (record.counts, record.profile) == ({"order_placed": 1}, {})
    assert {each["request_id"] for each in wire.values("dispatch")} == {
        each["request_id"] for each in requests
    }


def test_decisions_of_the_batch_go_out_before_the_customer_is_erased(instance: Instance) -> None:
    """They are not in the tombstone, and they are not lost."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    for publish in (
        lambda: wire.event("orders", customer_id, "order_placed", {"value": 1}),
        lambda: wire.record("profiles", customer_id.encode(), None),
    ):
        time.sleep(0.01)  # their timestamps differ
        publish()
    wire.flush()
    with instance.worker() as worker:
        wait_for("erasure", lambda: worker.metric("trigger_events_total", outcome="erased") == 1)
        (request,) = wire.wait_for_values("dispatch", 1)
        assert request["address"] == f"{customer_id}@example.org"
        assert worker.stop() == 0, worker.log
    left = last_record(wire, customer_id)
    assert left == Customer(
        customer_id=customer_id, applied={"profiles": 1, "orders": 0}, erased_ms=left.erased_ms
    )


def test_a_tombstone_goes_when_it_ended(instance: Instance) -> None:
    """Then a null value is all that the changelog has; an unknown customer leaves no more."""
    wire = instance.wire
    ids = [*instance.customers(2), "nobody"]
    for customer_id in ids[1:]:
        wire.record("profiles", customer_id.encode(), None)
    wire.flush()
    with instance.worker(TOMBSTONE_MS="1500") as worker:
        wait_for("erasure", lambda: worker.metric("trigger_events_total", outcome="erased") == 2)
        assert last_record(wire, "nobody").applied
        wait_for("the end", lambda: [last_value(wire, each) for each in ids[1:]] == [None, None])
        assert worker.metric("trigger_customers") == 1
        assert worker.stop() == 0, worker.log
    assert last_record(wire, ids[0]).profile != {}
