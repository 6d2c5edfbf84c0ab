"""JSON lines onto Kafka: every line or none, in order, each delivery awaited."""

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import IO, Any, Final

import msgspec
from confluent_kafka import KafkaException, Message, Producer

from app.core.errors import ConfigError, EventError, InfrastructureError
from app.kafka.clients import producer_config
from app.kafka.partitioning import partition_for
from app.publish.lines import Outgoing, Timestamps, outgoing
from app.settings.model import Settings

#: Checked lines wait in memory up to here, on disk beyond.
_SPOOL_BYTES: Final = 32 << 20
#: So many bad lines are described; all are counted.
_DESCRIBED: Final = 100
_METADATA_TIMEOUT_S: Final = 15.0
_POLL_EVERY: Final = 512


class BadLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is not published, by its number from 1, and why."""

    number: int
    problem: str


class PublishReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was published, by logical topic, and what was not."""

    published: dict[str, int]
    bad: int
    #: the first of the bad lines
    bad_lines: tuple[BadLine, ...]


def publish(
    settings: Settings,
    lines: Iterable[bytes],
    *,
    timestamps: Timestamps = "now",
    keep_going: bool = False,
    headers: tuple[tuple[str, bytes], ...] = (),
    on_published: Callable[[int], None] = lambda count: None,
) -> PublishReport:
    """Publish the records that ``lines`` describe; blank lines are skipped.

    With a bad line nothing at all is published, unless ``keep_going``: then it alone is left out.
    ``headers`` go onto every record, behind its own. The order of lines is kept within a partition.
    ``on_published`` is called now and then with how many
    were handed over. Raises ConfigError when a topic does not exist, InfrastructureError when a
    record could not be delivered; part of the rest may be on Kafka then.
    """
    bad = _BadLines()
    parsed = _parse(lines, timestamps, bad, settings.inputs)
    if keep_going:
        published = _send(settings, (record for _, record in parsed), headers, on_published)
    else:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            for line, _ in parsed:
                if not bad.count:
                    spool.write(line + b"\n")
            if bad.count:
                return PublishReport(published={}, bad=bad.count, bad_lines=tuple(bad.first))
            spool.seek(0)
            spooled = _spooled(spool, timestamps, settings.inputs)
            published = _send(settings, spooled, headers, on_published)
    return PublishReport(published=published, bad=bad.count, bad_lines=tuple(bad.first))


class _BadLines:
    """The first few in full, the rest as a number."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadLine] = []

    def add(self, number: int, problem: str) -> None:
        self.count += 1
        if len(self.first) < _DESCRIBED:
            self.first.append(BadLine(number=number, problem=problem))


def _parse(
    lines: Iterable[bytes], timestamps: Timestamps, bad: _BadLines, topics: Collection[str]
) -> Iterator[tuple[bytes, Outgoing]]:
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if line:
            try:
                record = outgoing(line, timestamps, topics)
            except EventError as exc:
                bad.add(number, str(exc))
            else:
                yield line, record


def _spooled(
    spool: IO[bytes], timestamps: Timestamps, topics: Collection[str]
) -> Iterator[Outgoing]:
    for line in spool:
        yield outgoing(line[:-1], timestamps, topics)


def _send(
    settings: Settings,
    records: Iterable[Outgoing],
    headers: tuple[tuple[str, bytes], ...],
    on_published: Callable[[int], None],
) -> dict[str, int]:
    """Produce and await every record; how many went to each logical topic."""
    producer = Producer(producer_config(settings))
    counts = _partition_counts(settings, producer)
    published: dict[str, int] = {}
    failures = _Failures()
    count = 0
    for record in records:
        topic = settings.topic(record.topic)
        if topic not in counts:
            producer.flush()
            raise ConfigError(
                f"the topic {topic} does not exist at {settings.bootstrap_servers}:"
                " run `triggers topics create`, or correct the name"
            )
        if headers:
            record = msgspec.structs.replace(record, headers=record.headers + headers)
        _produce(producer, record, topic, counts[topic], failures.on_delivery)
        published[record.topic] = published.get(record.topic, 0) + 1
        count += 1
        if count % _POLL_EVERY == 0:
            producer.poll(0)
            on_published(count)
            if failures.count:
                break
    producer.flush()
    on_published(count)
    if failures.count:
        raise InfrastructureError(
            f"Kafka at {settings.bootstrap_servers}: {failures.count} of {count} records were not"
            f" delivered, the first to {failures.first}; the others are on Kafka, and publishing"
            " the same lines again is safe: the engine knows an event_id that comes twice"
        )
    return published


def _produce(
    producer: Producer,
    record: Outgoing,
    topic: str,
    partitions: int,
    on_delivery: Callable[[Any, Message], None],
) -> None:
    options: dict[str, Any] = {}
    if record.key is not None:
        options["partition"] = partition_for(record.key, partitions)
    if record.timestamp_ms is not None:
        options["timestamp"] = record.timestamp_ms
    if record.headers:
        options["headers"] = list(record.headers)
    while True:
        try:
            producer.produce(topic, record.value, record.key, on_delivery=on_delivery, **options)
            return
        except BufferError:
            producer.poll(0.1)


class _Failures:
    """Deliveries that failed: how many, and the first in words."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def on_delivery(self, error: Any, message: Message) -> None:
        if error is not None:
            self.count += 1
            self.first = self.first or f"{message.topic()}: {error.str()}"


def _partition_counts(settings: Settings, producer: Producer) -> dict[str, int]:
    """Topic on the broker -> partitions. All are asked for: to ask for one could create it."""
    try:
        topics = producer.list_topics(timeout=_METADATA_TIMEOUT_S).topics
    except KafkaException as exc:
        raise InfrastructureError(
            f"Kafka at {settings.bootstrap_servers}: metadata: {exc.args[0].str()};"
            " check the address, the credentials and that the cluster is up"
        ) from exc
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.partitions}
