"""The fields of an event's ``data``: which each type has, of which types, and examples.

Schemas say the types that rules can use. The engine is more patient: whatever a data field holds,
the event is accepted, and a value of another type counts as missing (``triggers publish --check``
warns). Profile fields are another matter: a wrong one is refused.
"""

from typing import Any, Final

from app.contracts import Schema
from app.contracts.patterns import DATE, RFC3339
from app.core.events import BUILT_IN_FIELDS, DATA_FIELDS, FieldType
from app.core.rules.taxonomy import Taxonomy
from app.core.time.instants import MAX_MS, MIN_MS

_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "number"}
_KEY: Final[Schema] = {"type": ["string", "integer"]}

#: data field -> (what a rule can use, in words)
READ: Final[dict[str, tuple[Schema, str]]] = {
    "cart_id": (_KEY, "Which cart."),
    "order_id": (_KEY, "Which order."),
    "booking_id": (_KEY, "Which booking."),
    "session_id": (_KEY, "Which visit."),
    "sku": (_KEY, "Which product."),
    "category": (_TEXT, "The product's category."),
    "price": (_NUMBER, "Money, of one product."),
    "value": (_NUMBER, "Money, of the whole cart, order or booking."),
    "currency": (
        {"type": "string", "pattern": "^[A-Z]{3}$"},
        "ISO 4217, of all money in the event. Rules compare in one currency and do not convert.",
    ),
    "items": ({"type": "array"}, "What is in the cart, order or booking."),
    "request_id": (_TEXT, "The message this is about: request_id of the send request."),
    "channel": (_TEXT, "The message's channel."),
    "old_price": (_NUMBER, "Money, before."),
    "new_price": (_NUMBER, "Money, now."),
    "on_time": ({"type": "boolean"}, "Whether it came when it was promised."),
    "margin": (_NUMBER, "Money: what the purchase earned."),
    "score": (_NUMBER, "The answer to a survey, as a number."),
    "theme": (_TEXT, "What a survey's answer is about, like delivery or price."),
}
assert READ.keys() == DATA_FIELDS

#: An instant, as events write them.
INSTANT: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": RFC3339},
        {"type": "integer", "minimum": MIN_MS, "maximum": MAX_MS},
    ]
}
#: type of a declared field -> what values it takes
DECLARED: Final[dict[FieldType, Schema]] = {
    FieldType.TEXT: _KEY,
    FieldType.NUMBER: _NUMBER,
    FieldType.MONEY: _NUMBER,
    FieldType.TIME: INSTANT,
    FieldType.DATE: {"type": "string", "pattern": DATE},
    FieldType.FLAG: {"type": "boolean"},
    FieldType.ITEMS: {"type": "array"},
}
_DECLARED_EXAMPLES: Final[dict[FieldType, Any]] = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: 1.5,
    FieldType.MONEY: 69.5,
    FieldType.TIME: "2026-03-15T08:30:00.000Z",
    FieldType.DATE: "2026-03-15",
    FieldType.FLAG: True,
    FieldType.ITEMS: [{"sku": "shoe-1"}],
}

#: Read by the engine itself, not by rules.
HARD: Final[tuple[Schema, str]] = (
    {"type": "boolean"},
    "False for a soft bounce; anything else, or nothing, is a hard one: the channel is closed"
    " until the address changes.",
)

MACHINE: Final[tuple[Schema, str]] = (
    {"type": "boolean"},
    "True for an open or click by a scanner or a privacy proxy: for the engine the customer has"
    " done nothing.",
)
#: event type -> such fields of it
ENGINE_FIELDS: Final[dict[str, dict[str, tuple[Schema, str]]]] = {
    "message_bounced": {"hard": HARD},
    "message_opened": {"machine": MACHINE},
    "message_clicked": {"machine": MACHINE},
}

_ORDER: Final = {"order_id": "o-5001", "value": 69.5, "currency": "EUR"}
_BOOKING: Final = {"booking_id": "b-77", "value": 420.0, "currency": "EUR"}
_MESSAGE: Final = {"request_id": "1f0c2e0a-6c1b-5c55-9f0e-3f1f2ad1c001", "channel": "email"}

#: event type -> the data of an example
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "product_viewed": {"sku": "shoe-1", "category": "shoes", "price": 69.5, "currency": "EUR"},
    "cart_updated": {
        "cart_id": "k-17",
        "value": 69.5,
        "currency": "EUR",
        "items": [{"sku": "shoe-1"}],
    },
    "cart_emptied": {"cart_id": "k-17"},
    "checkout_started": {"cart_id": "k-17", "value": 69.5, "currency": "EUR"},
    "order_placed": _ORDER | {"cart_id": "k-17", "margin": 12.0, "items": [{"sku": "shoe-1"}]},
    "payment_verified": _ORDER,
    "payment_failed": _ORDER,
    "item_packed": {"order_id": "o-5001"},
    "shipped": {"order_id": "o-5001"},
    "delivered": {"order_id": "o-5001", "on_time": True},
    "refund_requested": _ORDER,
    "order_cancelled": {"order_id": "o-5001"},
    "review_completed": {"order_id": "o-5001", "score": 4},
    "subscribed": {},
    "onboarding_completed": {},
    "support_contacted": {"order_id": "o-5001"},
    "itinerary_saved": _BOOKING,
    "passenger_details_added": {"booking_id": "b-77"},
    "seat_selection_pending": {"booking_id": "b-77"},
    "payment_failure": _BOOKING,
    "price_drop_detected": {
        "booking_id": "b-77",
        "old_price": 420.0,
        "new_price": 380.0,
        "currency": "EUR",
    },
    "booking_confirmed": _BOOKING | {"margin": 31.0},
    "booking_cancelled": {"booking_id": "b-77"},
    "profile_updated": {
        "first_name": "Ada",
        "email": "ada@example.org",
        "timezone": "Europe/Berlin",
        "locale": "de-DE",
        "birthday": "1991-02-28",
        "channels": ["email"],
        "consent": {"email": True},
        "attributes": {"tier": "gold"},
    },
    "customer_merged": {"into": "c-2"},
    "message_delivered": _MESSAGE,
    "message_opened": _MESSAGE,
    "message_clicked": _MESSAGE,
    "message_bounced": _MESSAGE | {"hard": True},
    "message_complained": _MESSAGE,
    "unsubscribed": {"channel": "email"},
    "survey_answered": _MESSAGE | {"score": 9, "theme": "delivery"},
}

_PURCHASE: Final = ("cart_id", "currency", "items", "margin", "session_id", "value")
_PRODUCT: Final = ("category", "currency", "price", "session_id", "sku")
_SENT: Final = ("channel", "request_id")
#: event type -> its fields, in addition to the declared ones
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "product_viewed": _PRODUCT,
    "cart_updated": (*_PRODUCT, "cart_id", "items", "value"),
    "cart_emptied": ("cart_id", "session_id"),
    "checkout_started": ("cart_id", "currency", "items", "session_id", "value"),
    "order_placed": (*_PURCHASE, "category", "new_price", "old_price", "order_id", "price", "sku"),
    "payment_verified": ("currency", "order_id", "value"),
    "payment_failed": ("cart_id", "currency", "order_id", "value"),
    "item_packed": ("order_id", "sku"),
    "shipped": ("order_id", "sku"),
    "delivered": ("category", "items", "on_time", "order_id", "sku"),
    "refund_requested": ("currency", "order_id", "sku", "value"),
    "order_cancelled": ("currency", "order_id", "value"),
    "review_completed": ("order_id", "score", "sku", "theme"),
    "subscribed": ("category", "channel", "session_id"),
    "onboarding_completed": ("session_id",),
    "support_contacted": ("booking_id", "category", "order_id", "sku", "theme"),
    "itinerary_saved": ("booking_id", "currency", "price", "session_id", "value"),
    "passenger_details_added": ("booking_id", "session_id"),
    "seat_selection_pending": ("booking_id", "session_id"),
    "payment_failure": ("booking_id", "currency", "value"),
    "price_drop_detected": ("booking_id", "category", "currency", "new_price", "old_price", "sku"),
    "booking_confirmed": (*_PURCHASE, "booking_id", "new_price", "old_price", "price"),
    "booking_cancelled": ("booking_id", "currency", "value"),
    **dict.fromkeys(("message_delivered", "message_opened", "message_clicked"), _SENT),
    **dict.fromkeys(("message_bounced", "message_complained", "unsubscribed"), _SENT),
    "survey_answered": (*_SENT, "score", "theme"),
}


def fields_of(taxonomy: Taxonomy, topic: str, name: str) -> dict[str, tuple[Schema, str]]:
    """(values, in words) of each field of the type: its own, and the declared ones."""
    declared = taxonomy.types[topic][name]
    found = {field: READ[field] for field in FIELDS.get(name, ())}
    for field, kind in declared.items():
        found[field] = READ.get(field, (DECLARED[kind], f"Declared in the rules: {kind}."))
    return dict(sorted(found.items()))


def readable(taxonomy: Taxonomy, topic: str, name: str) -> dict[str, Schema]:
    """The values that rules can use of each field that they may name in the type."""
    declared = taxonomy.types[topic][name].items()
    built_in = {field: schema for field, (schema, _) in READ.items()}
    return {**{field: DECLARED[kind] for field, kind in declared}, **built_in}


def example_data(taxonomy: Taxonomy, topic: str, name: str, needed: tuple[str, ...]) -> Any:
    """The data of an example; ``needed`` are fields that it cannot be without."""
    declared = taxonomy.types[topic][name]
    kinds = {field: BUILT_IN_FIELDS[field] for field in needed if field not in declared}
    made = {field: _DECLARED_EXAMPLES[kind] for field, kind in {**kinds, **declared}.items()}
    return made | EXAMPLES.get(name, {})
