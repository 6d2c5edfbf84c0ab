"""What the oracle knows of a customer: all that ever arrived, folded anew at each question."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from tests.oracle.calendar import DAY_MS, duration_ms, instant_or_none, local, yearly_or_none
from tests.oracle.facts import declared_facts
from tests.oracle.reading import SCALAR_FIELDS, amount, key_text, visible

Customer = dict[str, Any]


def new_customer(name: str) -> Customer:
    """A customer of whom nothing is known."""
    return {
        "name": name,
        "seen": set(),
        "decide_from": 0,  # steps that are due before it are closed and nothing else
        "events": [],  # {type, t, data} in order of arrival
        "address_changes": {},  # channel -> when its address last became another
        "unsubscribed": [],  # (channel or None for all, t)
        "bounced": [],  # (channel, address)
        "soft": [],  # (channel, address, t)
        "taken": [],  # (channel, t) of what a mailbox took
        "complained": [],  # channel or None for all
        "cancels": [],  # (trigger, the parts of its key that were named, t)
        "starts": {},  # (trigger, key) -> the newest start read
        "counted_from": {},  # (frequency trigger, key) -> where in its hits counting began again
        "hits": {},  # (frequency trigger, key) -> [t]
        "instances": [],
        "identities": set(),  # (trigger, key, anchor) ever opened
        "decided_marks": set(),  # (milestone trigger, key) of which a step was decided
        "fired_years": {},  # anniversary trigger -> the last year that fired
        "opens": [],  # t of each open and click
        "sends": [],  # sends and ghost sends, recalled ones included
        # sends and instances of a merged customer have `opened_by`
        "recovered": set(),  # (trigger, key, anchor) whose key was bought after a send
    }


def owner(customer: Customer, instance: Mapping[str, Any]) -> str:
    """Whom the instance was opened for: that customer may have been merged into this one."""
    return str(instance.get("opened_by") or customer["name"])


def profile(customer: Customer) -> dict[str, Any]:
    """The profile: of each field the value that is last by occurred_at, then by arrival."""
    folded: dict[str, Any] = {"consent": {}, "attributes": {}}
    updates = [e["data"] | {"t": e["t"]} for e in customer["events"] if is_update(e)]
    for data in sorted(updates, key=lambda data: int(data["t"])):
        for name in (*SCALAR_FIELDS, "channels"):
            if name in data:
                folded[name] = data[name]
        for group in ("consent", "attributes"):
            folded[group] |= data.get(group, {})
    for group in ("consent", "attributes"):
        folded[group] = {name: v for name, v in folded[group].items() if v is not None}
    return {name: value for name, value in folded.items() if value is not None}


def is_update(event: Mapping[str, Any]) -> bool:
    """Whether the event updates the profile, or is what a dead-lettered update withdraws."""
    return event["type"] in ("profile_updated", "withdrawal")


def address_or_none(rules: Mapping[str, Any], customer: Customer, channel: str) -> Any:
    """The profile field that the channel needs."""
    return field_or_none(profile(customer), rules["channels"][channel]["requires"].split("."))


def identity(address: Any) -> Any:
    """E-mail addresses that differ in case alone are one."""
    return address.lower() if isinstance(address, str) and "@" in address else address


def zone(customer: Customer, rules: Mapping[str, Any]) -> str:
    """The customer's time zone, else the rules'."""
    return str(profile(customer).get("timezone", rules.get("timezone", "UTC")))


CANCELLERS = {
    "order_placed": ("order_cancelled", "order_id"),
    "booking_confirmed": ("booking_cancelled", "booking_id"),
}


def standing(customer: Customer, type_name: str) -> list[dict[str, Any]]:
    """Events of the type in order of arrival, without the purchases that were cancelled."""
    events = [e for e in customer["events"] if e["type"] == type_name]
    if type_name not in CANCELLERS:
        return events
    canceller, field = CANCELLERS[type_name]
    cancels = [e for e in customer["events"] if e["type"] == canceller]

    def is_cancelled(event: dict[str, Any]) -> bool:
        name = key_text(event["data"].get(field))
        return name is not None and any(
            key_text(cancel["data"].get(field)) == name and cancel["t"] >= event["t"]
            for cancel in cancels
            if id(cancel) not in event.get("spared", [])
        )

    return [event for event in events if not is_cancelled(event)]


def facts(customer: Customer, rules: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The `customer.*` fields as they are now; what was never there is absent."""
    events = customer["events"]
    orders, bookings = standing(customer, "order_placed"), standing(customer, "booking_confirmed")
    purchases = [e for e in events if e in orders or e in bookings]
    spend: float = 0
    reduced = 0
    for event in purchases:
        data = visible(event["data"], rules)
        spend = round(spend + amount(data.get("value")), 6)
        reduced += is_reduced(event["data"], data)
    times = [e["t"] for e in purchases]
    if not purchases:
        lifecycle = "prospect"
    elif now - max(times) > 180 * DAY_MS:
        lifecycle = "lapsed"
    else:
        lifecycle = "new" if len(purchases) == 1 else "returning"
    views = [e for e in events if e["type"] == "product_viewed" and e["t"] > now - 30 * DAY_MS]
    sends = [s for s in customer["sends"] if s["is_marketing"] and not s["is_recalled"]]
    month = [s for s in sends if s["decided"] > now - 30 * DAY_MS]
    opens = [touch for send in sends for touch in touches(customer, send)]
    seen = [e["t"] for e in events if e["topic"] not in ("profiles", "engagement")]
    known: dict[str, Any] = {
        "orders": len(orders),
        "bookings": len(bookings),
        "spend": spend if isfinite(spend) else None,
        "average_order_value": spend / len(purchases) if purchases and isfinite(spend) else None,
        "discount_share": reduced / len(purchases) if purchases else None,
        "first_order_at": min((e["t"] for e in orders), default=None),
        "last_order_at": max((e["t"] for e in orders), default=None),
        "last_seen_at": max(seen, default=None),
        "last_open_at": max((t for _, t in opens), default=None),
        "open_rate_30d": share(touches(customer, s) for s in month),
        "click_rate_30d": share(
            [t for t in touches(customer, s) if t[0] == "message_clicked"] for s in month
        ),
        "messages_7d": sum(s["decided"] > now - 7 * DAY_MS for s in sends),
        "views_30d": len(views),
        "lifecycle": lifecycle,
    }
    handled = [e for e in events if e["topic"] != "-"]
    own = declared_facts(rules, handled, now, of_event)
    return {name: value for name, value in known.items() if value is not None} | own


def of_event(condition: Any, data: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
    """Whether a condition holds that asks of the event alone."""
    return holds(condition, {}, data, rules, 0)


def is_reduced(data: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    """Whether the old price is over the new one, or without one over the price."""
    old = seen.get("old_price")
    now = seen.get("new_price") if "new_price" in data else seen.get("price")
    return leaf(old, "gt", now) if is_number(old) and is_number(now) else False


def touches(customer: Customer, send: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The opens and clicks of a send, none of a ghost."""
    return [
        (event["type"], event["t"])
        for event in after(customer, send)
        if event["type"] in ("message_opened", "message_clicked")
        and event["data"].get("request_id") == send["request_id"]
        and not send["is_ghost"]
    ]


def after(customer: Customer, send: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What arrived for whoever had the send since it was made."""
    return list(send.get("known", [])) + list(customer["events"][send["events_before"] :])


def share(found: Iterable[list[Any]]) -> float | None:
    """How many of the lists are not empty, None of none."""
    flags = [bool(one) for one in found]
    return sum(flags) / len(flags) if flags else None


def anniversary_date(customer: Customer, rules: Mapping[str, Any], path: str, now: int) -> Any:
    """The date that `of` names, or None: a customer's instants count as dates in their zone."""
    root, *rest = path.split(".")
    if root == "customer":
        instant = facts(customer, rules, now).get(rest[0])
        return None if instant is None else local(instant, zone(customer, rules)).date()
    return yearly_or_none(field_or_none(profile(customer), rest))


def holds(
    condition: Mapping[str, Any] | None,
    customer: Customer,
    event_data: Mapping[str, Any],
    rules: Mapping[str, Any],
    now: int,
) -> bool:
    """Whether the condition is true of the customer and the anchoring event's data."""
    if condition is None:
        return True
    if "all" in condition:
        return all(holds(c, customer, event_data, rules, now) for c in condition["all"])
    if "any" in condition:
        return any(holds(c, customer, event_data, rules, now) for c in condition["any"])
    if "not" in condition:
        return not holds(condition["not"], customer, event_data, rules, now)
    found = value_of(condition["field"], customer, event_data, rules, now)
    op, value = condition["op"], condition.get("value", True)
    if op == "older_than":
        return is_number(found) and found < now - duration_ms(value)
    if isinstance(value, dict):
        other = value_of(value["field"], customer, event_data, rules, now)
        found, other = sides(condition, found, other)
        if other is None or ("times" in value and not is_number(other)):
            return False
        other = to_the_millionth(other * value["times"] if "times" in value else other)
        return leaf(to_the_millionth(found), op, other)
    if condition["field"].endswith("_at") and not condition["field"].startswith("profile."):
        value = instant_or_none(value) if isinstance(value, str) else value
    if condition["field"] == "profile.birthday" and op in ("gt", "gte", "lt", "lte"):
        return not str(found).startswith("-") and leaf(found, op, value)
    return leaf(found, op, to_the_millionth(value) if op not in ("in", "not_in") else value)


def sides(condition: Mapping[str, Any], *values: Any) -> tuple[Any, ...]:
    """Two fields as they are compared: of a birthday without a year there is no order, and text
    that is compared with an instant is one.
    """
    paths = (condition["field"], condition["value"]["field"])
    if "profile.birthday" in paths and condition["op"] in ("gt", "gte", "lt", "lte"):
        return tuple(None if str(one).startswith("--") else one for one in values)
    if sum(path.endswith("_at") and "profile." not in path for path in paths) == 1:
        read = [instant_or_none(one) if isinstance(one, str) else None for one in values]
        return tuple(
            one if instant is None else instant for one, instant in zip(values, read, strict=True)
        )
    return values


def value_of(
    field: str, customer: Customer, data: Mapping[str, Any], rules: Mapping[str, Any], now: int
) -> Any:
    """What the path names, None where there is nothing."""
    root, *rest = field.split(".")
    if root == "step":
        return data.get(field, False)
    if field == "customer.segments":
        segments = rules.get("segments", {}).items()
        return sorted(name for name, of in segments if holds(of, customer, {}, rules, now))
    if root == "event":
        return field_or_none(visible(data, rules), rest)
    if root == "profile":
        return field_or_none(profile(customer), rest)
    return field_or_none(facts(customer, rules, now), rest)


def to_the_millionth(value: Any) -> Any:
    """A number rounded as sums are."""
    return round(value, 6) if isinstance(value, float) else value


def field_or_none(record: Any, names: list[str]) -> Any:
    """The value at the path, None where there is none."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def leaf(found: Any, op: str, value: Any) -> bool:
    """One comparison; anything but `exists: false` is false of a missing field."""
    if op == "exists":
        return (found is not None) is value
    if found is None:
        return False
    if op in ("eq", "ne"):
        return same(found, value) == (op == "eq")
    if op in ("in", "not_in"):
        return any(same(found, one) for one in value) == (op == "in")
    if op == "contains":
        if isinstance(found, list):
            return any(same(one, value) for one in found)
        return isinstance(found, str) and isinstance(value, str) and value in found
    numbers = is_number(found) and is_number(value)
    if not numbers and not (isinstance(found, str) and isinstance(value, str)):
        return False
    verdicts = {
        "gt": found > value,
        "gte": found >= value,
        "lt": found < value,
        "lte": found <= value,
    }
    return bool(verdicts[op])


def is_number(value: Any) -> bool:
    """A JSON number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 equals 1.0 and not true."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return bool(left == right)
