"""Lines onto a real broker: all or nothing, in order, where Java would put them."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from app.core.errors import ConfigError, InfrastructureError
from app.kafka.clients import consumer_config, watermarks
from app.kafka.partitioning import partition_for
from app.kafka.topics import create
from app.publish.publish import publish
from app.settings.load import load_settings
from app.settings.model import Settings


@pytest.fixture
def made(settings: Settings) -> Settings:
    """Settings whose topics exist."""
    create(settings)
    return settings


def record(number: int, customer: str = "c-1", **more: Any) -> bytes:
    """A line in record form; its value holds the number."""
    return orjson.dumps({"topic": "orders", "key": customer, "value": {"n": number}} | more)


def read(settings: Settings, name: str) -> Iterator[Message]:
    """Every record of the topic, partition by partition."""
    consumer = Consumer(consumer_config(settings))
    topic = settings.topic(name)
    try:
        for partition in range(settings.partitions):
            _, end = watermarks(consumer, TopicPartition(topic, partition), 5)
            consumer.assign([TopicPartition(topic, partition, 0)])
            for _ in range(end):
                message = consumer.poll(5)
                assert message is not None
                assert message.error() is None
                yield message
    finally:
        consumer.close()


def test_records_arrive_in_order_on_their_keys_partition(made: Settings) -> None:
    """With key, value, headers and timestamp; blank lines are skipped."""
    lines = [record(n, f"c-{n % 7}", timestamp=n + 1, headers={"n": str(n)}) for n in range(700)]

    report = publish(made, [b"", *lines, b"  \n"])
    messages = list(read(made, "orders"))

    assert (report.published, report.bad) == ({"orders": 700}, 0)
    assert len(messages) == 700
    by_key: dict[str, list[int]] = {}
    for message in messages:
        key, value = message.key(), message.value()
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        number = orjson.loads(value)["n"]
        assert message.partition() == partition_for(key, made.partitions)
        assert message.timestamp()[1] == number + 1
        assert message.headers() == [("n", b"%d" % number)]
        by_key.setdefault(key.decode(), []).append(number)
    assert by_key == {f"c-{k}": list(range(k, 700, 7)) for k in range(7)}


def test_a_tombstone_is_a_null_value(made: Settings) -> None:
    """Under the customer's key."""
    publish(made, [b'{"topic": "profiles", "key": "c-1", "value": null}'])

    assert [(m.key(), m.value()) for m in read(made, "profiles")] == [(b"c-1", None)]


def test_one_bad_line_and_nothing_is_published(made: Settings) -> None:
    """Wherever the bad line is; all bad lines are reported with their numbers."""
    report = publish(made, [record(1), b"", b"{", record(2), b"[]"])

    assert (report.published, report.bad) == ({}, 2)
    assert [line.number for line in report.bad_lines] == [3, 5]
    assert report.bad_lines[1].problem == "expected a JSON object, got another value"
    assert list(read(made, "orders")) == []


def test_with_keep_going_the_good_lines_are_published(made: Settings) -> None:
    """The bad ones are counted all the same."""
    report = publish(made, [record(1), b"{", record(2)], keep_going=True)

    assert (report.published, report.bad) == ({"orders": 2}, 1)
    assert len(list(read(made, "orders"))) == 2


def test_bad_lines_are_described_up_to_a_limit(made: Settings) -> None:
    """A file of another kind does not fill the terminal, nor memory."""
    report = publish(made, [b"{"] * 1000)

    assert (report.bad, len(report.bad_lines)) == (1000, 100)


def test_a_missing_topic_is_not_made_in_passing(settings: Settings) -> None:
    """It would have the broker's partition count, not the engine's."""
    for _ in range(2):
        with pytest.raises(ConfigError, match="triggers topics create"):
            publish(settings, [record(1)])


def test_a_broker_that_is_not_there_is_an_infrastructure_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One message, without the log lines of the client library."""
    monkeypatch.setattr("app.publish.publish._METADATA_TIMEOUT_S", 0.3)
    settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": "127.0.0.1:1"})

    with pytest.raises(InfrastructureError, match=r"Kafka at 127\.0\.0\.1:1: metadata"):
        publish(settings, [record(1)])
    assert capfd.readouterr().err == ""
