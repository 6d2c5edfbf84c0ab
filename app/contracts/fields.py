"""The fields of an event's ``data``: what rules read in them, and examples.

Whatever a data field holds, the event is accepted; of the wrong type it is of no use to a rule. So
schemas say the type in an annotation (``x-reads-as``), which refuses nothing, and
``triggers publish --check`` warns. Profile fields are another matter: a wrong one is refused.
"""

from typing import Any, Final

from app.contracts import Schema
from app.core.events import DATA_FIELDS

#: The annotation: the schema of values that rules can use.
READS_AS: Final = "x-reads-as"

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

#: Read by the engine itself, not by rules.
HARD: Final[tuple[Schema, str]] = (
    {"type": "boolean"},
    "False for a soft bounce; anything else, or nothing, is a hard one: the channel is closed"
    " until the address changes.",
)

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
