"""The event taxonomy and the envelope (spec sections 2 and 3)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.core.errors import EventError
from app.core.time.instants import MAX_MS, MIN_MS, parse_rfc3339

ORDERS: Final = "orders"
BOOKINGS: Final = "bookings"
PROFILES: Final = "profiles"
ENGAGEMENT: Final = "engagement"

#: Event types by the topic (its logical name) that carries them. Records of one timestamp are
#: handled in this order of topics: the profile comes before what the customer did.
TYPES: Final[dict[str, frozenset[str]]] = {
    PROFILES: frozenset({"profile_updated", "customer_merged"}),
    ORDERS: frozenset(
        [
            "product_viewed",
            "cart_updated",
            "cart_emptied",
            "checkout_started",
            "order_placed",
            "payment_verified",
            "payment_failed",
            "item_packed",
            "shipped",
            "delivered",
            "refund_requested",
            "order_cancelled",
            "review_completed",
            "subscribed",
            "onboarding_completed",
            "support_contacted",
        ]
    ),
    BOOKINGS: frozenset(
        [
            "itinerary_saved",
            "passenger_details_added",
            "seat_selection_pending",
            "payment_failure",
            "price_drop_detected",
            "booking_confirmed",
            "booking_cancelled",
        ]
    ),
    ENGAGEMENT: frozenset(
        [
            "message_delivered",
            "message_opened",
            "message_clicked",
            "message_bounced",
            "message_complained",
            "unsubscribed",
            "survey_answered",
        ]
    ),
}
INPUT_TOPICS: Final = tuple(TYPES)
ALL_TYPES: Final = frozenset().union(*TYPES.values())
#: Two customers are one: no type that opens, moves or cancels anything.
MERGE: Final = "customer_merged"
#: An order reached the customer: reviews and calls for help follow.
DELIVERY: Final = "delivered"
PURCHASES: Final = frozenset({"order_placed", "booking_confirmed"})


class FieldType(StrEnum):
    """What a data field holds. A value of another type counts as missing where it was declared."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    TIME = "time"
    DATE = "date"
    FLAG = "flag"
    ITEMS = "items"


#: The data fields that rules may name in every type; others stay out of state unless declared.
BUILT_IN_FIELDS: Final[dict[str, FieldType]] = {
    "cart_id": FieldType.TEXT,
    "order_id": FieldType.TEXT,
    "booking_id": FieldType.TEXT,
    "session_id": FieldType.TEXT,
    "sku": FieldType.TEXT,
    "category": FieldType.TEXT,
    "price": FieldType.MONEY,
    "value": FieldType.MONEY,
    "currency": FieldType.TEXT,
    "items": FieldType.ITEMS,
    "request_id": FieldType.TEXT,
    "channel": FieldType.TEXT,
    "old_price": FieldType.MONEY,
    "new_price": FieldType.MONEY,
    "on_time": FieldType.FLAG,
    "margin": FieldType.MONEY,
    "score": FieldType.NUMBER,
    "theme": FieldType.TEXT,
}
DATA_FIELDS: Final = frozenset(BUILT_IN_FIELDS)
#: Of an engagement event: what the send that it names was. ``channel`` is then the send's.
ANSWER_TYPES: Final = {
    "trigger": FieldType.TEXT,
    "template": FieldType.TEXT,
    "step": FieldType.NUMBER,
}
ANSWER_FIELDS: Final = frozenset(ANSWER_TYPES)
ITEMS: Final = "items"
MONEY_FIELDS: Final = frozenset(
    field for field, kind in BUILT_IN_FIELDS.items() if kind is FieldType.MONEY
)

MAX_VALUE_BYTES: Final = 256 * 1024
#: Of ``data``, itself the first. What is deeper could be read but not written again.
MAX_DATA_LEVELS: Final = 32
MAX_EVENT_ID_CHARS: Final = 128
MAX_CUSTOMER_ID_CHARS: Final = 256


_TIME: Final = "RFC 3339 text with an offset or integer epoch milliseconds"


@dataclass(slots=True, init=False)
class Event:
    """One understood input record.

    ``occurred_ms`` is the publisher's time; the engine clamps it to now when it handles it.
    ``partition`` and ``offset`` say where it was read, and are None in a backtest.
    """

    topic: str
    partition: int | None
    offset: int | None
    event_id: str
    type: str
    customer_id: str
    occurred_ms: int
    data: dict[str, Any]
    #: the trace context that came with it (W3C ``traceparent``)
    traceparent: str | None
    #: the event is history: what is due to its customer before this instant is not decided
    decide_from_ms: int

    def __init__(
        self,
        *,
        topic: str,
        partition: int | None = None,
        offset: int | None = None,
        event_id: str,
        type: str,
        customer_id: str,
        occurred_ms: int,
        data: dict[str, Any],
        traceparent: str | None = None,
        decide_from_ms: int = 0,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.event_id = event_id
        self.type = type
        self.customer_id = customer_id
        self.occurred_ms = occurred_ms
        self.data = data
        self.traceparent = traceparent
        self.decide_from_ms = decide_from_ms

    @property
    def is_known(self) -> bool:
        """Whether it is a built-in type of its topic."""
        return self.type in TYPES.get(self.topic, ())


def into_of(event: Event) -> str | None:
    """The customer that a merge names; None when it names none, or the event is no merge."""
    into = event.data.get("into") if event.type == MERGE and event.topic == PROFILES else None
    return into if isinstance(into, str) else None


def parse_instant(value: object, field: str) -> int:
    """Epoch ms from RFC 3339 text or integer epoch ms; EventError otherwise."""
    if type(value) is int:
        instant_ms = value
    elif isinstance(value, str):
        try:
            instant_ms = parse_rfc3339(value)
        except ValueError:
            raise _wrong(field, _TIME, value) from None
    else:
        raise _wrong(field, _TIME, value)
    if not MIN_MS <= instant_ms <= MAX_MS:
        raise EventError(
            "envelope", f"{field}: expected a time in the years 1 to 8999, got one before or after"
        )
    return instant_ms


#: The types of values that have others in them.
_NESTED: Final[frozenset[type]] = frozenset({dict, list})


def parse_envelope(
    obj: object,
    *,
    topic: str,
    key: str | None = None,
    partition: int | None = None,
    offset: int | None = None,
) -> Event:
    """The event in a decoded JSON value. Raises EventError (reason ``envelope`` or ``key``)."""
    if type(obj) is not dict:
        raise EventError("not_object", f"expected a JSON object, got {_name(obj)}")
    event_id = obj.get("event_id")
    if type(event_id) is not str or not 0 < len(event_id) <= MAX_EVENT_ID_CHARS:
        raise _wrong("event_id", f"text of 1..{MAX_EVENT_ID_CHARS} characters", event_id)
    event_type = obj.get("type")
    if type(event_type) is not str or not event_type:
        raise _wrong("type", "text", event_type)
    customer_id = obj.get("customer_id")
    if type(customer_id) is not str or not 0 < len(customer_id) <= MAX_CUSTOMER_ID_CHARS:
        raise _wrong("customer_id", f"text of 1..{MAX_CUSTOMER_ID_CHARS} characters", customer_id)
    if key is not None and key != customer_id:
        raise EventError("key", "key: expected the record's customer_id, got another text")
    data = obj.get("data")
    if type(data) is not dict:
        raise _wrong("data", "an object", data)
    # most data is flat, which is seen without looking at each value
    if not _NESTED.isdisjoint(map(type, data.values())) and _is_deeper(data, MAX_DATA_LEVELS):
        raise EventError("envelope", f"data: expected at most {MAX_DATA_LEVELS} levels, got more")
    occurred_ms = obj.get("occurred_at")
    if type(occurred_ms) is not int or not MIN_MS <= occurred_ms <= MAX_MS:
        occurred_ms = parse_instant(occurred_ms, "occurred_at")
    return Event(
        topic=topic,
        partition=partition,
        offset=offset,
        event_id=event_id,
        type=event_type,
        customer_id=customer_id,
        occurred_ms=occurred_ms,
        data=data,
    )


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether a decoded JSON value has objects or arrays inside each other more than so often."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return False
    if not levels:
        return True
    inner = value.values() if kind is dict else value
    return any(_is_deeper(each, levels - 1) for each in inner)


def _wrong(field: str, expected: str, got: object) -> EventError:
    return EventError("envelope", f"{field}: expected {expected}, got {_name(got)}")


def _name(value: object) -> str:
    """The JSON name of a value's type: never the value, which may be personal."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    names = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")
