"""A worker that comes back to a Kafka which has lost input, or its state."""

import shutil
import signal
from concurrent.futures import Future

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from app.kafka import topics
from app.kafka.clients import admin_config
from tests.process.conftest import Instance
from tests.process.running import DEADLINE_S, wait_for

pytestmark = [pytest.mark.soak, pytest.mark.parametrize("broker", ["kafka"], indirect=True)]
CUSTOMERS = 6
ORDERS = 60
#: one for each order, and one for each customer's every third
REQUESTS = ORDERS + CUSTOMERS * (ORDERS // CUSTOMERS // 3)


def publish(instance: Instance, ids: list[str]) -> None:
    for number in range(ORDERS):
        instance.wire.event("orders", ids[number % len(ids)], "order_placed", {"value": 1})
    instance.wire.flush()


def done(*futures: "Future[object]") -> None:
    for future in futures:
        future.result(30)


def empty(instance: Instance, topic: str) -> None:
    """Delete all records of a topic, as retention does."""
    admin = AdminClient(admin_config(instance.wire.settings))
    # records of a topic that is only compacted cannot be deleted
    policy = ConfigEntry(
        "cleanup.policy", "compact,delete", incremental_operation=AlterConfigOpType.SET
    )
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[policy])
    done(*admin.incremental_alter_configs([changed]).values())
    places = [TopicPartition(topic, each, -1) for each in range(instance.wire.partitions)]
    done(*admin.delete_records(places).values())


def make_again(instance: Instance, topic: str) -> None:
    """Delete a topic and make it again."""
    settings = instance.wire.settings
    admin = AdminClient(admin_config(settings))
    done(*admin.delete_topics([topic]).values())
    wait_for("it to be gone", lambda: topic not in admin.list_topics(timeout=10).topics)
    topics.create(settings)


def decided(instance: Instance) -> list[str]:
    """Customers and orders decided; then the worker has stopped."""
    ids = instance.customers(CUSTOMERS)
    publish(instance, ids)
    with instance.worker() as worker:
        instance.wire.wait_for_values("dispatch", REQUESTS)
        assert worker.stop() == 0, worker.log
    return ids


def test_input_that_was_deleted_unread_is_counted(instance: Instance) -> None:
    """The worker says how much it was, and goes on with what comes."""
    ids = decided(instance)
    publish(instance, ids)
    empty(instance, instance.wire.settings.topic("orders"))
    with instance.worker() as worker:
        lost = "trigger_input_lost_records_total"
        wait_for("the count", lambda: worker.metric(lost, topic="orders") >= ORDERS)
        assert "input was deleted before it was read" in worker.log
        publish(instance, ids)
        instance.wire.wait_for_values("dispatch", 2 * REQUESTS)


def test_input_that_retention_takes_from_a_running_worker_is_counted_once(
    instance: Instance,
) -> None:
    """It has fallen behind; it goes on with what comes. What the broker had sent by then is not
    lost.
    """
    orders, lost = instance.wire.settings.topic("orders"), "trigger_input_lost_records_total"
    ids = instance.customers(CUSTOMERS)
    with instance.worker() as worker:
        publish(instance, ids)
        instance.wire.wait_for_values("dispatch", REQUESTS)
        wait_for("its offsets", lambda: instance.wire.committed()["orders"] == ORDERS)
        worker.process.send_signal(signal.SIGSTOP)
        publish(instance, ids)
        empty(instance, orders)
        worker.process.send_signal(signal.SIGCONT)
        wait_for("the count", lambda: worker.metric(lost, topic="orders") > 0)
        publish(instance, ids)

        def accounted() -> float:
            handled = worker.metric("trigger_events_total", topic="orders", outcome="applied")
            return handled + worker.metric(lost, topic="orders")

        wait_for("every order", lambda: accounted() >= 3 * ORDERS)
        instance.wire.wait_for_values("dispatch", 2 * REQUESTS)
        assert accounted() == 3 * ORDERS
        assert worker.stop() == 0, worker.log


def test_an_input_topic_made_again_under_a_running_worker_ends_it(instance: Instance) -> None:
    """It does not wait for ever at the old offset, and takes no new order for a known one."""
    orders = instance.wire.settings.topic("orders")
    ids = instance.customers(CUSTOMERS)
    with instance.worker() as worker:
        publish(instance, ids)
        instance.wire.wait_for_values("dispatch", REQUESTS)
        make_again(instance, orders)
        instance.wire.event("orders", ids[0], "order_placed", {"value": 1})
        instance.wire.flush()
        assert worker.wait(DEADLINE_S) == 1
        assert "input topics are shorter than what was read of them" in worker.log


@pytest.mark.parametrize("is_made_again", [False, True])
def test_a_changelog_that_was_emptied_stops_the_worker(
    instance: Instance, is_made_again: bool
) -> None:
    """It was the only copy; with the setting that allows it the worker starts from nothing, and
    what it writes then is state like any other.
    """
    ids = decided(instance)
    changelog = instance.wire.settings.changelog_topic
    if is_made_again:
        make_again(instance, changelog)
    else:
        empty(instance, changelog)
        shutil.rmtree(instance.data_dir)
    with instance.worker() as worker:
        assert worker.wait() == 1
        assert "state of customers whose events were read is gone" in worker.log
        assert "Traceback" not in worker.log
    with instance.worker(TRIGGER_ON_LOST_DATA="continue") as worker:
        worker.wait_until_ready()
        assert worker.metric("trigger_customers") == 0
        instance.customers(len(ids))
        publish(instance, ids)
        instance.wire.wait_for_values("dispatch", 2 * REQUESTS)
        assert worker.stop() == 0, worker.log
    shutil.rmtree(instance.data_dir)
    # on a new volume, from a changelog that begins later
    with instance.worker(TRIGGER_ON_LOST_DATA="continue") as worker:
        worker.wait_until_ready()
        assert worker.metric("trigger_customers") == len(ids)


def test_an_input_topic_made_again_is_not_waited_for(instance: Instance) -> None:
    """It ends before what was committed: the worker stops with that reason, or goes on if a setting
    allows it.
    """
    ids = decided(instance)
    make_again(instance, instance.wire.settings.topic("orders"))
    instance.wire.event("orders", ids[0], "order_placed", {"value": 1})
    instance.wire.flush()
    with instance.worker() as worker:
        assert worker.wait() == 1
        assert "input topics are shorter than what was read of them" in worker.log
