"""What predictions need of a history beyond the engine's records: sequences of each customer."""

import msgspec

from app.backtest.history import Arrival
from app.core.events import PURCHASES, Event


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
    """By customer: purchases and messages in order of arrival; ``end_ms`` is the last event."""

    def __init__(self) -> None:
        self.end_ms = 0
        self.purchases: dict[str, list[Purchase]] = {}
        self.messages: dict[str, list[Sent]] = {}
        self._by_request: dict[tuple[str, str], Sent] = {}
        self._seen: set[tuple[str, str]] = set()

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
            self.purchases.setdefault(event.customer_id, []).append(purchase)
        elif event.type == "message_delivered":
            self._delivered(event)
        elif event.type in ("message_opened", "message_clicked"):
            self._opened(event)

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
            self.messages.setdefault(event.customer_id, []).append(sent)

    def _opened(self, event: Event) -> None:
        sent = self._by_request.get((event.customer_id, str(event.data.get("request_id"))))
        if sent is not None and event.data.get("machine") is not True:
            sent.is_opened = True


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
