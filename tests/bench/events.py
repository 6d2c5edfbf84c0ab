"""The events that benchmarks run on: a fixed mix, Zipf-distributed customers, about 250 bytes."""

import json
import random
from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

START_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SPAN_MS: Final = 30 * 86_400_000
#: (topic, type, share in percent)
MIX: Final = (
    ("orders", "product_viewed", 60),
    ("orders", "cart_updated", 20),
    ("orders", "order_placed", 8),
    ("orders", "delivered", 6),
    ("bookings", "itinerary_saved", 2),
    ("bookings", "booking_confirmed", 2),
    ("profiles", "profile_updated", 1),
    ("engagement", "message_opened", 1),
)
_ZIPF_EXPONENT: Final = 0.8


def profiles(customers: int, start_ms: int = START_MS) -> Iterator[bytes]:
    """A profile for every customer, at the start: all can be reached."""
    for number in range(customers):
        yield _line(number, f"profile-{number}", "profiles", "profile_updated", start_ms)


def events(
    count: int, customers: int, start_ms: int = START_MS, span_ms: int = SPAN_MS
) -> Iterator[bytes]:
    """Lines in the order of time, over 30 days by default."""
    choice = random.Random(7)
    shares = [share for _, _, share in MIX]
    weights = list(accumulate(1 / (rank + 1) ** _ZIPF_EXPONENT for rank in range(customers)))
    drawn = choice.choices(MIX, shares, k=count)
    for number, (topic, name, _) in enumerate(drawn):
        customer = bisect(weights, choice.random() * weights[-1])
        at_ms = start_ms + 1 + number * span_ms // count
        yield _line(customer, f"event-{number:010d}", topic, name, at_ms, choice.randrange(1000))


def _line(customer: int, event_id: str, topic: str, name: str, at_ms: int, dice: int = 0) -> bytes:
    return json.dumps(
        {
            "topic": topic,
            "event_id": event_id,
            "type": name,
            "customer_id": f"customer-{customer:08d}",
            "occurred_at": at_ms,
            "data": _data(customer, name, dice),
        },
        separators=(",", ":"),
    ).encode()


def _data(customer: int, name: str, dice: int) -> dict[str, Any]:
    match name:
        case "product_viewed":
            return {"sku": f"sku-{dice}", "price": dice % 300, "session_id": f"session-{dice}"}
        case "cart_updated" | "order_placed":
            cart_id = f"cart-{customer}-{dice % 3}"
            return {"cart_id": cart_id, "value": dice % 200, "currency": "EUR"}
        case "delivered":
            return {"order_id": f"order-{customer}-{dice}", "on_time": True}
        case "itinerary_saved" | "booking_confirmed":
            return {"booking_id": f"b-{customer}-{dice % 2}", "value": dice, "currency": "EUR"}
        case "profile_updated":
            return {
                "first_name": "Ann",
                "email": f"c{customer}@example.com",
                "push_token": f"token-{customer}",
                "timezone": "Europe/Berlin",
                "birthday": f"1990-{customer % 12 + 1:02d}-{customer % 28 + 1:02d}",
            }
        case _:
            return {"request_id": f"request-{dice}", "channel": "email"}
