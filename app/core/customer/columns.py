"""The columns of a customer's record: groups of fields that are used together.

A column is the msgpack array of its fields, in the order of its class below, or nothing at all
while every field has its default. New fields go at the end of a column with a default: a reader of
an older record fills them in, and one of an older release leaves them out.
"""

from typing import Any, Final

import msgspec

from app.core.customer.parts import Entered, FactState, Purchases, StoppedStart
from app.core.numbers import Number


class StoredStep(msgspec.Struct, array_like=True, gc=False):
    """What a record has of a ``PendingStep``."""

    step: int
    due_ms: int
    fire_ms: int
    deferred: bool = False
    parked: bool = False
    slot: tuple[str, int] | None = None
    was_patient: bool = False
    awaits: bool = False


class StoredInstance(msgspec.Struct, array_like=True, gc=False):
    """What a record has of an ``Instance``; ``data`` and ``cause`` are decoded when asked for."""

    trigger: str
    key: str
    anchor_ms: int
    data: msgspec.Raw
    cause: msgspec.Raw
    steps: list[StoredStep]
    is_delivery: bool = False
    decided: int = 0
    sent: int = 0
    step_marks: list[int] = []
    size: int = 0
    opened_by: str | None = None
    audience: str | None = None


#: Fields of ``State`` that stay bytes until they are asked for: an event looks at some of them.
KEPT: Final[dict[str, Any]] = {
    "cancels_ms": dict[str, dict[str, int]],
    "frequencies_ms": dict[str, dict[str, list[int]]],
    "starts_ms": dict[str, dict[str, list[int]]],
    "stopped": list[StoppedStart],
}
_EMPTY_MAP: Final = msgspec.Raw(msgspec.msgpack.encode({}))
_EMPTY_ARRAY: Final = msgspec.Raw(msgspec.msgpack.encode([]))


class State(msgspec.Struct, array_like=True, gc=False):
    """What nearly every event or timer looks at: decoded with the record, but for ``KEPT``."""

    applied: dict[str, int] = {}
    seen: bytes = b""
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    views_ms: list[int] = []
    instances: list[StoredInstance] = []
    identities: dict[str, bytes] = {}
    cancels_ms: msgspec.Raw = _EMPTY_MAP
    cancels_all_ms: dict[str, int] = {}
    frequencies_ms: msgspec.Raw = _EMPTY_MAP
    starts_ms: msgspec.Raw = _EMPTY_MAP
    fired_years: dict[str, int] = {}
    last_seen_ms: int | None = None
    first_order_ms: int | None = None
    last_order_ms: int | None = None
    last_purchase_ms: int | None = None
    discounted: int = 0
    has_profile: bool = False
    facts_version: str = ""
    reached: dict[str, list[Number]] = {}
    entered: dict[str, list[Entered]] = {}
    stopped: msgspec.Raw = _EMPTY_ARRAY
    decide_from_ms: int = 0
    merged_into: str | None = None
    merged_at_ms: int = 0
    erased_ms: int = 0


class Profile(msgspec.Struct, array_like=True, gc=False):
    """Who the customer is, and what may be sent to them."""

    profile: dict[str, Any] = {}
    profile_ms: dict[str, int] = {}
    address_ms: dict[str, int] = {}
    consent_given_ms: dict[str, int] = {}
    unsubscribed_ms: dict[str, int] = {}
    bounced_ms: dict[str, int] = {}
    complained_ms: dict[str, int] = {}
    bounced: dict[str, list[str]] = {}
    soft_bounces_ms: dict[str, dict[str, list[int]]] = {}
    mail_taken_ms: dict[str, int] = {}


class Sends(msgspec.Struct, array_like=True, gc=False):
    """What was sent, each a ``Sent`` that is decoded when asked for, and when the customer opens
    it.
    """

    sends: list[msgspec.Raw] = []
    opened_minutes: list[int] = []


class Bought(msgspec.Struct, array_like=True, gc=False):
    """The purchases that can be taken back."""

    purchases: dict[str, Purchases] = {}


class Facts(msgspec.Struct, array_like=True, gc=False):
    """The facts that the rules declare."""

    facts: dict[str, FactState] = {}
