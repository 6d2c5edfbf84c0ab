"""Random valid rules, as the dicts that the YAML parses to."""

from typing import Any

from hypothesis import strategies as st

from tests.oracle.best_channel import MODELS
from tests.oracle.calendar import duration_ms
from tests.oracle.strategies_declared import declarations, opening_types

Rules = dict[str, Any]

CHANNELS = {"email": "email", "sms": "phone", "push": "push_token"}

SHOP_TYPES = (
    "product_viewed",
    "cart_updated",
    "cart_emptied",
    "checkout_started",
    "order_placed",
    "delivered",
    "support_contacted",
)
TRAVEL_TYPES = (
    "itinerary_saved",
    "payment_failure",
    "price_drop_detected",
    "booking_confirmed",
    "booking_cancelled",
)
EVENT_TYPES = SHOP_TYPES + TRAVEL_TYPES
CANCEL_TYPES = (*EVENT_TYPES, "unsubscribed")
ANSWERS = ("message_opened", "message_clicked", "message_delivered")

#: For each key field the types whose events carry it.
KEYED_TYPES = {
    "cart_id": ("cart_updated", "checkout_started", "cart_emptied", "order_placed"),
    "booking_id": ("itinerary_saved", "payment_failure", "booking_confirmed"),
    "sku": ("product_viewed", "price_drop_detected"),
    "session_id": ("product_viewed", "checkout_started"),
}

SHORT = st.sampled_from(["10s", "30s", "1m", "5m", "10m", "30m"])
MEDIUM = st.sampled_from(["10m", "30m", "1h", "2h", "6h"])
LONG = st.sampled_from(["1h", "6h", "24h", "1d", "2d", "3d"])
ANY_DURATION = SHORT | MEDIUM | LONG
AFTER_SECONDS = st.sampled_from([0, 0, 10, 60, 300, 600, 1800, 3600, 7200, 21_600, 86_400])

CLOCK_TIMES = st.sampled_from(["00:00", "01:30", "02:00", "02:15", "02:30", "08:00", "09:00"])
QUIET_HOURS = st.sampled_from(
    [
        ("21:00", "08:00"),
        ("18:00", "02:30"),
        ("22:30", "02:15"),
        ("00:00", "03:00"),
        ("09:00", "20:00"),
        ("01:15", "02:45"),
        ("02:00", "01:30"),
    ]
)


#: Before all histories, or in the middle of some.
STARTS = (
    "2020-01-01",
    "2020-06-01T12:00:00+02:00",
    "2024-06-15T18:00:00Z",
    "2024-02-29",
    "2024-03-31T01:00:00.000Z",
)


def _some(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


def _numbers(field: str, *marks: float) -> st.SearchStrategy[Rules]:
    ops = st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"])
    return st.fixed_dictionaries(
        {"field": st.just(field), "op": ops, "value": st.sampled_from(marks)}
    )


def _choices(field: str, *values: Any) -> st.SearchStrategy[Rules]:
    one = st.fixed_dictionaries(
        {
            "field": st.just(field),
            "op": st.sampled_from(["eq", "ne", "gt", "lte"]),
            "value": st.sampled_from(values),
        }
    )
    listed = st.fixed_dictionaries(
        {
            "field": st.just(field),
            "op": st.sampled_from(["in", "not_in"]),
            "value": st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True),
        }
    )
    return one | listed


#: True at first and false later, so that what opened well can fail when it is due.
FADING = st.sampled_from(
    [
        {"field": "customer.orders", "op": "lt", "value": 2},
        {"field": "customer.bookings", "op": "eq", "value": 0},
        {"field": "customer.lifecycle", "op": "ne", "value": "returning"},
        {"field": "customer.views_30d", "op": "lte", "value": 2},
        {"field": "customer.spend", "op": "lt", "value": 150},
        {"field": "profile.locale", "op": "exists", "value": False},
    ]
)

LEAVES = st.one_of(
    _choices("event.trigger", "a", "b"),
    _choices("event.template", "t0", "t1"),
    # a step counts from 0: `lt 0` never holds and is refused
    _numbers("event.step", 0, 1).filter(lambda leaf: (leaf["op"], leaf["value"]) != ("lt", 0)),
    _choices("event.channel", "email", "push"),
    FADING,
    FADING,
    FADING,
    FADING,
    _numbers("event.value", 20, 49.5, 100),
    _numbers("event.price", 10, 99.75),
    _numbers("customer.orders", 1, 2),
    _numbers("customer.bookings", 1, 2),
    _numbers("customer.spend", 20, 69.5, 150),
    _numbers("customer.views_30d", 1, 3),
    _numbers("customer.first_order_at", 1_704_067_200_000),
    _choices("customer.lifecycle", "prospect", "new", "returning"),
    _choices("profile.attributes.tier", "gold", "basic"),
    _choices("profile.locale", "de", "en"),
    _choices("event.category", "shoes", "bags"),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(
                [
                    "profile.phone",
                    "profile.attributes.tier",
                    "event.value",
                    "customer.last_order_at",
                ]
            ),
            "op": st.just("exists"),
            "value": st.booleans(),
        }
    ),
    st.sampled_from(
        [
            {"field": "event.items", "op": "contains", "value": "k1"},
            {"field": "event.sku", "op": "contains", "value": "k"},
            {"field": "profile.channels", "op": "contains", "value": "push"},
            {"field": "customer.segments", "op": "contains", "value": "s1"},
            {"field": "customer.segments", "op": "contains", "value": "s2"},
        ]
    ),
    _numbers("customer.average_order_value", 20, 49.5),
    _numbers("customer.discount_share", 0.25, 0.5),
    _numbers("customer.open_rate_30d", 0.5),
    _numbers("customer.click_rate_30d", 0.5),
    _numbers("customer.messages_7d", 1, 2),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(
                [
                    "customer.first_order_at",
                    "customer.last_order_at",
                    "customer.last_seen_at",
                    "customer.last_open_at",
                ]
            ),
            "op": st.just("older_than"),
            "value": st.sampled_from(["30m", "6h", "2d", "20d"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(["event.price", "event.value", "customer.spend"]),
            "op": st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
            "value": st.sampled_from(
                [
                    {"field": "event.old_price"},
                    {"field": "event.old_price", "times": 0.95},
                    {"field": "customer.average_order_value", "times": 2},
                ]
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "field": st.just("profile.birthday"),
            "op": st.sampled_from(["eq", "ne", "gt", "lte"]),
            "value": st.sampled_from(["1991-06-01", "1994-01-01"]),
        }
    ),
)

CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=4,
)


#: Conditions that ask for no event, and for no segment.
SEGMENTS = st.one_of(
    FADING,
    st.fixed_dictionaries({"any": st.lists(FADING, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"not": FADING}),
)

#: A list of templates, with a last one for everybody else or none.
TEMPLATES = st.builds(
    lambda whens, last: [
        *({"when": when, "template": f"t-{n}"} for n, when in enumerate(whens)),
        *([{"template": "t-last"}] if last else []),
    ],
    st.lists(CONDITIONS, min_size=1, max_size=2),
    st.booleans(),
)


@st.composite
def _kinds(draw: st.DrawFn) -> Rules:
    """What makes a trigger open: its kind and the fields of that kind."""
    kind = draw(
        st.sampled_from(
            ["abandonment", "event", "inactivity", "frequency", "milestone", "anniversary", "date"]
        )
    )
    if kind == "abandonment":
        key = draw(st.sampled_from(sorted(KEYED_TYPES)))
        found: Rules = {"kind": kind, "key": key, "start": draw(_some(KEYED_TYPES[key], 2))}
        if draw(st.integers(0, 3)) == 0:
            found["settle"] = draw(st.sampled_from(["0s", "10s", "10m", "6h"]))
        if draw(st.integers(0, 4)) == 0:
            found["key"] = [key, draw(st.sampled_from(sorted(set(KEYED_TYPES) - {key})))]
        return found
    if kind == "event":
        if draw(st.integers(0, 5)) == 0:
            changed = draw(st.sampled_from(["attributes.tier", "locale", "email"]))
            return {"kind": kind, "on": ["profile_updated"], "changed": f"profile.{changed}"}
        types = (*EVENT_TYPES, "delivered", "profile_updated", *ANSWERS)
        return {"kind": kind, "on": draw(_some(types))}
    if kind == "inactivity":
        return {"kind": kind, "since": draw(_some(EVENT_TYPES))}
    if kind == "frequency":
        key = draw(st.sampled_from(["", *sorted(KEYED_TYPES)]))
        on = draw(st.sampled_from(KEYED_TYPES[key] if key else EVENT_TYPES))
        found = {"kind": kind, "on": on, "times": draw(st.integers(2, 3)), "within": draw(LONG)}
        return found | ({"key": key} if key else {})
    if kind == "milestone":
        mark: Rules = draw(
            st.one_of(
                st.fixed_dictionaries(
                    {"count": st.sampled_from(EVENT_TYPES), "reaches": st.integers(1, 4)}
                ),
                st.fixed_dictionaries(
                    {"count": st.sampled_from(EVENT_TYPES), "every": st.integers(1, 3)}
                ),
                st.fixed_dictionaries(
                    {
                        "sum": st.sampled_from(["order_placed.value", "booking_confirmed.value"]),
                        "reaches": st.sampled_from([20, 49.5, 100, 150.25]),
                    }
                ),
            )
        )
        return {"kind": kind} | mark
    if kind == "date":
        return {"kind": kind, "of": "profile.attributes.signed_up", "at": draw(CLOCK_TIMES)}
    of = [
        "profile.birthday",
        "profile.birthday",
        "profile.attributes.signed_up",
        "customer.first_order_at",
    ]
    return {
        "kind": kind,
        "of": draw(st.sampled_from([*of, "customer.last_order_at"])),
        "at": draw(CLOCK_TIMES),
    }


@st.composite
def triggers(draw: st.DrawFn, channels: tuple[str, ...]) -> Rules:
    """One trigger of any kind; steps are later and later."""
    trigger: Rules = draw(_kinds())
    afters = draw(st.lists(AFTER_SECONDS, min_size=1, max_size=3, unique=True).map(sorted))
    steps: list[Rules] = [
        {"after": f"{after}s", "template": f"t{n}", "channels": draw(_some(channels))}
        for n, after in enumerate(afters)
    ]
    is_series = len(steps) > 1 or draw(st.booleans())
    for step in steps:
        if is_series and draw(st.integers(0, 3)) == 0:
            step["when"] = draw(CONDITIONS)
        if draw(st.integers(0, 3)) == 0:
            step["template"] = draw(TEMPLATES)
        if draw(st.integers(0, 3)) == 0:
            step["send_time"] = {
                "horizon": draw(LONG),
                "min_opens": draw(st.integers(1, 3)),
            }
    if trigger["kind"] == "date":
        for step in steps:
            if draw(st.booleans()):
                step["before"] = step.pop("after")
    if is_series:
        for number, step in enumerate(steps[1:], 1):
            _make_journey(draw, step, number)
    trigger |= {"steps": steps} if is_series else steps[0]

    could_cancel = tuple(sorted(set(CANCEL_TYPES) - opening_types(trigger)))
    if trigger["kind"] in ("abandonment", "frequency") and "key" in trigger:
        first = trigger["key"] if isinstance(trigger["key"], str) else trigger["key"][0]
        keyed = [t for t in could_cancel if t in KEYED_TYPES[first]]
        could_cancel = (*could_cancel, *keyed, *keyed, *keyed)
    optional = {
        "category": st.sampled_from(["marketing", "transactional"]),
        "priority": st.integers(0, 100),
        "family": st.sampled_from(["cart", "news"]),
        "expires": ANY_DURATION,
        "when": CONDITIONS,
        "cancel": st.lists(st.sampled_from(could_cancel), min_size=1, max_size=3, unique=True),
    }
    odds = {"category": 4, "priority": 2, "family": 2, "expires": 3, "when": 2, "cancel": 1}
    if trigger["kind"] not in ("abandonment", "event"):
        odds["cancel"] = 3
    for name, strategy in optional.items():
        if draw(st.sampled_from([False] * (odds[name] - 1) + [True])):
            trigger[name] = draw(strategy)
    if trigger.get("category") != "transactional":
        trigger |= draw(own_limits(steps))
    if "cancel" in trigger and draw(st.integers(0, 3)) == 0:
        trigger["cancel"].append({"on": draw(_some(CANCEL_TYPES)), "when": draw(CONDITIONS)})
    entry = draw(st.sampled_from(["", "", "", "", "once", "limit", "once limit"]))
    if entry:
        per = MEDIUM | LONG if trigger["kind"] != "anniversary" else st.just("800d")
        limit: Rules = {"times": draw(st.integers(1, 2)), "per": draw(per)}
        is_by_key = "key" in trigger and draw(st.booleans())
        limit |= {"each": "key"} if is_by_key else {}
        once = "key" if is_by_key else True
        if entry == "once limit":
            limit.pop("each", None)
        both = {"once": once, "limit": limit}
        trigger |= {name: both[name] for name in entry.split()}
    return trigger


DELIVERIES = st.fixed_dictionaries({"at": CLOCK_TIMES}) | QUIET_HOURS.map(
    lambda hours: {"from": hours[0], "to": hours[1]}
)
DAYS = _some(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), 6)


@st.composite
def own_limits(draw: st.DrawFn, steps: list[Rules]) -> Rules:
    """A marketing trigger's own cooldown, caps, holdout and delivery window, each mostly not."""
    found: Rules = {}
    if draw(st.integers(0, 5)) == 0:
        found["cooldown"] = draw(ANY_DURATION | st.just(0))
    if draw(st.integers(0, 5)) == 0:
        found["caps"] = [{"limit": draw(st.integers(1, 2)), "per": draw(LONG)}]
    if draw(st.integers(0, 5)) == 0:
        found["holdout"] = {"percent": draw(st.sampled_from([25, 50, 75]))}
    if not any("send_time" in step for step in steps) and draw(st.integers(0, 3)) == 0:
        deliver: Rules = dict(draw(DELIVERIES))
        if draw(st.booleans()):
            deliver |= {"days": draw(DAYS)}
        if draw(st.integers(0, 3)) == 0:
            deliver |= {"except": ["2024-06-16", "2024-03-31", "2024-03-10"]}
        found["deliver"] = deliver
    return found


def _make_journey(draw: st.DrawFn, step: Rules, number: int) -> None:
    """Now and then the step counts from an earlier one, or asks about it."""
    of = draw(st.integers(0, number - 1))
    if draw(st.integers(0, 3)) == 0:
        on = draw(st.sampled_from(["sent", "sent", "delivered", "opened", "clicked"]))
        step.pop("before", None)
        step |= {"from": {"step": of, "on": on}, "after": draw(st.sampled_from([0, "10s", "1h"]))}
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(["sent", "delivered", "opened", "clicked", "converted"]))
        leaf = {"field": f"step.{of}.{name}", "op": "eq", "value": draw(st.booleans())}
        step["when"] = {"any": [leaf, step["when"]]} if "when" in step else leaf


@st.composite
def throttles(draw: st.DrawFn, channels: tuple[str, ...]) -> Rules:
    """Cooldown, caps and quiet hours, each there or not."""
    throttle: Rules = {}
    if draw(st.booleans()):
        throttle["cooldown"] = draw(ANY_DURATION)
    caps = []
    for _ in range(draw(st.integers(0, 3))):
        cap: Rules = {"limit": draw(st.integers(1, 3)), "per": draw(MEDIUM | LONG)}
        scope = draw(st.sampled_from(["", "", "channel", "trigger"]))
        if scope:
            cap[scope] = draw(st.sampled_from(channels if scope == "channel" else ("a",)))
        caps.append(cap)
    if caps:
        throttle["caps"] = caps
    if draw(st.integers(0, 2)) == 0:
        throttle["fatigue"] = {
            "window": draw(MEDIUM | LONG),
            "min_sends": draw(st.integers(1, 3)),
            "open_rate_below": draw(st.sampled_from([0.1, 0.34, 0.5, 1])),
            "cooldown_factor": draw(st.sampled_from([1, 1.5, 2, 3])),
            "cap_factor": draw(st.sampled_from([0.34, 0.5, 0.67, 1])),
        }
    if draw(st.integers(0, 3)) == 0:
        throttle["arbitration"] = draw(st.sampled_from([0, "1m", "5m", "7m", "1h"]))
    if draw(st.booleans()):
        start, end = draw(QUIET_HOURS)
        quiet: Rules = {"from": start, "to": end, "channels": draw(_some(channels))}
        throttle["quiet_hours"] = quiet
        if draw(st.integers(0, 2)) == 0:
            weekend = {"days": draw(DAYS), "from": "12:00", "to": "24:00"}
            throttle["quiet_hours"] = [quiet, weekend | {"channels": draw(_some(channels))}]
    if draw(st.integers(0, 2)) == 0:
        limit, within = draw(st.integers(1, 3)), draw(MEDIUM | LONG)
        throttle["soft_bounces"] = {"limit": limit, "within": within}
    if draw(st.integers(0, 3)) == 0:
        throttle["rate"] = [
            {
                "limit": draw(st.sampled_from([12, 30, 120])),
                "per": draw(st.sampled_from(["1m", "1h", "6h"])),
                "channel": draw(st.sampled_from(channels)),
            }
        ]
    return throttle


@st.composite
def _series(draw: st.DrawFn, channels: tuple[str, ...]) -> list[Rules]:
    """The steps of a variant that has its own: as many as it likes."""
    afters = draw(st.lists(AFTER_SECONDS, min_size=1, max_size=3, unique=True).map(sorted))
    return [
        {"after": f"{after}s", "template": f"v{n}", "channels": draw(_some(channels))}
        for n, after in enumerate(afters)
    ]


@st.composite
def experiments(draw: st.DrawFn, name: str, trigger: Rules, channels: tuple[str, ...]) -> Rules:
    """An experiment on the trigger that most histories lie in."""
    changes: dict[str, st.SearchStrategy[Any]] = {
        "weight": st.sampled_from([0.5, 1, 3]),
        "after": AFTER_SECONDS.map(lambda after: f"{after}s"),
        "template": st.just("other") | TEMPLATES,
        "channels": _some(channels),
    }
    if "before" in trigger.get("steps", [trigger])[0]:
        del changes["after"]
    whole: dict[str, st.SearchStrategy[Any]] = {"weight": changes["weight"]}
    if trigger.get("category") != "transactional":
        changes |= {"ghost": st.booleans(), "cooldown": ANY_DURATION}
        whole["cooldown"] = ANY_DURATION
    variant = st.fixed_dictionaries({}, optional=changes) | st.fixed_dictionaries(
        {"steps": _series(channels)}, optional=whole
    )
    found: Rules = {
        "trigger": name,
        "salt": draw(st.sampled_from(["s1", "s2"])),
        "variants": {
            label: draw(variant)
            for label in draw(st.sampled_from([["a", "b"], ["b", "a"], ["a", "b", "c"]]))
        },
        "start": draw(st.sampled_from(STARTS)),
    }
    if draw(st.integers(0, 2)) == 0:
        found["max_duration"] = draw(LONG | st.just("1000d"))
    if draw(st.integers(0, 2)) == 0:
        found["when"] = draw(CONDITIONS)
    return found


@st.composite
def rule_sets(draw: st.DrawFn) -> Rules:
    """A whole rules file of 1 to 5 triggers."""
    channels = tuple(draw(_some(tuple(CHANNELS)).map(sorted)))
    names = ["a", "b", "c", "d", "e"][: draw(st.integers(1, 5))]
    rules: Rules = {
        "version": 1,
        "segments": {"s1": draw(SEGMENTS), "s2": draw(SEGMENTS)},
        "timezone": draw(st.sampled_from(["UTC", "Europe/Berlin"])),
        "channels": {name: {"requires": CHANNELS[name]} for name in channels},
        "triggers": {name: draw(triggers(channels)) for name in names},
    }
    throttle = draw(throttles(channels))
    shortest = min(duration_ms(t.get("expires", "24h")) for t in rules["triggers"].values())
    if duration_ms(throttle.get("arbitration", 0)) > shortest:
        throttle.pop("arbitration")
    if draw(st.integers(0, 3)) == 0:
        rules["profile_patience"] = draw(SHORT | MEDIUM | st.just(0))
    if throttle:
        rules["throttle"] = throttle
    if draw(st.integers(0, 2)) == 0:
        percent = draw(st.sampled_from([0, 0.5, 25, 50, 50, 75, 100]))
        rules["holdout"] = {"percent": percent, "salt": draw(st.sampled_from(["s1", "s2"]))}
    if draw(st.integers(0, 2)) == 0:
        rules["consent_default"] = {draw(st.sampled_from(channels)): draw(st.booleans())}
    if draw(st.integers(0, 2)) == 0:
        varied = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        rules["experiments"] = {
            f"x{name}": draw(experiments(name, rules["triggers"][name], channels))
            for name in varied
        }
    if draw(st.integers(0, 4)) == 0:
        rules["currency"] = "EUR"
    if draw(st.integers(0, 4)) == 0:
        rules["attribution_window"] = draw(st.sampled_from(["30m", "6h", "2d", "30d"]))
    if draw(st.integers(0, 4)) == 0:
        rules["recall_window"] = draw(st.sampled_from([0, "5m", "1h", "1d"]))
    if draw(st.booleans()):
        rules = draw(declarations(rules))
    if draw(st.integers(0, 2)) == 0:
        _ask_the_model(draw, rules)
    _ask_what_is_known(rules)
    return rules


def _ask_the_model(draw: st.DrawFn, rules: Rules) -> None:
    """Names a model that knows one of the channels, if there is one, and puts ``best`` in place of
    the channels of some steps.
    """
    rates = {name: model["best_channel"]["open_rates"] for name, model in MODELS.items()}
    fitting = sorted(name for name in MODELS if rates[name].keys() & rules["channels"].keys())
    if not fitting:
        return
    rules["model"] = draw(st.sampled_from(fitting))
    bodies = list(rules["triggers"].values())
    for experiment in rules.get("experiments", {}).values():
        bodies += experiment["variants"].values()
    for body in bodies:
        for step in (body, *body.get("steps", ())):
            if "channels" in step and draw(st.booleans()):
                step["channels"] = "best"


def _ask_what_is_known(rules: Rules) -> None:
    """Puts other questions in place of those that validation refuses, because nothing has a value
    for them: what only engagement events say, the event of an anniversary, triggers of no name.
    """
    experiments = rules.get("experiments", {}).values()
    for name, trigger in rules["triggers"].items():
        for item in trigger.get("cancel", []):
            if isinstance(item, dict):
                says = {"unsubscribed"} & set(_listed(item["on"]))
                _replace_unknown(item, rules, has_event=True, names_sends=bool(says))
        parts = [{key: part for key, part in trigger.items() if key != "cancel"}]
        parts += [one for one in experiments if one["trigger"] == name]
        _replace_unknown(
            parts,
            rules,
            has_event=bool(opening_types(trigger)),
            names_sends=bool(opening_types(trigger) & set(ANSWERS)),
        )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _replace_unknown(part: Any, rules: Rules, *, has_event: bool, names_sends: bool) -> None:
    if isinstance(part, dict) and "op" in part:
        if not _is_known(part, rules, has_event=has_event, names_sends=names_sends):
            part.clear()
            part |= {"field": "customer.orders", "op": "lt", "value": 2}
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            _replace_unknown(inner, rules, has_event=has_event, names_sends=names_sends)


def _is_known(leaf: Rules, rules: Rules, *, has_event: bool, names_sends: bool) -> bool:
    field, value = leaf["field"], leaf["value"]
    other = value["field"] if isinstance(value, dict) else ""
    if not has_event and (field.startswith("event.") or other.startswith("event.")):
        return False
    if field in ("event.trigger", "event.template", "event.step") and not names_sends:
        return False
    names = {"event.trigger": "triggers", "event.channel": "channels"}
    names["profile.channels"] = "channels"
    if field not in names or leaf["op"] == "exists":
        return True
    return all(name in rules[names[field]] for name in _listed(value))
