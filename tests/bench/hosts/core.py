"""The same core for every Python host: one event in, the customer's new record and output out.

A host keeps the record by its own means. It keeps no timer index, which spares it work that ours
does: nothing comes due within a run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.engine import Engine, Handled
from app.core.time.instants import END_OF_TIME_MS
from app.formats.decode import Erasure, decode_record
from app.formats.encode import written
from app.live.clock.partition_clock import machine_ms
from app.rules_file.load import load_rules
from tables import records
from tests.bench.hosts.job import Job


class Result(NamedTuple):
    """What an event came to: the record as bytes, and (decision, send request or None) pairs."""

    record: bytes
    decided: list[tuple[bytes, bytes | None]]


class _One:
    """The only customer there is, while their event is handled."""

    def __init__(self) -> None:
        self.customer = Customer("")

    def get(self, customer_id: str) -> Customer:
        return self.customer

    def erase(self, customer_id: str) -> None:
        self.customer = Customer(customer_id)

    def changed(self, customer: Customer) -> None:
        """The host writes the record after every event."""

    def earliest_due_ms(self) -> int:
        return END_OF_TIME_MS

    def due(self, watermark_ms: int) -> list[Customer]:
        return []

    def note_parked(self, customer: Customer) -> None:
        """Always current: nothing is parked."""

    def parked(self, limit: int) -> list[Customer]:
        return []


class Core:
    """Decides by the job's rules with ``app.core``."""

    def __init__(self, job: Job, now: Callable[[], int] = machine_ms) -> None:
        self._logical: Final = job.logical
        self._one = _One()
        self._decisions: list[Decision] = []
        self._task = Engine(load_rules(Path(job.rules)), self._one, self._decisions.append)
        self._now = now

    def handle(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes,
        value: bytes,
        record: bytes | None,
    ) -> Result:
        """Apply one event to a customer's record; None for one not seen before."""
        logical = self._logical[topic]
        event = decode_record(logical, partition, offset, key, value)
        customer = Customer(event.customer_id) if record is None else records.decode(record)
        if isinstance(event, Erasure) or customer.applied.get(logical, -1) >= offset:
            return Result(records.encode(customer), [])
        self._one.customer = customer
        now_ms = self._now()
        handled = self._task.handle(event, now_ms, now_ms)
        if handled is not Handled.UNKNOWN_TYPE:
            customer.applied[logical] = offset
        decided = [written(decision) for decision in self._decisions]
        self._decisions.clear()
        return Result(records.encode(customer), decided)
