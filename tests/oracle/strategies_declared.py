"""Random declarations: own types, fields and facts put into a rules file that has none."""

import json
from typing import Any

from hypothesis import strategies as st

Rules = dict[str, Any]

#: topic -> type -> fields; some are built in and declared again.
EVENTS: dict[str, dict[str, dict[str, str]]] = {
    "orders": {
        "order_placed": {"brand": "text", "gift": "flag", "weight": "number"},
        "product_viewed": {"price": "money"},
        "wishlist_added": {"sku": "text", "brand": "text", "deposit": "money"},
    },
    "bookings": {
        "itinerary_saved": {"departs_at": "time", "returns_on": "date"},
        "trip_searched": {"booking_id": "text", "departs_at": "time", "weight": "number"},
    },
    "support": {"ticket_closed": {"ticket_id": "text", "score": "number"}},
    "engagement": {"survey_answered": {"brand": "text"}},
}
OWN_TYPES = {"wishlist_added": "orders", "trip_searched": "bookings", "ticket_closed": "support"}
NAMES = ("n", "total", "avg", "low", "high", "kinds", "sku", "skus", "top", "any", "gift")
INSTANTS = ("viewed_at", "departs_at")

#: A number of one type of events or another.
AMOUNTS = (
    "order_placed.value",
    "order_placed.weight",
    "order_placed.items.price",
    "wishlist_added.deposit",
    "trip_searched.weight",
    "ticket_closed.score",
)
TEXTS = (
    "product_viewed.sku",
    "order_placed.items.sku",
    "order_placed.brand",
    "wishlist_added.brand",
    "survey_answered.brand",
    "cart_updated.cart_id",
)
WITHIN = st.sampled_from(["1h", "6h", "1d", "3d"])


def declared_values() -> dict[str, st.SearchStrategy[Any]]:
    """What events say in the declared fields, not always of the type that was declared."""
    return {
        "brand": st.sampled_from(["x", "x", "y", "z", 7, None, True]),
        "gift": st.sampled_from([True, False, "yes"]),
        "weight": st.sampled_from([1, 2.5, -3, "2", True]),
        "deposit": st.sampled_from([20, 49.5, "20"]),
        "departs_at": st.sampled_from(
            ["2024-06-16T08:00:00+02:00", "2024-03-31T02:30:00Z", 1_709_200_000_000, "soon", True]
        ),
        "returns_on": st.sampled_from(["2024-06-17", "2024-02-30", "2024-03-31", 5]),
        "ticket_id": st.sampled_from(["t1", "t2", 9]),
        "score": st.sampled_from([1, 9, "9"]),
        "items": st.lists(
            st.fixed_dictionaries(
                {"sku": st.sampled_from(["k1", "k2", 3, None])},
                optional={
                    "price": st.sampled_from([5, 12.25, "5", True]),
                    "made": st.sampled_from(["here", 1, True, None]),
                },
            )
            | st.just("k1"),
            max_size=2,
        ),
    }


@st.composite
def facts(draw: st.DrawFn, *, every: bool = False) -> Rules:
    """A fact of some of the names, or of every one."""
    sources: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "n": (("count",), ("order_placed", *AMOUNTS, *OWN_TYPES, "message_opened")),
        "total": (("sum",), AMOUNTS),
        "avg": (("mean",), AMOUNTS),
        "low": (("min",), AMOUNTS),
        "high": (("max",), AMOUNTS),
        "kinds": (("distinct",), TEXTS),
        "sku": (("first", "last", "most"), TEXTS),
        "skus": (("last",), TEXTS),
        "top": (("most",), TEXTS),
        "any": (("most", "first", "last"), ("order_placed.items.made",)),
        "gift": (("last", "first", "most"), ("order_placed.gift",)),
        "viewed_at": (("last", "first"), ("product_viewed", "ticket_closed")),
        "departs_at": (("last", "first", "most"), ("trip_searched.departs_at",)),
        "read": (("last", "most"), ("message_opened.channel", "message_clicked.trigger")),
    }
    found: Rules = {}
    names = st.lists(st.sampled_from(sorted(sources)), min_size=1, unique=True)
    for name in sources if every else draw(names):
        ops, paths = sources[name]
        body: Rules = {draw(st.sampled_from(ops)): draw(st.sampled_from(paths))}
        if name == "skus":
            body["keep"] = draw(st.integers(1, 3))
        if draw(st.integers(0, 2)) == 0:
            body["within"] = draw(WITHIN)
        if draw(st.integers(0, 2)) == 0:
            body["when"] = draw(_fact_when(next(iter(body.values())).partition(".")[0]))
        found[name] = body
    return found


def _fact_when(type_name: str) -> st.SearchStrategy[Rules]:
    """A condition about the event alone."""
    ops = st.sampled_from(["gt", "gte", "lt", "lte", "ne"])
    about = st.just("event.value") | st.just("event.price")
    leaf = st.fixed_dictionaries({"field": about, "op": ops, "value": st.sampled_from([10, 49.5])})
    fields = {name for names in EVENTS.values() for name in names.get(type_name, {})}
    if "brand" in fields:
        leaf |= st.just({"field": "event.brand", "op": "in", "value": ["x", "7"]})
    if type_name.startswith("message_"):
        leaf = st.just({"field": "event.channel", "op": "ne", "value": "sms"})
    if type_name == "trip_searched":
        leaf |= _leaf(st.just("event.departs_at"), ["2024-06-16T06:00:00Z"], ["gt", "lte"])
    return leaf | leaf.map(lambda one: {"not": one})


def _fact_leaf(name: str, body: Rules) -> st.SearchStrategy[Rules]:
    """A question that the fact can answer in more than one way."""
    field = st.just(f"customer.{name}")
    values: list[Any] = [1, 2, 49.5]
    ops = ["eq", "ne", "gt", "gte", "lt", "lte"]
    if name == "skus":
        values, ops = ["k1", "x"], ["contains"]
    elif name in ("sku", "top"):
        values, ops = ["k1", "k2", "x", "7"], ["eq", "ne", "gt", "contains"]
    elif name == "read":
        values, ops = ["email", "sms"], ["eq", "ne"]
    elif name == "any":
        values, ops = ["here"], ["eq", "ne"]
    elif name == "gift":
        values, ops = [True, False], ["eq"]
    elif name in INSTANTS:
        old = {"op": st.just("older_than"), "value": WITHIN}
        values, ops = ["2024-06-16T00:00:00Z", 1_709_200_000_000], ["gt", "lte"]
        return _leaf(field, values, ops) | st.fixed_dictionaries({"field": field} | old)
    elif name == "kinds" or (name == "n" and "count" in body):
        values = [1, 2]
    return _leaf(field, values, ops)


def _leaf(field: Any, values: list[Any], ops: list[str]) -> st.SearchStrategy[Rules]:
    return st.fixed_dictionaries(
        {"field": field, "op": st.sampled_from(ops), "value": st.sampled_from(values)}
    )


def _event_leaves(types: set[str]) -> list[st.SearchStrategy[Rules]]:
    """Questions about declared fields that all of these types have."""
    kinds = [fields for names in EVENTS.values() for name, fields in names.items() if name in types]
    if len(kinds) < len(types) or not kinds:
        return []
    questions: dict[str, tuple[list[Any], list[str]]] = {
        "brand": (["x", "7"], ["eq", "ne"]),
        "gift": ([True], ["eq"]),
        "weight": ([1, 2.5], ["eq", "gte", "lt"]),
        "deposit": ([20, 49.5], ["eq", "gte", "lt"]),
        "departs_at": (["2024-06-16T06:00:00Z"], ["gt", "lte", "eq"]),
        "returns_on": (["2024-06-17"], ["eq", "lt", "gte"]),
    }
    shared = set.intersection(*(set(fields) for fields in kinds)) & questions.keys()
    return [_leaf(st.just(f"event.{name}"), *questions[name]) for name in sorted(shared)]


@st.composite
def declarations(draw: st.DrawFn, rules: Rules) -> Rules:
    """The rules, with what is declared used by some triggers, conditions and tokens."""
    # a copy in which no two conditions are one object
    rules = json.loads(json.dumps(rules | {"events": EVENTS, "facts": draw(facts())}))
    leaves = [_fact_leaf(name, body) for name, body in rules["facts"].items()]
    for name, trigger in rules["triggers"].items():
        _open_by_own(draw, trigger)
        if draw(st.integers(0, 2)) == 0 and trigger["kind"] != "anniversary":
            own = {"on": draw(st.sampled_from(sorted(OWN_TYPES)))}
            if own["on"] not in opening_types(trigger):
                when = draw(st.one_of(*leaves, *_event_leaves({own["on"]})))
                trigger["cancel"] = [*trigger.get("cancel", []), own | {"when": when}]
        asked = leaves + _event_leaves(opening_types(trigger)) * 3
        if "skus" in rules["facts"] and opening_types(trigger) <= OWN_TYPES.keys() | {
            "product_viewed",
            "order_placed",
        } - {"ticket_closed"}:
            viewed = {"field": "customer.skus", "op": "contains", "value": {"field": "event.sku"}}
            asked += [st.just(viewed)] * 3 if opening_types(trigger) else []
        parts = [{key: part for key, part in trigger.items() if key != "cancel"}]
        parts += [x for x in rules.get("experiments", {}).values() if x["trigger"] == name]
        for part in parts:
            _ask_instead(draw, part, st.one_of(*asked))
        if draw(st.booleans()):
            trigger["tokens"] = draw(tokens(sorted(rules["facts"])))
    _ask_instead(draw, rules["segments"], st.one_of(*leaves))
    return rules


def tokens(facts_known: list[str]) -> st.SearchStrategy[Rules]:
    """What the message says of facts, the declared ones and others."""
    known = ["last_order_at", "orders", "spend", *facts_known, *facts_known]
    path = st.sampled_from(known).map(lambda name: f"customer.{name}")
    fallen = path.map(lambda text: f'{text} | default: "none"')
    return st.dictionaries(st.sampled_from(["a", "b", "c"]), path | fallen, min_size=1)


def opening_types(trigger: Rules) -> set[str]:
    """The types that open instances."""
    found: set[str] = set()
    for name in ("start", "on", "since", "count", "sum"):
        value = trigger.get(name, [])
        found |= {value.partition(".")[0]} if isinstance(value, str) else set(value)
    return found


def _open_by_own(draw: st.DrawFn, trigger: Rules) -> None:
    """Lets an own type open the trigger, beside the others or alone."""
    own = draw(st.sampled_from([*sorted(OWN_TYPES), ""]))
    cancels = str(trigger.get("cancel", ""))
    if not own or own in cancels or "changed" in trigger:
        return
    match trigger["kind"]:
        case "event" | "inactivity":
            field = "on" if trigger["kind"] == "event" else "since"
            trigger[field] = draw(st.sampled_from([[own], [*trigger[field], own]]))
        case "abandonment" if trigger["key"] == "sku":
            trigger["start"] = [*trigger["start"], "wishlist_added"]
        case "abandonment" if own == "ticket_closed" and not cancels:
            trigger |= {"start": [own], "key": "ticket_id"}
        case "frequency" if "key" not in trigger:
            trigger["on"] = own
        case "milestone" if "count" in trigger:
            trigger["count"] = own
        case "milestone" if own == "wishlist_added":
            trigger["sum"] = "wishlist_added.deposit"
        case "date" if own == "trip_searched" and "trip_searched" not in cancels:
            if "itinerary_saved" not in cancels:
                _date_of_event(draw, trigger)


def _date_of_event(draw: st.DrawFn, trigger: Rules) -> None:
    """A step before or after what an event names."""
    trigger["key"] = "booking_id"
    if draw(st.booleans()):
        trigger |= {"of": "event.returns_on", "on": ["itinerary_saved"]}
    else:
        del trigger["at"]
        trigger |= {"of": "event.departs_at", "on": ["itinerary_saved", "trip_searched"]}


def _ask_instead(draw: st.DrawFn, part: Any, leaves: st.SearchStrategy[Rules]) -> None:
    """Puts another question in place of some leaves, steps' own flags aside."""
    if isinstance(part, dict) and "op" in part:
        if not part["field"].startswith("step.") and draw(st.integers(0, 2)) == 0:
            leaf = draw(leaves)
            part.clear()
            part |= leaf
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            _ask_instead(draw, inner, leaves)
