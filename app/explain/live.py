"""Explaining a customer of a running worker: who has the record, and what is known of it."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import orjson

from app.core.customer import Customer
from app.core.rules import Rules
from app.decisions_tail import Tail
from app.explain.explain import explain
from app.explain.explanation import Explanation

#: Readings of decisions that may wait for their turn; one runs at a time.
_MAX_WAITING: Final = 8


class Standing(NamedTuple):
    """A record as the last commit unit left it, with the rules and the now of its partition."""

    customer: Customer | None
    rules: Rules
    now_ms: int


class Elsewhere(NamedTuple):
    """Another worker has the partition; ``url`` is where it serves, None when it does not say."""

    partition: int
    url: str | None


class Recovering(NamedTuple):
    """This worker will have the partition; its state is not complete yet."""

    partition: int


class Busy(NamedTuple):
    """Too many ask at once."""


class Unknown(NamedTuple):
    """The customer has no record."""


Answer = Explanation | Elsewhere | Recovering | Busy | Unknown


class Partitions(Protocol):
    """Where customers are."""

    def partition_of(self, customer_id: str) -> int:
        """The input partition of the customer's events."""

    def standing(self, partition: int, customer_id: str) -> Standing | None:
        """What this worker has; None when it does not work on the partition."""

    def owner(self, partition: int) -> Elsewhere | Recovering:
        """Who has a partition that this worker does not work on."""


#: (customer id, input partition, how many) -> decisions. Blocks; raises InfrastructureError.
ReadDecisions = Callable[[str, int, int], Tail]


class LiveExplanations:
    """Answers from the worker's event loop; decisions are read in a thread, one reading a time."""

    def __init__(self, partitions: Partitions, read_decisions: ReadDecisions) -> None:
        self._partitions = partitions
        self._read = read_decisions
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def explain(self, customer_id: str, recent: int, *, show_personal: bool) -> Answer:
        """Where the customer stands. Raises InfrastructureError when Kafka gives no decisions.

        The record is looked at after the decisions: it never lacks what they have decided.
        """
        partition = self._partitions.partition_of(customer_id)
        standing = self._partitions.standing(partition, customer_id)
        if standing is None:
            return self._partitions.owner(partition)
        if standing.customer is None:
            return Unknown()
        if self._waiting >= _MAX_WAITING:
            return Busy()
        self._waiting += 1
        try:
            async with self._turn:
                tail = await asyncio.to_thread(self._read, customer_id, partition, recent)
        finally:
            self._waiting -= 1
        standing = self._partitions.standing(partition, customer_id)
        if standing is None:
            return self._partitions.owner(partition)
        if standing.customer is None:
            return Unknown()
        return explain(
            standing.customer,
            standing.rules,
            standing.now_ms,
            [orjson.loads(line) for line in tail.lines],
            show_personal=show_personal,
            recent=recent,
            since_ms=tail.since_ms,
        )
