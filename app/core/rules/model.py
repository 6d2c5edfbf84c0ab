"""The compiled rules file: what the engine consults, indexed by event type."""

from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from app.core.rules.conditions import Condition, Getter
from app.core.rules.kind import Kind
from app.core.rules.tokens import Token
from app.core.time.instants import DAY_MS, MINUTE_MS

DEFAULT_PRIORITY: Final = 50
DEFAULT_EXPIRES_MS: Final = DAY_MS
DEFAULT_RECALL_WINDOW_MS: Final = 15 * MINUTE_MS
DEFAULT_MAX_CONCURRENT_EXPERIMENTS: Final = 3
DEFAULT_ATTRIBUTION_MS: Final = 7 * DAY_MS
#: An outcome of a send may arrive so much later than it occurred and still find it.
LATENESS_MS: Final = 2 * DAY_MS
DEFAULT_HORIZON_MS: Final = DAY_MS
DEFAULT_MIN_OPENS: Final = 5
DEFAULT_CHANNELS: Final = {
    "email": {"requires": "email"},
    "sms": {"requires": "phone"},
    "push": {"requires": "push_token"},
}


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A way to reach people; ``requires`` is the profile field that holds the address."""

    name: str
    requires: str
    address: Getter
    consent_default: bool
    #: those that count sends on this channel
    caps: tuple["Cap", ...]


class SendTime(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for the customer's best hour when it begins by due + ``horizon_ms``."""

    horizon_ms: int
    min_opens: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One message of an instance, due ``after_ms`` past the anchor."""

    after_ms: int
    when: Condition | None
    #: None: the first of ``templates`` whose condition holds
    template: str | None
    templates: tuple[tuple[Condition | None, str], ...]
    channels: tuple[str, ...]
    send_time: SendTime | None


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of an experiment: customers whose bucket is under ``below`` and under no earlier one.

    ``steps`` are the trigger's with what the variant changes. ``cooldown`` takes the place of the
    trigger's: (ms, ms for a fatigued customer).
    """

    name: str
    below: int
    is_ghost: bool
    steps: tuple[Step, ...]
    cooldown: tuple[int, int] | None = None


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Instances anchored at start <= t < end are divided among the variants.

    ``audience`` is asked when an instance opens. ``design`` tells this experiment's plan from any
    other: 16 hexadecimal digits of the SHA-256 of its entry in the rules file.
    """

    name: str
    design: str
    audience: Condition | None
    salt: str
    start_ms: int
    end_ms: int
    variants: tuple[Variant, ...]


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: what opens its instances, what ends them, and the messages in between."""

    name: str
    kind: Kind
    #: as it is written on what goes out
    category: Literal["marketing", "transactional"]
    is_marketing: bool
    priority: int
    family: str
    expires_ms: int
    when: Condition | None
    cancel: frozenset[str]
    #: the data field by which a cancel event names one instance; None: it means all
    key_field: str | None
    steps: tuple[Step, ...]
    experiment: Experiment | None
    tokens: tuple[Token, ...]
    #: whether instances keep ``event.items``, because a condition or token reads it
    keeps_items: bool


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``limit`` marketing sends at t > now - ``per_ms``, on one channel or over all.

    ``fatigued_limit`` takes the limit's place for a fatigued customer.
    """

    limit: int
    fatigued_limit: int
    per_ms: int
    channel: str | None


class Fatigue(msgspec.Struct, frozen=True, kw_only=True):
    """Who got ``min_sends`` at t > now - ``window_ms`` and opened less than that share of them.

    ``cooldown_ms`` is the cooldown that holds for them.
    """

    window_ms: int
    min_sends: int
    open_rate_below: float
    cooldown_ms: int


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """[start, end) in minutes of the customer's local day; may pass midnight."""

    start: int
    end: int
    channels: frozenset[str]


class Holdout(msgspec.Struct, frozen=True, kw_only=True):
    """The share of customers whose marketing messages are decided and not sent."""

    percent: float
    salt: str


class TypePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one event type touches, best priority first: found once, not at each event.

    ``opens`` are the triggers that it may open an instance of, or (inactivity) move.
    """

    cancels: tuple[Trigger, ...] = ()
    opens: tuple[Trigger, ...] = ()
    #: those that need their key in the event, which is a dead letter without
    keyed: tuple[Trigger, ...] = ()
    summed: tuple[str, ...] = ()
    #: it is of a topic other than profiles and engagement
    is_activity: bool = False
    #: the triggers that open by a counter which it can take back
    takes_back: tuple[Trigger, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """A rules file, validated and compiled. ``version`` is the SHA-256 of the file."""

    version: str
    timezone: ZoneInfo
    currency: str | None
    channels: dict[str, Channel]
    #: the profile fields that channels need
    addresses: frozenset[str]
    cooldown_ms: int
    caps: tuple[Cap, ...]
    fatigue: Fatigue | None
    #: marketing steps are decided at the ends of buckets of this length; 0: when they are due
    arbitration_ms: int
    quiet_hours: QuietHours | None
    holdout: Holdout | None
    recall_window_ms: int
    #: what a customer does so long after a send is recorded as its outcome
    attribution_ms: int
    triggers: dict[str, Trigger]
    #: topic -> event type -> what it touches
    plans: dict[str, dict[str, TypePlan]]
    #: those whose instances follow dates of the record
    dated: tuple[Trigger, ...]
    #: sends are remembered at least this long
    memory_ms: int
    document: dict[str, Any]
