"""A commit unit: all effects of some records, or of a timer pass, of one partition."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from app.core.customer.parts import StoppedStart
from app.core.customer.profile import unknown_channels
from app.core.customer.suppression import Feedback
from app.core.decisions import Decision
from app.core.errors import EventError
from app.core.events import Event
from app.core.outcomes import SendOutcome
from app.kafka.types import InputRecord
from app.live.commit.record_outcome import RecordOutcome
from app.live.repartition.envelope import MisroutedRecord

#: A unit ends at so many decisions and outcomes of one customer: until they are sent they are in
#: the outbox of the customer's record, and that has to fit into one Kafka message.
MOST_OF_ONE_CUSTOMER: Final = 100

#: It ends, too, at so many bytes that merged customers send on: they are in outboxes as well.
MOST_SENT_ON_BYTES: Final = 512 * 1024

LIST_HEALTH: Final = {
    "unsubscribed": "unsubscribed",
    "message_complained": "complained",
    "message_bounced": "bounced",
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be understood, and why."""

    topic: str
    record: InputRecord
    error: EventError


@dataclass(frozen=True, slots=True)
class SentOn:
    """What the record of a merged customer sends to another customer's partition."""

    customer_id: str
    record: MisroutedRecord


@dataclass(slots=True)
class CommitUnit:
    """Collects effects while records are handled; then a committer makes them durable together.

    ``consumed`` and ``positions`` are per logical topic that is read: how many records of it are in
    the unit, and what may be committed once it is durable.
    """

    now_ms: int
    decisions: list[Decision] = field(default_factory=list)
    #: those of the decisions whose time had come by itself, not with an event
    by_timer: list[Decision] = field(default_factory=list)
    #: outcomes of sends, by the events of this unit
    outcomes: list[SendOutcome] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    #: records of other partitions, to be sent there
    misrouted: list[MisroutedRecord] = field(default_factory=list)
    #: what merged customers send on, to the partitions of those whom they were merged into
    sent_on: list[SentOn] = field(default_factory=list)
    sent_on_bytes: int = 0
    #: customers whose outbox is sent again, because it may not have been acknowledged
    resend: list[str] = field(default_factory=list)
    consumed: dict[str, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    #: for the metrics: (topic, outcome) -> records, and lags in ms by topic
    record_outcomes: dict[tuple[str, RecordOutcome], int] = field(default_factory=dict)
    lags_ms: dict[str, list[int]] = field(default_factory=dict)
    #: for the metrics: (channel or nothing, kind) -> unsubscribed, complained, bounced
    list_health: dict[tuple[str, str], int] = field(default_factory=dict)
    #: for the metrics: field of profile updates -> entries about channels that no rule has
    unknown_channels: dict[str, int] = field(default_factory=dict)
    #: trace contexts of the events handled
    traces: list[str] = field(default_factory=list)
    #: customer id -> number of decisions and outcomes, and of what is sent on
    records_per_customer: dict[str, int] = field(default_factory=dict)
    #: one customer has got as many of them as an outbox should hold
    is_heavy: bool = False
    #: for the metrics: (trigger, reason) -> starts that opened nothing
    stopped: dict[tuple[str, str], int] = field(default_factory=dict)
    skewed: int = 0
    timers: int = 0

    def add_decision(self, decision: Decision) -> None:
        """Add a decision."""
        self.decisions.append(decision)
        self._weigh(decision.customer_id)

    def add_stopped(self, start: StoppedStart) -> None:
        """Count a start that opened nothing."""
        what = start.trigger, start.reason
        self.stopped[what] = self.stopped.get(what, 0) + 1

    def add_outcome(self, outcome: SendOutcome) -> None:
        """Add an outcome of a send."""
        self.outcomes.append(outcome)
        self._weigh(outcome.customer_id)

    def add_sent_on(self, sent_on: SentOn) -> None:
        """Add what a merged customer's record sends on."""
        self.sent_on.append(sent_on)
        self._weigh(sent_on.customer_id)
        self.sent_on_bytes += _bytes_of(sent_on.record)
        if self.sent_on_bytes >= MOST_SENT_ON_BYTES:
            self.is_heavy = True

    def _weigh(self, customer_id: str) -> None:
        count = self.records_per_customer[customer_id] = (
            self.records_per_customer.get(customer_id, 0) + 1
        )
        if count >= MOST_OF_ONE_CUSTOMER:
            self.is_heavy = True

    def note_list_health(self, event: Event, channels: Container[str]) -> None:
        """Count the event if it is an unsubscription, a complaint or a bounce."""
        kind = LIST_HEALTH.get(event.type)
        if kind is not None:
            channel = event.data.get("channel")
            named = channel if isinstance(channel, str) and channel in channels else ""
            self.list_health[named, kind] = self.list_health.get((named, kind), 0) + 1

    def note_unknown_channels(self, event: Event, feedback: Feedback) -> None:
        """Count what a profile update says about channels that the rules do not have."""
        for name, _ in unknown_channels(event.data, feedback):
            self.unknown_channels[name] = self.unknown_channels.get(name, 0) + 1

    def count(self, topic: str, outcome: RecordOutcome) -> None:
        """Count a record of the topic by its outcome."""
        key = (topic, outcome)
        self.record_outcomes[key] = self.record_outcomes.get(key, 0) + 1


def _bytes_of(record: MisroutedRecord) -> int:
    size = sum(len(name) + len(value or b"") for name, value in record.headers)
    return size + len(record.value or b"")
