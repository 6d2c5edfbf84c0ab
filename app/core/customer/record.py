"""The record of one customer: everything the engine knows of them."""

from dataclasses import dataclass, field, fields
from typing import Any, Final

import msgspec

from app.core.numbers import Number
from app.core.recorded import Cause, SendRequest
from app.core.time.instants import END_OF_TIME_MS

#: Bytes of an entry of ``Customer.seen`` and of ``Customer.identities``.
DIGEST_BYTES: Final = 8


class PendingStep(msgspec.Struct, array_like=True, gc=False):
    """A step not yet finally decided, and when its timer fires.

    That is its due time or, deferred, its next eligible time; under arbitration the end of the
    bucket that this falls in.
    """

    step: int
    due_ms: int
    fire_ms: int
    deferred: bool = False
    #: came up while the partition was not current: decided when it is
    parked: bool = False
    #: channel and instant of the slot of the send rate that the step waits for
    slot: tuple[str, int] | None = None
    #: it has waited, or waits, for the customer's first profile update
    was_patient: bool = False

    @property
    def waits(self) -> bool:
        """Whether it came up and got no final verdict yet."""
        return self.deferred or self.parked

    #: it counts from what an earlier step leads to, which has not come yet; ``due_ms`` and
    #: ``fire_ms`` are then when it goes undecided
    awaits: bool = False


class Instance(msgspec.Struct, array_like=True, gc=False):
    """One run of a trigger for one key, in the record while any of its steps is undecided."""

    trigger: str
    key: str
    anchor_ms: int
    data: dict[str, Any]
    cause: Cause
    steps: list[PendingStep]
    #: the anchoring event was a ``delivered``
    is_delivery: bool = False
    #: bit n: step n has a verdict other than ``defer``; it was sent (or ghost sent), not recalled
    decided: int = 0
    sent: int = 0
    #: by step, what its send led to (``app.core.triggers.journey``); as long as needed
    step_marks: list[int] = []
    #: length of ``data`` as msgpack, bytes
    size: int = 0
    #: the customer that it was opened for, when that one was merged into this one since
    opened_by: str | None = None
    #: the experiment with an audience that the customer was in when the instance opened
    audience: str | None = None

    @property
    def waits(self) -> bool:
        """Whether a step came up and got no final verdict yet."""
        return any(pending.waits for pending in self.steps)


class Sent(msgspec.Struct, array_like=True, gc=False):
    """A send or ghost send, remembered while a window, a recall, a cooldown or attribution can
    ask for it.
    """

    decided_ms: int
    due_ms: int
    trigger: str
    family: str
    key: str
    anchor_ms: int
    step: int
    channel: str
    is_marketing: bool
    is_ghost: bool
    request_id: str
    cause: Cause
    #: an open or a click named it
    is_opened: bool = False
    #: (name, variant)
    experiment: tuple[str, str] | None = None
    #: what went out when it is not what the trigger's step says
    template: str | None = None
    #: of a send anchored at a ``delivered``: its order, empty when it names none
    delivered_order: str | None = None
    #: which kinds of outcome have been recorded against it (``app.core.attribution.led_to``)
    recorded: int = 0
    #: the newest opens and clicks that named it, in order of time
    opened_ms: list[int] = []
    clicked_ms: list[int] = []
    #: segments and cluster of the customer in its decision, and the design of the experiment
    segments: list[str] = []
    cluster: str | None = None
    design: str | None = None
    #: where it went
    address: str | None = None
    #: what was put on ``dispatch``, for as long as a recall can have to repeat it
    request: SendRequest | None = None
    #: opens and clicks by scanners and privacy proxies
    machine_opens: int = 0
    #: the customer that it went to, when that one was merged into this one since
    opened_by: str | None = None


class Purchase(msgspec.Struct, array_like=True, gc=False):
    """An order or booking that a cancellation can still take back, and what it added."""

    #: empty: it cannot be cancelled
    id: str
    occurred_ms: int
    #: data field -> amount in the sum of that field
    amounts: dict[str, Number]
    is_discounted: bool


class Purchases(msgspec.Struct, array_like=True, gc=False):
    """The purchases of one type: the last ones by arrival, and of the others what is needed."""

    kept: list[Purchase] = []
    #: id -> newest cancellation, the last ids, oldest first
    cancelled: dict[str, int] = {}
    #: first and last of those that are no longer kept
    first_ms: int | None = None
    last_ms: int | None = None


class Entered(msgspec.Struct, array_like=True, gc=False):
    """An instance that counts for ``once`` and ``limit`` of its trigger after it has ended."""

    key: str
    anchor_ms: int
    #: bit n: step n was sent (or ghost sent), not recalled; an instance without any does not count
    sent: int


class StoppedStart(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event that opened no instance although its trigger names its type, and why not."""

    trigger: str
    key: str
    occurred_ms: int
    reason: str


class FactDay(msgspec.Struct, array_like=True, gc=False):
    """The values of one day (UTC) that a rolling fact no longer holds one by one."""

    day: int
    count: int
    total: Number
    least: Number
    most: Number
    first: tuple[int, Any]


class FactState(msgspec.Struct, array_like=True, gc=False):
    """What one declared fact has gathered; which of these it uses depends on what it asks."""

    count: int = 0
    total: Number = 0
    #: (occurred_at in epoch ms, value), oldest first
    values: list[tuple[int, Any]] = []
    #: oldest first
    days: list[FactDay] = []


@dataclass(slots=True, eq=False)
class Customer:
    """One customer's record, changed in place, by the core only.

    ``applied``, ``outbox`` and ``erased_ms`` belong to the processor (which source offsets the
    record contains, and what is not yet known to be on Kafka); the core does not read them.

    A record that was read from bytes decodes some fields when they are first asked for
    (``app.core.customer.codec``). Two records are equal when all of their fields are.
    """

    customer_id: str
    applied: dict[str, int] = field(default_factory=dict)
    outbox: list[bytes] = field(default_factory=list)
    #: digests of the last event ids, 8 bytes each, oldest first
    seen: bytes = b""
    profile: dict[str, Any] = field(default_factory=dict)
    #: profile field (``consent.email``, ``attributes.tier``) -> occurred_at of its last writer
    profile_ms: dict[str, int] = field(default_factory=dict)
    #: address field -> when it last changed to another value
    address_ms: dict[str, int] = field(default_factory=dict)
    #: channel -> last profile update that gave consent; last unsubscription (``*``: from all);
    #: last hard bounce; first complaint
    consent_given_ms: dict[str, int] = field(default_factory=dict)
    unsubscribed_ms: dict[str, int] = field(default_factory=dict)
    bounced_ms: dict[str, int] = field(default_factory=dict)
    complained_ms: dict[str, int] = field(default_factory=dict)
    #: events by type, and sums by ``type.field``
    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    first_order_ms: int | None = None
    last_order_ms: int | None = None
    last_purchase_ms: int | None = None
    #: product views of the last 30 days, oldest first
    views_ms: list[int] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    #: trigger -> key -> last cancel seen; trigger -> last cancel seen that named no key
    cancels_ms: dict[str, dict[str, int]] = field(default_factory=dict)
    cancels_all_ms: dict[str, int] = field(default_factory=dict)
    #: trigger -> key -> newest times that still count
    frequencies_ms: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    #: anniversary trigger -> last year that fired
    fired_years: dict[str, int] = field(default_factory=dict)
    #: in the order of their decisions
    sends: list[Sent] = field(default_factory=list)
    #: trigger -> key -> time of the newest start read, the last in the list: older releases kept
    #: several
    starts_ms: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    #: the earliest ``fire_ms`` of all steps, END_OF_TIME_MS without one; None: to be computed
    due_ms: int | None = END_OF_TIME_MS
    #: the last opens and clicks in order of arrival, in minutes since the epoch: whole minutes
    #: are enough to tell the local hour in any zone
    opened_minutes: list[int] = field(default_factory=list)
    #: purchases at a reduced price
    discounted: int = 0
    #: purchase type -> its purchases; ``counts`` and ``sums`` of these types are net
    purchases: dict[str, Purchases] = field(default_factory=dict)
    #: last event of a known type on a topic other than profiles and engagement
    last_seen_ms: int | None = None
    #: declared fact -> what it has gathered, and which declarations these were
    facts: dict[str, FactState] = field(default_factory=dict)
    facts_version: str = ""
    #: milestone trigger -> marks that a step was decided for, ascending: reached for good
    reached: dict[str, list[Number]] = field(default_factory=dict)
    #: a profile update has been applied
    has_profile: bool = False
    #: channel -> addresses that bounced, the last ones, oldest first
    bounced: dict[str, list[str]] = field(default_factory=dict)
    #: channel -> address -> soft bounces that count; channel -> last delivery, open or click
    soft_bounces_ms: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    mail_taken_ms: dict[str, int] = field(default_factory=dict)
    #: trigger -> identities (key and anchor) of its last instances, 8 bytes each, oldest first:
    #: none of them opens a second time
    identities: dict[str, bytes] = field(default_factory=dict)
    #: trigger with ``once`` or ``limit`` -> its instances of which a step was sent
    entered: dict[str, list[Entered]] = field(default_factory=dict)
    #: the last starts that opened nothing, oldest first
    stopped: list[StoppedStart] = field(default_factory=list)
    #: steps that are due before it are closed undecided: their events came as history (0: none did)
    decide_from_ms: int = 0
    #: the customer that this one was merged into, and when that arrived
    merged_into: str | None = None
    merged_at_ms: int = 0
    #: when the last erasure of the customer was published: what a merged customer's record sends
    #: on of before is not taken
    erased_ms: int = 0
    #: bytes of the record when it was last measured, and about how many came since; not written
    #: (``app.core.customer.bound``)
    about_bytes: int = field(default=0, init=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Customer):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in FIELDS)

    def copy(self, **changes: Any) -> "Customer":
        """Another record of the same values, with these in place of some."""
        return Customer(**({name: getattr(self, name) for name in FIELDS} | changes))

    def next_due_ms(self) -> int:
        """When this customer's earliest timer fires; END_OF_TIME_MS without one."""
        due_ms = self.due_ms
        if due_ms is not None:
            return due_ms
        due_ms = END_OF_TIME_MS
        for instance in self.instances:
            for step in instance.steps:
                if step.fire_ms < due_ms and not step.parked:
                    due_ms = step.fire_ms
        self.due_ms = due_ms
        return due_ms

    def has_parked(self) -> bool:
        """Whether any step waits for the partition to be current."""
        for instance in self.instances:
            for step in instance.steps:
                if step.parked:
                    return True
        return False

    def timer_gone(self, fire_ms: int) -> None:
        """Take note that a timer was taken out, or moved from there."""
        due_ms = self.due_ms
        if due_ms is not None and fire_ms <= due_ms:
            self.due_ms = None

    def timer_added(self, fire_ms: int) -> None:
        """Take note that a timer was put in."""
        due_ms = self.due_ms
        if due_ms is not None and fire_ms < due_ms:
            self.due_ms = fire_ms


#: The fields of a record that are written, in the order of declaration.
FIELDS: Final = tuple(each.name for each in fields(Customer) if each.init)
