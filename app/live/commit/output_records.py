"""What a commit unit puts onto Kafka beside the changelog, and where each record goes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.formats.trace_context import HEADER
from app.kafka.partitioning import partition_for
from app.live.commit.outbox import OutputRecord
from app.live.commit.unit import CommitUnit, DeadLetter
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
    #: what is said about customers: name on the broker by logical name
    names: Mapping[str, str]
    dead_letters: str
    repartition: str
    partitions: Mapping[str, int]
    #: partition count of the input topics
    inputs: int
    #: what the topic of dead letters takes
    largest_letter: int

    def place(self, topic: str, key: bytes, same: int) -> int:
        """The partition of ``topic`` for a customer whose input partition is ``same``."""
        count = self.partitions[topic]
        return same if count == self.inputs else partition_for(key, count)

    def said(self, record: OutputRecord, same: int) -> ProducerRecord:
        """The record about a customer, with its trace context."""
        topic, key = self.names[record.topic], record.customer_id.encode()
        context = record.context
        headers = () if context is None else ((HEADER, context),)
        return ProducerRecord(topic, self.place(topic, key, same), key, record.value, headers)

    def beside(self, unit: CommitUnit, same: int) -> Iterator[ProducerRecord]:
        """What the unit has to pass on that says nothing about a customer."""
        for letter in unit.dead_letters:
            yield self.dead_letter(letter, same)
        for stray in unit.strays:
            yield self.stray(stray)

    def dead_letter(self, letter: DeadLetter, same: int) -> ProducerRecord:
        """The record that could not be understood, whole, and why.

        One that the topic would not take loses what makes it too large: its value's end, and its
        headers if they do; ``trigger-cut`` says how many bytes it had.
        """
        record = letter.record
        kept, value = record.headers, record.value
        room = self.largest_letter - _LETTER_OVERHEAD_BYTES - len(record.key or b"")
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
        place = self.place(topic, record.key or b"", same)
        return ProducerRecord(topic, place, record.key, value, headers)

    def stray(self, stray: MisroutedRecord) -> ProducerRecord:
        """The record sent to where its customer is."""
        place = partition_for(stray.key, self.inputs)
        return ProducerRecord(self.repartition, place, stray.key, stray.value, stray.headers)


def output_topics(
    settings: Settings, partitions: Mapping[str, int], inputs: int, largest_letter: int
) -> OutputTopics:
    """The outputs of an instance with these settings."""
    return OutputTopics(
        changelog=settings.changelog_topic,
        names={name: settings.topic(name) for name in ("decisions", "dispatch", "outcomes")},
        dead_letters=settings.topic("dead-letters"),
        repartition=settings.repartition_topic,
        partitions=partitions,
        inputs=inputs,
        largest_letter=largest_letter,
    )
