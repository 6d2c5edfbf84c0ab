"""A trace goes through a live worker: from the event to what is sent because of it."""

import shutil
import time

import pytest
from confluent_kafka import Message

from tests.process.conftest import Instance
from tests.process.running import Headers, wait_for

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def context_of(message: "Message[bytes, bytes]") -> bytes | None:
    """The message's one trace context; it must have no other header."""
    headers = dict(message.headers() or [])
    assert headers.keys() <= {"traceparent"}
    context = headers.get("traceparent")
    assert not isinstance(context, str)
    return context


def test_a_trace_reaches_decisions_and_requests(instance: Instance) -> None:
    """At once, and with the reminder that a timer sends; an event without a trace gives none."""
    wire = instance.wire
    traced, other, plain = instance.customers(3)
    with instance.worker() as worker:
        worker.wait_until_ready()
        header = ("traceparent", CONTEXT.encode())
        cart, now_ms = {"cart_id": "k"}, int(time.time() * 1000)
        wire.event("orders", traced, "cart_updated", cart, headers=[header])
        # a later start replaces the anchor, and with it the trace
        first_ms = now_ms - 100
        wire.event("orders", other, "cart_updated", cart, headers=[header], occurred_ms=first_ms)
        later: Headers = [("traceparent", OTHER.encode()), ("from", b"a test")]
        wire.event("orders", other, "cart_updated", cart, headers=later, occurred_ms=now_ms)
        wire.event("orders", plain, "order_placed")
        wire.flush()
        wire.wait_for_values("dispatch", 3)
        expected = {traced: CONTEXT.encode(), other: OTHER.encode(), plain: None}
        for topic in ("dispatch", "decisions"):
            found = {(each.key() or b"").decode(): context_of(each) for each in wire.read(topic)}
            assert found == expected


@pytest.mark.parametrize(
    ("broker", "guarantee", "at", "wiped"),
    [
        ("embedded", "at_least_once", "after 3", True),
        ("kafka", "exactly_once", "before 6", False),
    ],
    indirect=["broker"],
)
def test_a_trace_survives_a_kill_before_its_request_was_produced(
    instance: Instance, guarantee: str, at: str, wiped: bool
) -> None:
    """It is in the record while the timer waits; after that at_least_once has it in the outbox."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    header = ("traceparent", CONTEXT.encode())
    with instance.worker() as worker:
        worker.wait_until_ready()
        wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"}, headers=[header])
        wire.flush()
        wait_for("cart", lambda: worker.metric("trigger_timers_pending") == 2)
        assert worker.stop() == 0
    with instance.worker(TRIGGER_GUARANTEE=guarantee, CRASH_AT=at) as worker:
        assert worker.wait() == -9
    assert wire.values("dispatch") == []
    if wiped:
        shutil.rmtree(instance.data_dir)
    with instance.worker(TRIGGER_GUARANTEE=guarantee):
        wire.wait_for_values("dispatch", 1)
        assert {context_of(each) for each in wire.read("dispatch")} == {CONTEXT.encode()}
        assert {context_of(each) for each in wire.read("decisions")} == {CONTEXT.encode()}
