"""What a commit unit puts onto Kafka beside the changelog, and where each record goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.partitioning import partition_for
from app.repartition import Stray
from app.settings import Settings
from app.unit import DeadLetter
from app.version import ENGINE_VERSION

_MAX_ERROR_CHARS: Final = 512
#: Our own headers, and what a batch and a record in it take.
_LETTER_OVERHEAD_BYTES: Final = 16 * 1024
_HEADER_BYTES: Final = 8

Headers = Sequence[tuple[str, bytes | None]]


class Output(NamedTuple):
    """A record with headers as it is to be produced."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where output goes: names on the broker and partition counts of all topics written to."""

    changelog: str
    dispatch: str
    decisions: str
    outcomes: str
    dead_letters: str
    repartition: str
    partitions: Mapping[str, int]
    #: what the topic of dead letters takes
    largest_letter: int

    @property
    def lines(self) -> dict[str, str]:
        """What outbox lines may be for: name on the broker by logical name."""
        return {
            "decisions": self.decisions,
            "dispatch": self.dispatch,
            "outcomes": self.outcomes,
        }

    def place(self, topic: str, key: bytes, same: int, inputs: int) -> int:
        """The partition of ``topic`` for a customer whose input partition is ``same``."""
        count = self.partitions[topic]
        return same if count == inputs else partition_for(key, count)

    def dead_letter(self, letter: DeadLetter, same: int, inputs: int) -> Output:
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
        place = self.place(topic, record.key or b"", same, inputs)
        return Output(topic, place, record.key, value, headers)

    def stray(self, stray: Stray, inputs: int) -> Output:
        """The record sent to where its customer is."""
        place = partition_for(stray.key, inputs)
        return Output(self.repartition, place, stray.key, stray.value, stray.headers)


def output_topics(
    settings: Settings, partitions: Mapping[str, int], largest_letter: int
) -> Outputs:
    """The outputs of an instance with these settings."""
    return Outputs(
        changelog=settings.changelog_topic,
        dispatch=settings.topic("dispatch"),
        decisions=settings.topic("decisions"),
        outcomes=settings.topic("outcomes"),
        dead_letters=settings.topic("dead-letters"),
        repartition=settings.repartition_topic,
        partitions=partitions,
        largest_letter=largest_letter,
    )
