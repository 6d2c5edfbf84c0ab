"""Making a commit unit durable: every effect, in one numbered order.

    1  outboxes filled, records encoded
    2  changelog produced
    3  changelog acknowledged
    4  dispatch, decisions, dead letters and rerouted records produced
    5  those acknowledged
    6  records, timer index and changelog offset written to disk, in one write
    7  source offsets released for commit

A crash before 3 has ended leaves the unit undone, and it is done again from the same input. After
that the changelog has the records, with their outboxes: the replayed events are skipped, and what
the outboxes hold is sent (again), under the same request ids. What the changelog has and may not
have been sent is told apart by the marker that each unit writes for the ones before it
(``EMITTED_KEY``): a recovery lists the entries after the last marker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app import wire
from app.core.decisions import Decision
from app.deliveries import Deliveries, Producer
from app.intake import Intake
from app.partitioning import partition_for
from app.settings import Settings
from app.unit import DeadLetter, Unit
from app.version import ENGINE_VERSION
from tables.customers import PartitionCustomers
from tables.layout import EMITTED_KEY, pack_offset
from tables.partition import PartitionStore

#: Outbox lines start with one of these and go on with the JSON of the output record.
DECISION: Final = b"D"
REQUEST: Final = b"R"

_MAX_ERROR_CHARS: Final = 512

#: Called with "before N" and "after N" around every effect.
Hook = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where output goes: names on the broker and partition counts of all topics written to."""

    changelog: str
    dispatch: str
    decisions: str
    dead_letters: str
    repartition: str
    partitions: Mapping[str, int]

    def place(self, topic: str, key: bytes, same: int, inputs: int) -> int:
        """The partition of ``topic`` for a customer whose input partition is ``same``."""
        count = self.partitions[topic]
        return same if count == inputs else partition_for(key, count)


def output_topics(settings: Settings, partitions: Mapping[str, int]) -> Outputs:
    """The outputs of an instance with these settings."""
    return Outputs(
        changelog=settings.changelog_topic,
        dispatch=settings.topic("dispatch"),
        decisions=settings.topic("decisions"),
        dead_letters=settings.topic("dead-letters"),
        repartition=settings.repartition_topic,
        partitions=partitions,
    )


class Effects:
    """Applies units of one worker. Units of different partitions may be under way together."""

    def __init__(
        self,
        producer: Producer,
        intake: Intake,
        outputs: Outputs,
        input_partitions: int,
        hook: Hook | None = None,
    ) -> None:
        self._producer = producer
        self._intake = intake
        self._outputs = outputs
        self._inputs = input_partitions
        self._hook = hook or _no_hook

    async def apply(
        self,
        partition: int,
        unit: Unit,
        customers: PartitionCustomers,
        store: PartitionStore,
        emitted: "Emitted",
    ) -> None:
        """Make the unit durable. Raises InfrastructureError, with nothing released for commit."""
        hook = self._hook
        hook("before 1")
        lines = self._fill_outboxes(unit, customers)
        changes = customers.changes()
        hook("after 1")
        hook("before 2")
        changelog = Deliveries(self._producer)
        topic = self._outputs.changelog
        if emitted.is_owed and (changes or emitted.is_sealing):
            changelog.send(topic, partition, EMITTED_KEY, pack_offset(emitted.offset))
        for change in changes:
            changelog.send(topic, partition, change.customer_id, change.value)
        hook("after 2")
        hook("before 3")
        await changelog.wait()
        hook("after 3")
        hook("before 4")
        outputs = Deliveries(self._producer)
        for line_topic, key, line in lines:
            place = self._outputs.place(line_topic, key, partition, self._inputs)
            outputs.send(line_topic, place, key, line)
        for letter in unit.dead_letters:
            self._send_dead_letter(outputs, letter, partition)
        for stray in unit.strays:
            place = partition_for(stray.key, self._inputs)
            outputs.send(self._outputs.repartition, place, stray.key, stray.value, stray.headers)
        hook("after 4")
        hook("before 5")
        await outputs.wait()
        hook("after 5")
        hook("before 6")
        if changelog.sent or unit.resend:
            offset = max(changelog.last_offset, store.progress.offset)
            store.write(changes, offset, clear_unsent=bool(unit.resend))
            emitted.note(changelog.last_offset, has_lines=bool(lines))
        customers.reset()
        hook("after 6")
        hook("before 7")
        for logical, position in unit.positions.items():
            tp = self._intake.tp(logical, partition)
            self._intake.done(tp, unit.taken.get(logical, 0), position)
        hook("after 7")

    def _fill_outboxes(
        self, unit: Unit, customers: PartitionCustomers
    ) -> list[tuple[str, bytes, bytes]]:
        """(topic, key, value) of all output; what it was goes into the outboxes."""
        dispatch, decisions = self._outputs.dispatch, self._outputs.decisions
        lines = []
        for customer_id in unit.resend:
            key = customer_id.encode()
            for line in customers.get(customer_id).outbox:
                topic = dispatch if line[:1] == REQUEST else decisions
                lines.append((topic, key, line[1:]))
        for customer in customers.touched():
            if customer.outbox:
                customer.outbox = []
        for decision in unit.decisions:
            outbox = customers.get(decision.customer_id).outbox
            key = decision.customer_id.encode()
            for line in _lines(decision):
                outbox.append(line)
                lines.append((dispatch if line[:1] == REQUEST else decisions, key, line[1:]))
        return lines

    def _send_dead_letter(self, outputs: Deliveries, letter: DeadLetter, partition: int) -> None:
        record = letter.record
        headers = [
            *record.headers,
            ("trigger-source-topic", record.topic.encode()),
            ("trigger-source-partition", str(record.partition).encode()),
            ("trigger-source-offset", str(record.offset).encode()),
            ("trigger-error-class", type(letter.error).__name__.encode()),
            ("trigger-error-reason", letter.error.reason.encode()),
            ("trigger-error-text", str(letter.error)[:_MAX_ERROR_CHARS].encode()),
            ("trigger-engine-version", ENGINE_VERSION.encode()),
        ]
        topic = self._outputs.dead_letters
        place = self._outputs.place(topic, record.key or b"", partition, self._inputs)
        outputs.send(topic, place, record.key, record.value, headers)


class Emitted:
    """Up to which changelog offset a partition's outboxes are known to be on Kafka.

    ``is_owed``: the changelog does not say so yet. ``is_sealing``: it should now, although nothing
    else is to be written.
    """

    __slots__ = ("is_owed", "is_sealing", "offset")

    def __init__(self) -> None:
        self.offset = -1
        self.is_owed = False
        self.is_sealing = False

    def note(self, offset: int, *, has_lines: bool) -> None:
        """A unit whose last changelog entry is at ``offset`` is done, its output sent."""
        self.is_owed = has_lines
        self.offset = max(offset, self.offset)


def _lines(decision: Decision) -> list[bytes]:
    record, request = wire.written(decision)
    return [DECISION + record] if request is None else [DECISION + record, REQUEST + request]


def _no_hook(_: str) -> None:
    """Nobody is watching."""
