"""Random histories: backtest lines in order of arrival, most of them about what the rules name."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from tests.oracle.reading import TYPES
from tests.oracle.strategies_declared import OWN_TYPES, declared_values
from tests.oracle.strategies_rules import EVENT_TYPES, Rules

Line = dict[str, Any]

NAMESPACE = UUID("6f1d3c52-8a0e-5b7e-9a3d-2f4b7c90e1aa")
TRAVEL_NAMES = ("itinerary_saved", "payment_failure", "price_drop_detected")
ENGAGEMENT_TYPES = TYPES["engagement"]
ODDITIES = (
    ("", "broken", "published", "published", "twice", "twice", "echo") + ("",) * 72 + ("erasure",)
)
CUSTOMERS = ("ann", "bob", "cyd")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Time from one arrival to the next: mostly on the coarse grid that durations are on.
GAPS_MS = (0, 0, SECOND, 5 * SECOND, 10 * SECOND, MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE)
LONG_GAPS_MS = (10 * MINUTE, 30 * MINUTE, 30 * MINUTE, HOUR, HOUR, 6 * HOUR, DAY)
ODD_GAPS_MS = (1, 4999, 61_001, HOUR - 1)
GAPS = st.sampled_from(GAPS_MS + LONG_GAPS_MS + ODD_GAPS_MS)
#: How long before its arrival an event occurred; under zero: it claims to occur later.
DELAYS = st.sampled_from(
    [0] * 14
    + [1, 3 * SECOND, 5 * SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE]
    + [2 * HOUR, DAY, -SECOND, -10 * MINUTE]
)

#: Cancels are late more often: that is what recalls are for.
CANCEL_DELAYS = st.sampled_from(
    [0, 0, 0, 0, 0, 1, 3 * SECOND, 6 * SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR]
)


def one_in(times: int) -> st.SearchStrategy[bool]:
    """True once in so many times."""
    return st.sampled_from([False] * (times - 1) + [True])


@st.composite
def _shop_data(draw: st.DrawFn, rules: Rules) -> Line:
    """Data of a shop or travel event: the keys nearly always there, few values."""
    data: Line = {
        "cart_id": draw(st.sampled_from(["c1", "c1", "c2", 7])),
        "booking_id": draw(st.sampled_from(["b1", "b1", "b2"])),
        "order_id": draw(st.sampled_from(["o1", "o1", "o2", "o3", "o4", 5])),
        "session_id": "s1",
        "sku": draw(st.sampled_from(["k1", "k1", "k2", "k3"])),
        "value": draw(st.sampled_from([10, 20, 49.5, 69.5, 100, 150.25])),
    }
    extras: dict[str, st.SearchStrategy[Any]] = {
        "price": st.sampled_from([5, 10, 99.75, "10", True]),
        "category": st.sampled_from(["shoes", "bags"]),
        "items": st.sampled_from([[], ["k1"], ["k2", "k1"]]),
        "currency": st.sampled_from(["EUR", "EUR", "USD"]),
        "colour": st.just("red"),
        "old_price": st.sampled_from([5, 20, 150]),
        "margin": st.sampled_from([3, -1.5, "3"]),
    }
    for name, strategy in extras.items():
        if draw(one_in(5)):
            data[name] = draw(strategy)
    if "events" in rules:
        for name, strategy in declared_values().items():
            if draw(st.booleans()):
                data[name] = draw(strategy)
    if draw(one_in(8)):
        name = draw(st.sampled_from(sorted(data)))
        data[name] = draw(st.sampled_from([None, "", -5, True]))
    if draw(one_in(8)):
        del data[draw(st.sampled_from(sorted(data)))]
    return data


@st.composite
def _profile_data(draw: st.DrawFn, rules: Rules, birthday_near: date) -> Line:
    """A partial profile update, rarely one with a field that cannot be."""
    channels = sorted(rules["channels"])
    dates = [
        birthday_near.replace(year=1992 if birthday_near.month == 2 else 1991).isoformat(),
        (birthday_near + timedelta(days=1)).isoformat(),
        "1996-02-29",
        f"--{birthday_near:%m-%d}",
    ]
    fields: dict[str, st.SearchStrategy[Any]] = {
        "email": st.sampled_from(["a@x", "b@x", "A@X", "a@x", " b@x\n", "N/A", None]),
        "phone": st.sampled_from(["+1", "+2", "+1", "+2", 43, None]),
        "push_token": st.sampled_from(["p1", "p2", "p1", "p2", "p3", None]),
        "timezone": st.sampled_from([*ZONES, *ZONES, None]),
        "locale": st.sampled_from(["de", "en", None]),
        "birthday": st.sampled_from([*dates, *dates, None]),
        "channels": st.lists(st.sampled_from(channels), max_size=3, unique=True),
        "consent": st.dictionaries(
            st.sampled_from([*channels, *channels, f" {channels[0].upper()}", "fax"]),
            st.sampled_from([True, True, True, False, None]),
            min_size=1,
        ),
        "attributes": st.sampled_from(
            [
                {"tier": "gold"},
                {"tier": "basic"},
                {"tier": None},
                {"signed_up": dates[0]},
                {"signed_up": birthday_near.isoformat()},
                {"signed_up": (birthday_near + timedelta(days=2)).isoformat()},
                {"signed_up": "2020-02-29"},
                {"signed_up": "soon"},
            ]
        ),
        "shoe_size": st.just(43),
    }
    data: Line = {}
    for name in draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=4)):
        data[name] = draw(fields[name])
    if draw(one_in(16)):
        data |= draw(
            st.sampled_from(
                [
                    {"timezone": "Mars/Olympus"},
                    {"birthday": "2023-02-29"},
                    {"birthday": "--02-30"},
                    {"channels": ["fax", 1]},
                    {"consent": {channels[0]: "no"}},
                    {"consent": {channels[0]: False}, "timezone": "utc+1"},
                    {"consent": False},
                    {"consent": "yes"},
                    {"email": "a@x\nb", "consent": {channels[0].upper(): False}},
                    {"attributes": [1]},
                ]
            )
        )
    return data


@st.composite
def _engagement_data(draw: st.DrawFn, rules: Rules, earlier: list[Line]) -> Line:
    """What happened to a message: naming a channel, a request that may exist, both or none."""
    data: Line = {}
    if draw(st.booleans()):
        known = sorted(rules["channels"])
        data["channel"] = draw(st.sampled_from([*known, *known, f"{known[0].upper()} ", "fax", 5]))
    if draw(one_in(3)):
        data["hard"] = draw(st.sampled_from([False, False, True, "no"]))
    if draw(one_in(6)):
        data["machine"] = draw(st.sampled_from([True, True, False, 1]))
    if draw(st.integers(0, 2)):
        data["request_id"] = "00000000-0000-5000-8000-000000000000"
        if earlier:
            data["request_id"] = draw(_request_ids(rules, draw(st.sampled_from(earlier))))
    return data


@st.composite
def _request_ids(draw: st.DrawFn, rules: Rules, line: Line) -> str:
    """The id that a step would have, mostly a first one, if this line opened a trigger."""
    names = sorted(rules["triggers"])
    fitting = [name for name in names if line["type"] in _openers(rules["triggers"][name])]
    name = draw(st.sampled_from(fitting or names))
    key = rules["triggers"][name].get("key")
    text = line["data"].get(key, "") if isinstance(key, str) else line["event_id"]
    if rules["triggers"][name]["kind"] == "inactivity":
        text = ""
    anchor = line["occurred_at"]
    step = draw(st.sampled_from([0, 0, 0, 1]))
    return str(uuid5(NAMESPACE, f"{name}|{line['customer_id']}|{text}|{anchor}|{step}"))


def _welcome(rules: Rules, customer: str, zone: str, birthday: str) -> Line:
    """A profile with every address and every consent."""
    return {
        "topic": "profiles",
        "type": "profile_updated",
        "customer_id": customer,
        "data": {
            "email": f"{customer}@x",
            "phone": "+1",
            "push_token": "p1",
            "timezone": zone,
            "birthday": birthday,
            "consent": dict.fromkeys(sorted(rules["channels"]), True),
        },
    }


def _types_of(rules: Rules) -> tuple[list[str], list[str]]:
    """The types that open what the rules have, and those that cancel it."""
    opening: list[str] = []
    cancelling: list[str] = []
    for trigger in rules["triggers"].values():
        opening += _openers(trigger)
        for item in trigger.get("cancel", []):
            cancelling += [item] if isinstance(item, str) else item["on"]
    return opening, cancelling


def _openers(trigger: Rules) -> list[str]:
    """The types that open the trigger."""
    found: list[str] = []
    for name in ("start", "on", "since", "count", "sum"):
        value = trigger.get(name, [])
        found += [value.partition(".")[0]] if isinstance(value, str) else value
    return found


@st.composite
def _bodies(
    draw: st.DrawFn, rules: Rules, customers: tuple[str, ...], near: date, earlier: list[Line]
) -> Line:
    """Topic, type, customer and data of one event."""
    opening, cancelling = _types_of(rules)
    pools = [*([opening] * 6), *([cancelling] * 4), *([list(EVENT_TYPES)] * 3)]
    pools += [["profile_updated"], ["profile_updated"], list(ENGAGEMENT_TYPES)]
    if "send_time" in str(rules) or "fatigue" in str(rules):
        pools += [["message_opened", "message_clicked"]] * 2
    # what sends lead to
    pools += [["order_placed", "booking_confirmed", "review_completed", "support_contacted"]]
    pools += [["message_opened", "message_clicked"]]
    pools += [["order_cancelled", "booking_cancelled"]]
    if "events" in rules:
        pools += [[*OWN_TYPES, *OWN_TYPES, "order_placed", "product_viewed", "survey_answered"]] * 3
    pool = draw(st.sampled_from([one for one in pools if one]))
    name = draw(st.sampled_from(pool))
    customer = draw(st.sampled_from(customers))
    if name == "profile_updated":
        topic, data = "profiles", draw(_profile_data(rules, near))
    elif name in ENGAGEMENT_TYPES:
        theirs = [one for one in earlier if one["customer_id"] == customer]
        topic, data = "engagement", draw(_engagement_data(rules, theirs))
    else:
        topic, data = _topic_of(name), draw(_shop_data(rules))
    return {"topic": topic, "type": name, "customer_id": customer, "data": data}


@st.composite
def _chases(draw: st.DrawFn, cancelling: list[str], earlier: list[Line]) -> Line:
    """A cancel of what one of the last events opened, with the same keys."""
    chased = draw(st.sampled_from(earlier[-4:]))
    name = draw(st.sampled_from(cancelling))
    return {
        "topic": _topic_of(name),
        "type": name,
        "customer_id": chased["customer_id"],
        "data": chased["data"] if chased["topic"] != "profiles" else {},
    }


def _topic_of(name: str) -> str:
    if name in ENGAGEMENT_TYPES:
        return "engagement"
    if name in OWN_TYPES:
        return OWN_TYPES[name]
    travel = name in TRAVEL_NAMES or name.startswith("booking_")
    return "bookings" if travel else "orders"


def _written(ms: int, form: int) -> int | str:
    """An instant as one of the forms that the envelope allows."""
    if form == 0:
        return ms
    zone = UTC
    moment = datetime.fromtimestamp(ms // SECOND, zone)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % SECOND:03d}"
    return f"{text}Z" if form == 1 else f"{text}+00:00"


@st.composite
def _breakages(draw: st.DrawFn, line: Line) -> Line:
    """The line made one that does nothing, or nothing but harm."""
    way = draw(
        st.sampled_from(["unknown", "wrong topic", "no data", "no id", "bool", "naive", "key"])
    )
    broken = dict(line)
    match way:
        case "unknown":
            broken["type"] = "page_scrolled"
        case "wrong topic":
            broken["topic"] = "bookings" if line["topic"] == "orders" else "orders"
        case "no data":
            broken["data"] = draw(st.sampled_from([None, [], "x"]))
        case "no id":
            broken["event_id"] = draw(st.sampled_from(["", 5, None, "x" * 129]))
        case "bool":
            broken["occurred_at"] = True
        case "naive":
            broken["occurred_at"] = "2024-01-01T00:00:00"
        case "key":
            value = {name: line[name] for name in line if name not in ("topic", "arrived_at")}
            broken = {"topic": line["topic"], "key": "someone else", "value": value}
    return broken


@st.composite
def histories(
    draw: st.DrawFn, rules: Rules, *, start_ms: int, birthday_near: date
) -> tuple[list[Line], int]:
    """5 to 60 lines in order of arrival and the last arrival's instant.

    Some are late, ahead of their arrival, out of order, repeated, broken or unknown; a few erase.
    """
    customers = CUSTOMERS[: draw(st.sampled_from([1, 1, 2, 3]))]
    _, cancelling = _types_of(rules)
    now = start_ms
    sound: list[Line] = []
    lines: list[Line] = []
    birthday = birthday_near.replace(year=1996).isoformat()
    bodies = [
        _welcome(rules, customer, draw(st.sampled_from(ZONES)), birthday)
        for customer in customers
        if not draw(one_in(8))
    ]
    for number in range(draw(st.sampled_from([5, 9, 14, 20, 28, 36, 44, 50]))):
        now += draw(GAPS)
        if bodies:
            body = bodies.pop()
        elif sound and cancelling and draw(one_in(6)):
            body = draw(_chases(cancelling, sound))
        else:
            body = draw(_bodies(rules, customers, birthday_near, sound))
        is_cancel = body["type"] in cancelling
        delay = draw(CANCEL_DELAYS if is_cancel else DELAYS)
        line = body | {"event_id": f"e{number}", "occurred_at": now - delay}
        sound.append(line)
        is_ordered = delay == 0 and not draw(one_in(4))
        stamps = {} if is_ordered or draw(one_in(5)) else {"arrived_at": now}
        line = line | stamps | {"occurred_at": _written(now - delay, draw(st.integers(0, 2)))}
        if delay < 0 and not stamps:
            now -= delay
        odd = draw(st.sampled_from(ODDITIES))
        if odd == "broken":
            line = draw(_breakages(line))
        elif odd == "erasure":
            arrived = {"arrived_at": now} if stamps else {}
            line = {"topic": "profiles", "key": body["customer_id"], "value": None} | arrived
            zone = draw(st.sampled_from(ZONES))
            bodies += [_welcome(rules, body["customer_id"], zone, birthday)]
        elif odd == "published":
            value = {name: line[name] for name in line if name not in ("topic", "arrived_at")}
            line = {"topic": line["topic"], "key": body["customer_id"], "value": value} | stamps
        lines.append(line)
        if odd == "twice":
            lines.append(line)
        elif odd == "echo":
            lines += lines[-8:-6]
    return lines, now
