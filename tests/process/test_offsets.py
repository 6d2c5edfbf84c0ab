"""What is asked of the broker about offsets, while transactions are open.

On Apache Kafka only: the embedded broker takes offsets under any generation of the group.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from faust.types import TP

from app.core.errors import InfrastructureError
from app.kafka import topics
from app.kafka.clients import consumer_config, transactional_config
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.consumer_group import NO_MEMBER, GroupMembership
from app.settings.model import Settings
from tests.process.running import wait_for

pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)

PLACE = 0
ACCEPT_S = 10.0


@pytest.fixture
def member(settings: Settings) -> Iterator[Consumer]:
    """A member of the group, the only one, in its first generation."""
    topics.create(settings)
    consumer = Consumer(consumer_config(settings))
    consumer.subscribe([settings.topic("orders")])
    try:
        wait_for("assignment", lambda: consumer.poll(0.1) or consumer.assignment())
        yield consumer
    finally:
        consumer.close()


@pytest.fixture
def producer(settings: Settings) -> Producer:
    """Ready to begin a transaction."""
    producer = Producer(transactional_config(settings))
    producer.init_transactions(30)
    return producer


def membership_of(consumer: Consumer) -> GroupMembership:
    """What librdkafka says of itself, in the layout that ``GroupMembership.metadata`` writes."""
    written = consumer.consumer_group_metadata()
    generation = int.from_bytes(written[7:11], "little", signed=True)
    _, member_id, _ = written[11:].split(b"\0", 2)
    return GroupMembership(generation, member_id.decode())


def begin(producer: Producer, settings: Settings, membership: GroupMembership, offset: int) -> None:
    """A transaction with one record and one offset in it."""
    producer.begin_transaction()
    producer.produce(settings.changelog_topic, b"value", b"key", partition=PLACE)
    assert producer.flush(ACCEPT_S) == 0
    producer.send_offsets_to_transaction(
        [TopicPartition(settings.topic("orders"), PLACE, offset)],
        membership.metadata(settings.app_id),
        ACCEPT_S,
    )


def test_group_metadata_is_written_as_the_client_writes_it(
    settings: Settings, member: Consumer
) -> None:
    """Our bytes equal those of the client library."""
    assert membership_of(member).metadata(settings.app_id) == member.consumer_group_metadata()


def test_only_the_current_generation_and_member_commit(
    settings: Settings, member: Consumer, producer: Producer
) -> None:
    """A stale generation, and another member of the current one, are refused by the broker."""
    now = membership_of(member)
    for stale, error in (
        (now._replace(generation=now.generation - 1), "ILLEGAL_GENERATION"),
        (now._replace(member_id="another"), "UNKNOWN_MEMBER_ID"),
    ):
        with pytest.raises(KafkaException) as caught:
            begin(producer, settings, stale, 3)
        assert caught.value.args[0].name() == error
        assert caught.value.args[0].txn_requires_abort()
        producer.abort_transaction(ACCEPT_S)
    begin(producer, settings, now, 3)
    producer.commit_transaction(ACCEPT_S)
    with pytest.raises(InfrastructureError, match="must not commit"):
        NO_MEMBER.metadata(settings.app_id)


@pytest.mark.parametrize("commits", [True, False], ids=["committed", "aborted"])
def test_offsets_are_known_once_open_transactions_have_ended(
    settings: Settings, member: Consumer, producer: Producer, commits: bool
) -> None:
    """Until then nothing is; the end of the log counts what is not committed from the start."""
    offsets = BrokerOffsets(settings)
    orders = TP(settings.topic("orders"), PLACE)
    changelog = TP(settings.changelog_topic, PLACE)
    begin(producer, settings, membership_of(member), 3)
    producer.commit_transaction(ACCEPT_S)
    begin(producer, settings, membership_of(member), 4)

    async def ask() -> dict[TP, int]:
        asked = asyncio.ensure_future(offsets.committed([orders]))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asked), 1.0)
        assert not asked.done()
        assert await offsets.ends([changelog]) == {changelog: 3}
        await asyncio.to_thread(
            producer.commit_transaction if commits else producer.abort_transaction, ACCEPT_S
        )
        return await asked

    assert asyncio.run(ask()) == {orders: 4 if commits else 3}


def test_partitions_without_offsets_are_left_out(settings: Settings) -> None:
    """A group that does not exist yet has none."""
    topics.create(settings)
    asked = [TP(settings.topic("orders"), number) for number in range(settings.partitions)]
    assert asyncio.run(BrokerOffsets(settings).committed(asked)) == {}
    assert asyncio.run(BrokerOffsets(settings).committed([])) == {}
