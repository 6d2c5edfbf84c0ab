"""A commit unit: what some records, or a timer pass, of one partition amount to."""

from dataclasses import dataclass, field

from aiokafka.structs import ConsumerRecord

from app.core.decisions import Decision
from app.core.errors import EventError
from app.repartition import Stray


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be understood, and why."""

    topic: str
    record: ConsumerRecord
    error: EventError


@dataclass(slots=True)
class Unit:
    """Collects while records are handled; then the effects make it durable, in one go.

    ``taken`` and ``positions`` are per logical topic that is read: how many records of it are in
    the unit, and what may be committed once it is durable.
    """

    now_ms: int
    decisions: list[Decision] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    #: records of other partitions, to be sent there
    strays: list[Stray] = field(default_factory=list)
    #: customers whose outbox is sent again, because nobody knows whether it ever was
    resend: list[str] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    #: for the metrics: (topic, outcome) -> records, and lags in ms by topic
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    lags_ms: dict[str, list[int]] = field(default_factory=dict)
    skewed: int = 0
    timers: int = 0

    def count(self, topic: str, outcome: str) -> None:
        """One more record of the topic ended this way."""
        key = (topic, outcome)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
