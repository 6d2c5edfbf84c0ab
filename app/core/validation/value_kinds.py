"""The type of every field that a condition or token may name, and what values it can have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.customer.facts import FACTS, INSTANT_FACTS, MAX_VIEWS
from app.core.customer.profile import PROFILE_FIELDS
from app.core.events import FieldType
from app.core.rules.compile_facts import op_of, type_of_source
from app.core.rules.conditions import BIRTHDAY
from app.core.rules.taxonomy import Taxonomy

Document = Mapping[str, Any]

LIFECYCLES: Final = frozenset({"prospect", "new", "returning", "lapsed"})
ADDRESSES: Final = frozenset({"email", "phone", "push_token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueKind:
    """What the values of a field are.

    ``name``: number, text, flag, instant, date, list, object, or any. ``words`` are the only texts
    that there can be (of a list: that can be in it), ``what`` says which.
    """

    name: str
    words: frozenset[str] | None = None
    what: str = "the values"
    least: float | None = None
    most: float | None = None
    is_whole: bool = False
    #: it is never missing, so that asking whether it exists says nothing
    is_always_there: bool = False
    #: what a list holds
    element: str = "text"
    #: empty text counts as missing
    is_never_empty: bool = False

    @property
    def words_for_people(self) -> str:
        """What kind of value it is."""
        return {
            "text": "text",
            "number": "a whole number" if self.is_whole else "a number",
            "flag": "true or false",
            "instant": "an instant",
            "date": "a date",
            "list": "a list",
            "object": "an object",
        }.get(self.name, "any value")


TEXT: Final = ValueKind(name="text")
NUMBER: Final = ValueKind(name="number")
FLAG: Final = ValueKind(name="flag")
INSTANT: Final = ValueKind(name="instant")
DATE: Final = ValueKind(name="date")
ANY: Final = ValueKind(name="any")
ITEMS: Final = ValueKind(name="list", element="any")
_SHARE: Final = ValueKind(name="number", least=0, most=1)
_COUNT: Final = ValueKind(name="number", least=0, is_whole=True, is_always_there=True)
_AMOUNT: Final = ValueKind(name="number", least=0)

_OF_FIELD_TYPES: Final = {
    FieldType.TEXT: TEXT,
    FieldType.NUMBER: NUMBER,
    FieldType.MONEY: NUMBER,
    FieldType.TIME: INSTANT,
    FieldType.DATE: DATE,
    FieldType.FLAG: FLAG,
    FieldType.ITEMS: ITEMS,
}
_CUSTOMER: Final[dict[str, ValueKind]] = {
    "orders": _COUNT,
    "bookings": _COUNT,
    "messages_7d": _COUNT,
    "views_30d": ValueKind(
        name="number", least=0, most=MAX_VIEWS, is_whole=True, is_always_there=True
    ),
    "spend": _AMOUNT,
    "average_order_value": _AMOUNT,
    "discount_share": _SHARE,
    "open_rate_30d": _SHARE,
    "click_rate_30d": _SHARE,
    "lifecycle": ValueKind(
        name="text", words=LIFECYCLES, what="the lifecycles", is_always_there=True
    ),
    **dict.fromkeys(INSTANT_FACTS, INSTANT),
}
assert _CUSTOMER.keys() == FACTS.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKinds:
    """The kinds of all fields of one rules document."""

    taxonomy: Taxonomy
    channels: frozenset[str]
    segments: frozenset[str]
    triggers: frozenset[str]
    #: declared facts, as far as they are well formed
    facts: Mapping[str, Document]
    model_facts: frozenset[str]
    #: None: not known
    clusters: frozenset[str] | None

    def kind_of(self, path: str) -> ValueKind:
        """The kind of a field path that exists; ANY where nothing is known of it."""
        scope, _, rest = path.partition(".")
        if scope == "event":
            return self._of_event(rest)
        if scope == "profile":
            return self._of_profile(rest, path)
        if scope == "customer":
            return self._of_customer(rest)
        return FLAG if scope == "step" else ANY

    def customer_fields(self) -> frozenset[str]:
        """Every ``NAME`` of ``customer.NAME``."""
        return frozenset(FACTS) | {"segments"} | self.facts.keys() | self.model_facts

    def _of_event(self, field: str) -> ValueKind:
        if field == "currency":
            return ValueKind(name="text", what="ISO 4217 codes", is_never_empty=True)
        if field == "trigger":
            return ValueKind(name="text", words=self.triggers, what="the triggers")
        if field == "step":
            return ValueKind(name="number", least=0, is_whole=True)
        known = self.taxonomy.fields.get(field)
        return ANY if known is None else _OF_FIELD_TYPES[known]

    def _of_profile(self, rest: str, path: str) -> ValueKind:
        name, _, inner = rest.partition(".")
        if path == BIRTHDAY:
            return DATE
        if name == "channels":
            return ValueKind(name="list", words=self.channels, what="the channels")
        if name == "consent":
            return FLAG if inner else ValueKind(name="object")
        if name == "attributes":
            return ANY if inner else ValueKind(name="object")
        return ValueKind(name="text", is_never_empty=name in ADDRESSES | {"timezone"})

    def _of_customer(self, name: str) -> ValueKind:
        if name == "segments":
            return ValueKind(
                name="list", words=self.segments, what="the segments", is_always_there=True
            )
        if name == "cluster":
            return ValueKind(name="text", words=self.clusters, what="the clusters of the model")
        if name in self.model_facts:
            return _SHARE if name.endswith("_p") else ANY
        if name in self.facts:
            return _of_fact(self.facts[name], self.taxonomy)
        return _CUSTOMER.get(name, ANY)


def _of_fact(body: Document, taxonomy: Taxonomy) -> ValueKind:
    op = op_of(body)
    if op in ("count", "distinct"):
        return _COUNT
    if op in ("sum", "mean", "min", "max"):
        return NUMBER
    kind = type_of_source(body, taxonomy)
    of_value = ANY if kind is None else _OF_FIELD_TYPES[kind]
    return ValueKind(name="list", element=of_value.name) if "keep" in body else of_value


def names_in(scope: str, kinds: FieldKinds, event_fields: Iterable[str]) -> frozenset[str]:
    """Every name that may stand behind the scope."""
    if scope == "event":
        return frozenset(event_fields)
    return PROFILE_FIELDS if scope == "profile" else kinds.customer_fields()
