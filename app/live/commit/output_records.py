"""The output topics of a commit unit and the producer record of each output."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.formats.trace_context import HEADER
from app.kafka.partitioning import partition_for
from app.live.commit.outbox import OutputRecord
from app.live.commit.unit import CommitUnit, DeadLetter, SentOn
from app.live.repartition.envelope import MisroutedRecord
from app.settings.model import Settings
from app.version import ENGINE_VERSION

_MAX_ERROR_CHARS: Final = 512
#: Our own headers, and what a batch and a record in it take.
_LETTER_OVERHEAD_BYTES: Final = 16 * 1024
_HEADER_BYTES: Final = 8

Headers = Sequence[tuple[str, bytes | None]]


class ProducerRecord(NamedTuple):
    """A record as it is to be produced."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class OutputTopics:
    """Where output goes: names on the broker and partition counts of all topics written to."""

    changelog: str
    #: topics of records about customers: name on the broker by logical name
    names: Mapping[str, str]
    dead_letters: str
    repartition: str
    partitions: Mapping[str, int]
    #: partition count of the input topics
    inputs: int
    #: largest message that the topic of dead letters takes, in bytes
    largest_dead_letter_bytes: int

    def partition_of(self, topic: str, key: bytes, input_partition: int) -> int:
        """Return the partition of ``topic`` for a customer of this input partition."""
        count = self.partitions[topic]
        return input_partition if count == self.inputs else partition_for(key, count)

    def producer_record(
        self, record: OutputRecord | SentOn, input_partition: int
    ) -> ProducerRecord:
        """Return the record about a customer, with its trace context as a header."""
        if isinstance(record, SentOn):
            return self.repartitioned(record.record)
        topic, key = self.names[record.topic], record.customer_id.encode()
        context = record.context
        headers = () if context is None else ((HEADER, context),)
        return ProducerRecord(
            topic, self.partition_of(topic, key, input_partition), key, record.value, headers
        )

    def side_records(self, unit: CommitUnit, input_partition: int) -> Iterator[ProducerRecord]:
        """Yield the unit's dead letters and misrouted records."""
        for letter in unit.dead_letters:
            yield self.dead_letter(letter, input_partition)
        for misrouted in unit.misrouted:
            yield self.repartitioned(misrouted)

    def dead_letter(self, letter: DeadLetter, input_partition: int) -> ProducerRecord:
        """Return the record that could not be understood, whole, with the reason as headers.

        One that is too large for the topic loses the end of its value, and its headers when they
        alone are too large; the header ``trigger-cut`` says how many bytes it had.
        """
        record = letter.record
        kept, value = record.headers, record.value
        room = self.largest_dead_letter_bytes - _LETTER_OVERHEAD_BYTES - len(record.key or b"")
        size = sum(len(name) + len(text or b"") + _HEADER_BYTES for name, text in kept)
        cut: list[tuple[str, bytes | None]] = []
        if size + len(value or b"") > room:
            cut = [("trigger-cut", str(size + len(value or b"")).encode())]
            kept, room = ((), room) if size > room else (kept, room - size)
            value = value and value[:room]
        headers = [
            *kept,
            *cut,
            ("trigger-source-topic", record.topic.encode()),
            ("trigger-source-partition", str(record.partition).encode()),
            ("trigger-source-offset", str(record.offset).encode()),
            ("trigger-error-class", type(letter.error).__name__.encode()),
            ("trigger-error-reason", letter.error.reason.encode()),
            ("trigger-error-text", str(letter.error)[:_MAX_ERROR_CHARS].encode()),
            ("trigger-engine-version", ENGINE_VERSION.encode()),
        ]
        topic = self.dead_letters
        partition = self.partition_of(topic, record.key or b"", input_partition)
        return ProducerRecord(topic, partition, record.key, value, headers)

    def repartitioned(self, record: MisroutedRecord) -> ProducerRecord:
        """Return the record addressed to its customer's partition of the repartition topic."""
        partition = partition_for(record.key, self.inputs)
        return ProducerRecord(self.repartition, partition, record.key, record.value, record.headers)


def output_topics(
    settings: Settings, partitions: Mapping[str, int], inputs: int, largest_dead_letter_bytes: int
) -> OutputTopics:
    """Return the output topics for these settings."""
    return OutputTopics(
        changelog=settings.changelog_topic,
        names={name: settings.topic(name) for name in ("decisions", "dispatch", "outcomes")},
        dead_letters=settings.topic("dead-letters"),
        repartition=settings.repartition_topic,
        partitions=partitions,
        inputs=inputs,
        largest_dead_letter_bytes=largest_dead_letter_bytes,
    )
