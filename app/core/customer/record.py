"""The record of one customer: everything the engine knows of them."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from app.core.customer.column_codec import (
    BOUGHT,
    FACTS,
    PROFILE,
    SENDS,
    read_kept,
    write_array,
)
from app.core.customer.columns import Bought, Facts, Profile, Sends, State
from app.core.customer.instance import Instance
from app.core.customer.open_instances import OpenInstances
from app.core.customer.parts import Entered, FactState, Purchases, Sent, StoppedStart
from app.core.customer.send_log import SendLog
from app.core.numbers import Number
from app.core.time.instants import END_OF_TIME_MS

#: Bytes of an entry of ``Customer.seen`` and of ``Customer.identities``.
DIGEST_BYTES: Final = 8


@dataclass(slots=True, init=False, eq=False, repr=False)
class Customer:
    """One customer's record, changed in place, by the core only.

    ``applied``, ``outbox`` and ``erased_ms`` belong to the processor (which source offsets the
    record contains, and what is not yet known to be on Kafka); the core does not read them.

    The fields that are properties stay bytes, alone or with the others of their column, until one
    of them is asked for or set, and only then are encoded again (``app.core.customer.codec``).
    Asking raises InfrastructureError when they cannot be read. ``open`` and ``send_log`` answer
    about single instances and sends without reading the others. Two records are equal when all of
    their fields are.
    """

    customer_id: str
    outbox: list[bytes]
    #: the earliest ``fire_ms`` of all steps, END_OF_TIME_MS without one; None: to be computed
    due_ms: int | None
    #: bytes of the record when it was last measured, and about how many came since; not written
    #: (``app.core.customer.bound``)
    about_bytes: int
    # what nearly every event or timer looks at, in the order of the column ``State``
    applied: dict[str, int]
    #: digests of the last event ids, 8 bytes each, oldest first
    seen: bytes
    #: events by type, and sums by ``type.field``
    counts: dict[str, int]
    sums: dict[str, float]
    #: product views of the last 30 days, oldest first
    views_ms: list[int]
    open: OpenInstances
    #: trigger -> identities (key and anchor) of its last instances, 8 bytes each, oldest first:
    #: none of them opens a second time
    identities: dict[str, bytes]
    # what properties of these names say, or what a record that was read has of it: ``msgspec.Raw``
    _cancels_ms: Any
    #: trigger -> last cancel seen that named no key
    cancels_all_ms: dict[str, int]
    _frequencies_ms: Any
    _starts_ms: Any
    #: anniversary trigger -> last year that fired
    fired_years: dict[str, int]
    #: last event of a known type on a topic other than profiles and engagement
    last_seen_ms: int | None
    first_order_ms: int | None
    last_order_ms: int | None
    last_purchase_ms: int | None
    #: purchases at a reduced price
    discounted: int
    #: a profile update has been applied
    has_profile: bool
    #: which declarations ``facts`` are of
    facts_version: str
    #: milestone trigger -> marks that a step was decided for, ascending: reached for good
    reached: dict[str, list[Number]]
    #: trigger with ``once`` or ``limit`` -> its instances of which a step was sent
    entered: dict[str, list[Entered]]
    _stopped: Any
    #: steps that are due before it are closed undecided: their events came as history (0: none did)
    decide_from_ms: int
    #: the customer that this one was merged into, and when that arrived
    merged_into: str | None
    merged_at_ms: int
    #: when the last erasure of the customer was published: what a merged customer's record sends
    #: on of before is not taken
    erased_ms: int
    #: the other columns as they were read, and, of those asked for, what is in them now
    _stored: tuple[bytes, bytes, bytes, bytes]
    _profile: Profile | None
    _sends: SendLog | None
    _bought: Bought | None
    _facts: Facts | None

    def __init__(
        self,
        customer_id: str,
        state: State | None = None,
        stored: tuple[bytes, bytes, bytes, bytes] = (b"", b"", b"", b""),
        **values: Any,
    ) -> None:
        """``state`` and ``stored`` are columns that were read; ``values`` are fields by name."""
        self.customer_id = customer_id
        self.outbox = []
        self.due_ms = END_OF_TIME_MS
        self.about_bytes = 0
        (
            self.applied,
            self.seen,
            self.counts,
            self.sums,
            self.views_ms,
            instances,
            self.identities,
            self._cancels_ms,
            self.cancels_all_ms,
            self._frequencies_ms,
            self._starts_ms,
            self.fired_years,
            self.last_seen_ms,
            self.first_order_ms,
            self.last_order_ms,
            self.last_purchase_ms,
            self.discounted,
            self.has_profile,
            self.facts_version,
            self.reached,
            self.entered,
            self._stopped,
            self.decide_from_ms,
            self.merged_into,
            self.merged_at_ms,
            self.erased_ms,
        ) = astuple(State() if state is None else state)
        self.open = OpenInstances(instances)
        self._stored = stored
        self._profile = None
        self._sends = None
        self._bought = None
        self._facts = None
        for name, value in values.items():
            setattr(self, name, value)

    @property
    def instances(self) -> list[Instance]:
        """Those that are open, in the order in which they opened."""
        return self.open.all()

    @instances.setter
    def instances(self, value: list[Instance]) -> None:
        self.open.replace(value)

    @property
    def cancels_ms(self) -> dict[str, dict[str, int]]:
        """Trigger -> key -> last cancel seen."""
        if type(self._cancels_ms) is Raw:
            self._cancels_ms = read_kept("cancels_ms", self._cancels_ms)
        cancels_ms: dict[str, dict[str, int]] = self._cancels_ms
        return cancels_ms

    @cancels_ms.setter
    def cancels_ms(self, value: dict[str, dict[str, int]]) -> None:
        self._cancels_ms = value

    @property
    def frequencies_ms(self) -> dict[str, dict[str, list[int]]]:
        """Trigger -> key -> newest times that still count."""
        if type(self._frequencies_ms) is Raw:
            self._frequencies_ms = read_kept("frequencies_ms", self._frequencies_ms)
        frequencies_ms: dict[str, dict[str, list[int]]] = self._frequencies_ms
        return frequencies_ms

    @frequencies_ms.setter
    def frequencies_ms(self, value: dict[str, dict[str, list[int]]]) -> None:
        self._frequencies_ms = value

    @property
    def starts_ms(self) -> dict[str, dict[str, list[int]]]:
        """Trigger -> key -> time of the newest start read, the last in the list: older releases
        kept several.
        """
        if type(self._starts_ms) is Raw:
            self._starts_ms = read_kept("starts_ms", self._starts_ms)
        starts_ms: dict[str, dict[str, list[int]]] = self._starts_ms
        return starts_ms

    @starts_ms.setter
    def starts_ms(self, value: dict[str, dict[str, list[int]]]) -> None:
        self._starts_ms = value

    @property
    def stopped(self) -> list[StoppedStart]:
        """The last starts that opened nothing, oldest first."""
        if type(self._stopped) is Raw:
            self._stopped = read_kept("stopped", self._stopped)
        stopped: list[StoppedStart] = self._stopped
        return stopped

    @stopped.setter
    def stopped(self, value: list[StoppedStart]) -> None:
        self._stopped = value

    def _read_profile(self) -> Profile:
        column = self._profile = PROFILE.read(self._stored[0])
        return column

    @property
    def profile(self) -> dict[str, Any]:
        """Its fields, as ``profile_updated`` has them."""
        return (self._profile or self._read_profile()).profile

    @profile.setter
    def profile(self, value: dict[str, Any]) -> None:
        (self._profile or self._read_profile()).profile = value

    @property
    def profile_ms(self) -> dict[str, int]:
        """Profile field (``consent.email``, ``attributes.tier``) -> ``occurred_at`` of its last
        writer.
        """
        return (self._profile or self._read_profile()).profile_ms

    @profile_ms.setter
    def profile_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).profile_ms = value

    @property
    def address_ms(self) -> dict[str, int]:
        """Address field -> when it last changed to another value."""
        return (self._profile or self._read_profile()).address_ms

    @address_ms.setter
    def address_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).address_ms = value

    @property
    def consent_given_ms(self) -> dict[str, int]:
        """Channel -> last profile update that gave consent."""
        return (self._profile or self._read_profile()).consent_given_ms

    @consent_given_ms.setter
    def consent_given_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).consent_given_ms = value

    @property
    def unsubscribed_ms(self) -> dict[str, int]:
        """Channel -> last unsubscription (``*``: from all)."""
        return (self._profile or self._read_profile()).unsubscribed_ms

    @unsubscribed_ms.setter
    def unsubscribed_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).unsubscribed_ms = value

    @property
    def bounced_ms(self) -> dict[str, int]:
        """Channel -> last hard bounce."""
        return (self._profile or self._read_profile()).bounced_ms

    @bounced_ms.setter
    def bounced_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).bounced_ms = value

    @property
    def complained_ms(self) -> dict[str, int]:
        """Channel -> first complaint."""
        return (self._profile or self._read_profile()).complained_ms

    @complained_ms.setter
    def complained_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).complained_ms = value

    @property
    def bounced(self) -> dict[str, list[str]]:
        """Channel -> addresses that bounced, the last ones, oldest first."""
        return (self._profile or self._read_profile()).bounced

    @bounced.setter
    def bounced(self, value: dict[str, list[str]]) -> None:
        (self._profile or self._read_profile()).bounced = value

    @property
    def soft_bounces_ms(self) -> dict[str, dict[str, list[int]]]:
        """Channel -> address -> soft bounces that count."""
        return (self._profile or self._read_profile()).soft_bounces_ms

    @soft_bounces_ms.setter
    def soft_bounces_ms(self, value: dict[str, dict[str, list[int]]]) -> None:
        (self._profile or self._read_profile()).soft_bounces_ms = value

    @property
    def mail_taken_ms(self) -> dict[str, int]:
        """Channel -> last delivery, open or click."""
        return (self._profile or self._read_profile()).mail_taken_ms

    @mail_taken_ms.setter
    def mail_taken_ms(self, value: dict[str, int]) -> None:
        (self._profile or self._read_profile()).mail_taken_ms = value

    @property
    def send_log(self) -> SendLog:
        """What was sent, and when the customer opens it."""
        log = self._sends
        if log is None:
            column = SENDS.read(self._stored[1])
            log = self._sends = SendLog(column.sends, column.opened_minutes)
        return log

    @property
    def sends(self) -> list[Sent]:
        """In the order of their decisions."""
        return self.send_log.all()

    @sends.setter
    def sends(self, value: list[Sent]) -> None:
        self.send_log.replace(value)

    @property
    def opened_minutes(self) -> list[int]:
        """The last opens and clicks in order of arrival, in minutes since the epoch: whole minutes
        are enough to tell the local hour in any zone.
        """
        return self.send_log.opened_minutes

    @opened_minutes.setter
    def opened_minutes(self, value: list[int]) -> None:
        self.send_log.opened_minutes = value

    def _read_bought(self) -> Bought:
        column = self._bought = BOUGHT.read(self._stored[2])
        return column

    @property
    def purchases(self) -> dict[str, Purchases]:
        """Purchase type -> its purchases; ``counts`` and ``sums`` of these types are net."""
        return (self._bought or self._read_bought()).purchases

    @purchases.setter
    def purchases(self, value: dict[str, Purchases]) -> None:
        (self._bought or self._read_bought()).purchases = value

    def _read_facts(self) -> Facts:
        column = self._facts = FACTS.read(self._stored[3])
        return column

    @property
    def facts(self) -> dict[str, FactState]:
        """Declared fact -> what it has gathered."""
        return (self._facts or self._read_facts()).facts

    @facts.setter
    def facts(self, value: dict[str, FactState]) -> None:
        (self._facts or self._read_facts()).facts = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Customer):
            return NotImplemented
        return self._values() == other._values()

    def _values(self) -> tuple[Any, ...]:
        """What makes two records equal."""
        columns = (write_array(self.state()), *self.columns())
        read = [msgspec.msgpack.decode(column) if column else None for column in columns]
        return self.customer_id, self.outbox, self.due_ms, read

    def copy(self, **changes: Any) -> "Customer":
        """Another record of the same values, with these in place of some."""
        values = {name: getattr(self, name) for name in FIELDS} | changes
        return Customer(values.pop("customer_id"), **values)

    def state(self) -> tuple[Any, ...]:
        """The fields of the column ``State``, as it has them."""
        return (
            self.applied,
            self.seen,
            self.counts,
            self.sums,
            self.views_ms,
            self.open.stored(),
            self.identities,
            self._cancels_ms,
            self.cancels_all_ms,
            self._frequencies_ms,
            self._starts_ms,
            self.fired_years,
            self.last_seen_ms,
            self.first_order_ms,
            self.last_order_ms,
            self.last_purchase_ms,
            self.discounted,
            self.has_profile,
            self.facts_version,
            self.reached,
            self.entered,
            self._stopped,
            self.decide_from_ms,
            self.merged_into,
            self.merged_at_ms,
            self.erased_ms,
        )

    def columns(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The columns but the state and the outbox: those that were asked for encoded again."""
        profile, sends, bought, facts = self._stored
        if self._profile is not None:
            profile = PROFILE.write(self._profile)
        log = self._sends
        if log is not None:
            sends = SENDS.write(Sends(log.stored(), log.opened_minutes))
        if self._bought is not None:
            bought = BOUGHT.write(self._bought)
        if self._facts is not None:
            facts = FACTS.write(self._facts)
        return profile, sends, bought, facts

    def next_due_ms(self) -> int:
        """When this customer's earliest timer fires; END_OF_TIME_MS without one."""
        due_ms = self.due_ms
        if due_ms is not None:
            return due_ms
        due_ms = self.due_ms = self.open.earliest_ms()
        return due_ms

    def has_parked(self) -> bool:
        """Whether any step waits for the partition to be current."""
        return self.open.has_parked()

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


#: The fields of a record that are written, in the order that version 1 has them in.
FIELDS: Final = (
    "customer_id",
    "applied",
    "outbox",
    "seen",
    "profile",
    "profile_ms",
    "address_ms",
    "consent_given_ms",
    "unsubscribed_ms",
    "bounced_ms",
    "complained_ms",
    "counts",
    "sums",
    "first_order_ms",
    "last_order_ms",
    "last_purchase_ms",
    "views_ms",
    "instances",
    "cancels_ms",
    "cancels_all_ms",
    "frequencies_ms",
    "fired_years",
    "sends",
    "starts_ms",
    "due_ms",
    "opened_minutes",
    "discounted",
    "purchases",
    "last_seen_ms",
    "facts",
    "facts_version",
    "reached",
    "has_profile",
    "bounced",
    "soft_bounces_ms",
    "mail_taken_ms",
    "identities",
    "entered",
    "stopped",
    "decide_from_ms",
    "merged_into",
    "merged_at_ms",
    "erased_ms",
)
