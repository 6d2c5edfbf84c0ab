"""The compiled rules file: what the engine consults, indexed by event type."""

from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from app.core.rules.conditions import Condition, Getter
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


class OnEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Each event of a type in ``types`` opens an instance."""

    types: tuple[str, ...]


class Abandonment(msgspec.Struct, frozen=True, kw_only=True):
    """A start that nothing ends in time."""

    types: tuple[str, ...]
    key: str


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """A counter (``field`` None: of events; else the sum of that data field) reaches its mark."""

    type: str
    field: str | None
    mark: float
    is_repeating: bool


class Inactivity(msgspec.Struct, frozen=True, kw_only=True):
    """Silence after an event of ``types``."""

    types: tuple[str, ...]


class Anniversary(msgspec.Struct, frozen=True, kw_only=True):
    """A date that comes again each year, at ``minute`` past local midnight.

    ``source`` is ``profile`` (a date as text) or ``customer`` (an instant, its local date).
    """

    source: Literal["profile", "customer"]
    date: Getter
    minute: int


class Frequency(msgspec.Struct, frozen=True, kw_only=True):
    """``times`` events of ``types`` with one key at t > the last one's time - ``within_ms``."""

    types: tuple[str, ...]
    key: str | None
    times: int
    within_ms: int


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of an experiment: customers whose bucket is under ``below`` and under no earlier one.

    ``steps`` are the trigger's with what the variant changes.
    """

    name: str
    below: int
    is_ghost: bool
    steps: tuple[Step, ...]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Instances anchored at start <= t < end are divided among the variants."""

    name: str
    salt: str
    start_ms: int
    end_ms: int
    variants: tuple[Variant, ...]


Kind = OnEvent | Abandonment | Milestone | Inactivity | Anniversary | Frequency


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

    ``tired_limit`` takes the limit's place for a fatigued customer.
    """

    limit: int
    tired_limit: int
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
    abandonments: tuple[tuple[Trigger, str], ...] = ()
    summed: tuple[str, ...] = ()


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
    anniversaries: tuple[Trigger, ...]
    #: sends are remembered at least this long
    memory_ms: int
    document: dict[str, Any]
