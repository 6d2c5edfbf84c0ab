"""The compiled rules file: what the engine consults, indexed by event type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from app.core.customer.declared_facts import DeclaredFact
from app.core.customer.record import Customer
from app.core.customer.scoring_model import Model
from app.core.customer.suppression import Feedback
from app.core.numbers import Number
from app.core.rules.conditions import Condition, Getter
from app.core.rules.kind import Kind
from app.core.rules.taxonomy import Fields, Taxonomy
from app.core.rules.tokens import Token
from app.core.time.instants import BEGINNING_OF_TIME_MS, DAY_MS, MINUTE_MS
from app.core.time.windows import Window

Category = Literal["marketing", "transactional"]
CATEGORIES: Final[tuple[str, ...]] = get_args(Category)
DEFAULT_PRIORITY: Final = 50
DEFAULT_EXPIRES_MS: Final = DAY_MS
DEFAULT_RECALL_WINDOW_MS: Final = 15 * MINUTE_MS
DEFAULT_PROFILE_PATIENCE_MS: Final = MINUTE_MS
#: Feedback finds its send at least so long.
FEEDBACK_MS: Final = 30 * DAY_MS
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to reach people; ``requires`` is the profile field that holds the address."""

    name: str
    requires: str
    address: Getter
    consent_default: bool
    #: those of its sends over all partitions
    rates: tuple["Rate", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTime:
    """Wait for the customer's best hour when it begins by due + ``horizon_ms``."""

    horizon_ms: int
    min_opens: int


@dataclass(frozen=True, slots=True)
class Follows:
    """A step that counts from what an earlier one leads to.

    ``mark`` is a bit of ``app.core.triggers.journey``; 0: from the time it was sent.
    """

    step: int
    mark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """At most ``times`` instances of the trigger of one customer at anchors after t - ``per_ms``;
    ``per_ms`` None: ever. With ``is_by_key`` those of one key count, else of all keys together.
    """

    times: int
    per_ms: int | None
    is_by_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message of an instance, due ``after_ms`` past the anchor, or past what ``follows`` names;
    before a date when it is negative.
    """

    after_ms: int
    when: Condition | None
    #: None: the first of ``templates`` whose condition holds
    template: str | None
    templates: tuple[tuple[Condition | None, str], ...]
    channels: tuple[str, ...]
    #: ``channels: best``: the customer's best channel, if known, before all others
    best: Getter | None
    send_time: SendTime | None
    deliver: "Deliver | None" = None
    follows: Follows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """When a step may go: while ``window`` is open or, with ``is_at``, from the first beginning of
    the window on that is not before the step's due time.
    """

    window: Window
    is_at: bool


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A cooldown, and the one of a fatigued customer; 0: none."""

    usual_ms: int
    fatigued_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One arm of an experiment: customers whose bucket is under ``below`` and under no earlier one.

    ``steps`` are the trigger's with what the variant changes. ``cooldown`` takes the place of the
    trigger's.
    """

    name: str
    below: int
    is_ghost: bool
    steps: tuple[Step, ...]
    cooldown: Cooldown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Instances anchored at start <= t < end are divided among the variants.

    ``audience`` is asked when an instance opens. ``design`` identifies this experiment's
    plan: 16 hexadecimal digits of the SHA-256 of its entry in the rules file.
    """

    name: str
    design: str
    audience: Condition | None
    salt: str
    start_ms: int
    end_ms: int
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One rule: what opens its instances, what ends them, and the messages in between."""

    name: str
    kind: Kind
    #: as it is written on what goes out
    category: Category
    is_marketing: bool
    priority: int
    family: str
    expires_ms: int
    when: Condition | None
    cancel: frozenset[str]
    #: cancel type -> conditions about the event, of which one must hold; a type that is not in it
    #: cancels always
    cancel_when: dict[str, tuple[Condition, ...]]
    entry: tuple[Entry, ...]
    #: the profile field that the opening event has to have changed
    changed: Getter | None
    #: a step counts from, or asks about, what an earlier one led to
    is_journey: bool
    steps: tuple[Step, ...]
    experiment: Experiment | None
    tokens: tuple[Token, ...]
    #: whether instances keep ``event.items``, because a condition or token reads it
    keeps_items: bool
    cooldown: Cooldown
    #: channel -> the caps that a send of this trigger on it must fit under, in order
    caps: dict[str, tuple["Cap", ...]]
    #: the trigger's own, in addition to that of all marketing
    holdout: "Holdout | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most ``limit`` marketing sends at t > now - ``per_ms``: over all, or of one channel,
    family or trigger.

    ``fatigued_limit`` takes the limit's place for a fatigued customer.
    """

    limit: int
    fatigued_limit: int
    per_ms: int
    channel: str | None = None
    family: str | None = None
    trigger: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most ``limit`` marketing sends of a channel in any ``per_ms``, over all partitions."""

    channel: str
    limit: int
    per_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fatigue:
    """Who got ``min_sends`` at t > now - ``window_ms`` and opened less than that share of them."""

    window_ms: int
    min_sends: int
    open_rate_below: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A window of the customer's local time in which the channels are not used for marketing."""

    window: Window
    channels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The share of customers whose marketing messages are decided and not sent: those whose bucket
    is ``below``.
    """

    percent: Number
    salt: str
    below: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class TypePlan:
    """What one event type touches, best priority first: found once, not at each event.

    ``opens`` are the triggers that it may open an instance of, or (inactivity) move.
    """

    cancels: tuple[Trigger, ...] = ()
    opens: tuple[Trigger, ...] = ()
    #: those that need their key in the event, which is a dead letter without
    keyed: tuple[Trigger, ...] = ()
    #: of the triggers in ``opens``, the profile fields whose change they ask for
    watched: tuple[tuple[str, Getter], ...] = ()
    summed: tuple[str, ...] = ()
    #: the fields declared for the type, with their types; None: it has the built-in ones alone
    declared: Fields | None = None
    #: the declared facts that take its events
    facts: tuple[DeclaredFact, ...] = ()
    #: it is of a topic other than profiles and engagement
    is_activity: bool = False
    #: it takes back what purchases counted, and the triggers that open by such a counter
    is_cancellation: bool = False
    takes_back: tuple[Trigger, ...] = ()
    #: those whose instances follow dates of the record, of which it can set one
    dated: tuple[Trigger, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A rules file, validated and compiled. ``version`` is the SHA-256 of the file."""

    version: str
    timezone: ZoneInfo
    currency: str | None
    channels: dict[str, Channel]
    #: the channels as feedback and profiles may name them
    feedback: Feedback
    #: the profile fields that hold addresses
    addresses: frozenset[str]
    cooldown: Cooldown
    caps: tuple[Cap, ...]
    fatigue: Fatigue | None
    #: marketing steps are decided at the ends of buckets of this length; 0: when they are due
    arbitration_ms: int
    quiet_hours: tuple[QuietHours, ...]
    #: channel that has quiet hours -> their windows
    quiet_windows: dict[str, tuple[Window, ...]]
    holdout: Holdout | None
    #: how long a transactional step waits for the first profile update of a customer
    profile_patience_ms: int
    recall_window_ms: int
    #: what a customer does so long after a send is recorded as its outcome
    attribution_ms: int
    triggers: dict[str, Trigger]
    #: topic -> event type -> what it touches
    plans: dict[str, dict[str, TypePlan]]
    #: whether a trigger is a journey
    has_journeys: bool
    #: those whose instances follow dates of the record
    dated: tuple[Trigger, ...]
    #: sends are remembered at least this long
    memory_ms: int
    #: no cap and no cooldown counts sends that are older
    limits_ms: int
    #: the event types by topic, built in and declared
    taxonomy: Taxonomy
    #: the declared facts, and what ``Customer.facts_version`` is under them
    facts: dict[str, DeclaredFact]
    facts_version: str
    #: the names of the customer's segments, sorted; None: the rules have no segments
    segments_of: Callable[[Customer, int], list[str]] | None
    #: the name of the customer's cluster; None: there is no model that has clusters
    cluster_of: Callable[[Customer, int], str | None] | None
    document: dict[str, Any]
    #: what the document names as its model; None: nothing
    model: Model | None = None
    #: steps that are due before it are closed without a decision: what came before is known only
    decide_from_ms: int = BEGINNING_OF_TIME_MS
