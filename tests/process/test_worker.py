"""A worker against a real broker: what it promises while nothing goes wrong."""

from app.kafka.partitioning import partition_for
from tests.process.conftest import Instance
from tests.process.running import wait_for


def test_decides_dispatches_commits_and_stops(instance: Instance) -> None:
    """Events become decisions and requests on the customer's partition; SIGTERM ends with 0."""
    wire = instance.wire
    ids = instance.customers(10)
    for customer_id in ids:
        wire.event("orders", customer_id, "order_placed", {"value": 5})
    wire.flush()
    with instance.worker() as worker:
        requests = wire.wait_for_values("dispatch", 10)
        assert {request["customer_id"] for request in requests} == set(ids)
        assert {request["address"] for request in requests} == {f"{id}@example.org" for id in ids}
        for message in wire.read("dispatch") + wire.read("decisions"):
            assert message.partition() == partition_for(message.key() or b"", wire.partitions)
        worker.wait_until_ready()
        assert worker.metric("trigger_events_total", topic="orders", outcome="applied") == 10
        assert worker.metric("trigger_decisions_total", trigger="order_placed") == 10
        assert worker.metric("trigger_customers") == 10
        assert worker.get("/live")[0] == worker.get("/startup")[0] == 200
        assert worker.stop() == 0, worker.log
        assert "stop took too long" not in worker.log
    assert wire.committed() == {"orders": 10, "profiles": 10, "bookings": 0, "engagement": 0}
    assert len(wire.values("dispatch")) == 10


def test_timers_fire_without_further_input(instance: Instance) -> None:
    """The punctuator fires what is due, in time, and a cancel stops what is not."""
    wire = instance.wire
    ids = instance.customers(6)
    with instance.worker() as worker:
        worker.wait_until_ready()
        for customer_id in ids:
            wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
        wire.event("orders", ids[0], "order_placed")
        wire.flush()
        wait_for("timers", lambda: worker.metric("trigger_timers_fired_total") == 5)
        decisions = wire.wait_for_values("decisions", 6)
        carts = [each for each in decisions if each["trigger"] == "cart_abandoned"]
        assert {each["customer_id"] for each in carts} == set(ids[1:])
        assert worker.metric("trigger_timers_pending") == 5
        wait_for(
            "a watermark that follows", lambda: worker.metric("trigger_watermark_age_seconds") < 8.0
        )


def test_dead_letters_keep_the_record_and_the_stream_goes_on(instance: Instance) -> None:
    """One bad record among good ones: it alone is set aside, whole, with the reason."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    key = customer_id.encode()
    wire.record("orders", key, b"not json", headers=[("from", b"a test")])
    wire.event("orders", customer_id, "cart_updated", {})
    wire.event("orders", customer_id, "never_heard_of")
    wire.event("orders", customer_id, "order_placed", event_id="good")
    wire.event("orders", customer_id, "order_placed", event_id="good")
    wire.flush()
    with instance.worker() as worker:
        wire.wait_for_values("dispatch", 1)
        dead = wire.read("dead-letters")
        assert dead[0].value() == b"not json"
        assert dead[0].key() == key
        headers = dict(dead[0].headers() or [])
        assert headers["from"] == b"a test"
        assert headers["trigger-source-topic"] == wire.settings.topic("orders").encode()
        assert headers["trigger-source-offset"] == b"0"
        assert headers["trigger-error-reason"] == b"not_json"
        assert dict(dead[1].headers() or [])["trigger-error-reason"] == b"missing_key"
        worker.wait_until_ready()
        assert worker.metric("trigger_dead_letters_total", topic="orders") == 2
        assert worker.metric("trigger_duplicates_total") == 1
        assert worker.metric("trigger_events_total", outcome="unknown") == 1
        assert worker.stop() == 0
    assert wire.committed()["orders"] == 5


def test_a_record_on_the_wrong_partition_is_sent_to_its_own(instance: Instance) -> None:
    """It is never handled against the state of a partition that is not its customer's."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    wrong = (partition_for(customer_id.encode(), wire.partitions) + 1) % wire.partitions
    wire.event("orders", customer_id, "order_placed", partition=wrong)
    wire.flush()
    with instance.worker() as worker:
        (request,) = wire.wait_for_values("dispatch", 1)
        assert request["address"] == f"{customer_id}@example.org"
        worker.wait_until_ready()
        assert worker.metric("trigger_misrouted_events_total", topic="orders") == 1
        assert worker.metric("trigger_customers") == 1


def test_a_burst_of_one_customer_is_no_record_too_large(instance: Instance) -> None:
    """What a unit says of one customer waits in their record; a broker takes 1 MB at most."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    for _ in range(1200):
        wire.event("orders", customer_id, "order_placed", {"value": 1})
    wire.flush()
    with instance.worker() as worker:
        wait_for("all", lambda: worker.metric("trigger_events_total") == 1201)
        assert len(wire.wait_for_values("dispatch", 1600)) == 1600
        assert worker.stop() == 0, worker.log


def test_a_bug_stops_the_worker_and_commits_nothing_of_the_batch(instance: Instance) -> None:
    """Exit 1; the worker after it reads the event again."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    event_id = wire.event("orders", customer_id, "order_placed")
    wire.flush()
    with instance.worker(FAIL_ON=event_id) as worker:
        assert worker.wait() == 1
        assert "ZeroDivisionError" in worker.log
    assert wire.committed()["orders"] == 0
    assert wire.values("dispatch") == []
    with instance.worker():
        (request,) = wire.wait_for_values("dispatch", 1)
    assert request["cause"]["event_id"] == event_id


def test_input_topics_must_agree(instance: Instance) -> None:
    """A missing input topic is named, and nothing starts."""
    with instance.worker(TRIGGER_TOPIC_BOOKINGS="nowhere") as worker:
        assert worker.wait() == 2
        assert "nowhere" in worker.log
