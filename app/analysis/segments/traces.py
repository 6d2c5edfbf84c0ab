"""What predictions need of a history beyond the engine's records: sequences of each customer."""

from operator import attrgetter
from typing import TypeVar

import msgspec

from app.backtest.history import Arrival
from app.core.events import PURCHASES, Event, into_of


class Purchase(msgspec.Struct, frozen=True):
    """When, and which products, in the order of the items."""

    occurred_ms: int
    skus: tuple[str, ...]


class Sent(msgspec.Struct):
    """A message that was delivered on a channel, and whether it was opened."""

    occurred_ms: int
    channel: str
    is_opened: bool = False


class Traces:
    """By customer: purchases and messages in order of arrival; ``end_ms`` is the last event.

    What is known of a customer who was merged is with the one whom they were merged into, then in
    order of time.
    """

    def __init__(self) -> None:
        self.end_ms = 0
        self.purchases: dict[str, list[Purchase]] = {}
        self.messages: dict[str, list[Sent]] = {}
        self._by_request: dict[tuple[str, str], Sent] = {}
        self._seen: set[tuple[str, str]] = set()
        self._into: dict[str, str] = {}

    def purchases_of(self, customer_id: str) -> list[Purchase]:
        """Those of the customer, or of whom they were merged into since."""
        return self.purchases.get(self._member(customer_id), [])

    def take(self, arrival: Arrival) -> None:
        """Read one line; an event that a customer repeats by its id counts once."""
        event = arrival.content
        if not isinstance(event, Event) or not event.is_known:
            return
        self.end_ms = max(self.end_ms, event.occurred_ms)
        if event.type in PURCHASES:
            if not self._is_new(event):
                return
            purchase = Purchase(event.occurred_ms, _skus(event))
            self.purchases.setdefault(self._member(event.customer_id), []).append(purchase)
        elif (into := into_of(event)) is not None:
            self._merge(event.customer_id, into)
        elif event.type == "message_delivered":
            self._delivered(event)
        elif event.type in ("message_opened", "message_clicked"):
            self._opened(event)

    def _member(self, customer_id: str) -> str:
        while (into := self._into.get(customer_id)) is not None:
            customer_id = into
        return customer_id

    def _merge(self, customer_id: str, into: str) -> None:
        member = self._member(customer_id)
        if into in (member, customer_id):
            return
        # the newest member of a circle of merges is its end
        self._into.pop(into, None)
        self._into[member] = into
        _move(self.purchases, member, into)
        _move(self.messages, member, into)

    def _is_new(self, event: Event) -> bool:
        key = (event.customer_id, event.event_id)
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _delivered(self, event: Event) -> None:
        request, channel = event.data.get("request_id"), event.data.get("channel")
        key = (event.customer_id, str(request))
        if isinstance(channel, str) and key not in self._by_request:
            sent = Sent(event.occurred_ms, channel)
            self._by_request[key] = sent
            self.messages.setdefault(self._member(event.customer_id), []).append(sent)

    def _opened(self, event: Event) -> None:
        sent = self._by_request.get((event.customer_id, str(event.data.get("request_id"))))
        if sent is not None and event.data.get("machine") is not True:
            sent.is_opened = True


Trace = TypeVar("Trace", Purchase, Sent)


def _move(traces: dict[str, list[Trace]], customer_id: str, into: str) -> None:
    if customer_id in traces:
        both = traces.setdefault(into, [])
        both += traces.pop(customer_id)
        both.sort(key=attrgetter("occurred_ms"))


def _skus(event: Event) -> tuple[str, ...]:
    items = event.data.get("items")
    found = (
        [item.get("sku") for item in items if isinstance(item, dict)]
        if (isinstance(items, list))
        else []
    )
    if not found:
        found = [event.data.get("sku")]
    return tuple(sku for sku in found if isinstance(sku, str) and sku)
