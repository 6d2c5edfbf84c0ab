"""What the oracle knows of a customer: all that ever arrived, folded anew at each question."""

from collections.abc import Mapping
from typing import Any

from tests.oracle.calendar import DAY_MS, date_or_none, local
from tests.oracle.reading import SCALAR_FIELDS, amount, visible

Customer = dict[str, Any]


def new_customer(name: str) -> Customer:
    """A customer of whom nothing is known."""
    return {
        "name": name,
        "seen": set(),
        "events": [],  # {type, t, data} in order of arrival
        "address_changes": {},  # channel -> when its address last became another
        "unsubscribed": [],  # (channel or None for all, t)
        "bounced": [],  # (channel, t)
        "complained": [],  # channel or None for all
        "cancels": [],  # (trigger, key or None for all, t)
        "counted_from": {},  # (frequency trigger, key) -> where in its hits counting began again
        "hits": {},  # (frequency trigger, key) -> [t]
        "instances": [],
        "identities": set(),  # (trigger, key, anchor) ever opened
        "fired_years": {},  # anniversary trigger -> the last year that fired
        "opens": [],  # t of each open and click
        "sends": [],  # sends and ghost sends, recalled ones included
        "recovered": set(),  # (trigger, key, anchor) whose key was bought after a send
    }


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
    """Whether the event updates the profile."""
    return bool(event["type"] == "profile_updated")


def address_or_none(rules: Mapping[str, Any], customer: Customer, channel: str) -> Any:
    """The profile field that the channel needs."""
    return field_or_none(profile(customer), rules["channels"][channel]["requires"].split("."))


def zone(customer: Customer, rules: Mapping[str, Any]) -> str:
    """The customer's time zone, else the rules'."""
    return str(profile(customer).get("timezone", rules.get("timezone", "UTC")))


def facts(customer: Customer, rules: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The `customer.*` fields as they are now; a first or last order that never was is absent."""
    events = customer["events"]
    orders = [e["t"] for e in events if e["type"] == "order_placed"]
    bookings = [e["t"] for e in events if e["type"] == "booking_confirmed"]
    spend: float = 0
    for event in events:
        if event["type"] in ("order_placed", "booking_confirmed"):
            spend = round(spend + amount(visible(event["data"], rules).get("value")), 6)
    purchases = orders + bookings
    if not purchases:
        lifecycle = "prospect"
    elif now - max(purchases) > 180 * DAY_MS:
        lifecycle = "lapsed"
    else:
        lifecycle = "new" if len(purchases) == 1 else "returning"
    views = [e for e in events if e["type"] == "product_viewed" and e["t"] > now - 30 * DAY_MS]
    known: dict[str, Any] = {
        "orders": len(orders),
        "bookings": len(bookings),
        "spend": spend,
        "views_30d": len(views),
        "lifecycle": lifecycle,
    }
    if orders:
        known |= {"first_order_at": min(orders), "last_order_at": max(orders)}
    return known


def anniversary_date(customer: Customer, rules: Mapping[str, Any], path: str, now: int) -> Any:
    """The date that `of` names, or None: a customer's instants count as dates in their zone."""
    root, *rest = path.split(".")
    if root == "customer":
        instant = facts(customer, rules, now).get(rest[0])
        return None if instant is None else local(instant, zone(customer, rules)).date()
    return date_or_none(field_or_none(profile(customer), rest))


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
    root, *rest = condition["field"].split(".")
    if condition["field"] == "customer.segments":
        segments = rules.get("segments", {}).items()
        found = [name for name, of in segments if holds(of, customer, {}, rules, now)]
    elif root == "event":
        found = field_or_none(visible(event_data, rules), rest)
    elif root == "profile":
        found = field_or_none(profile(customer), rest)
    else:
        found = field_or_none(facts(customer, rules, now), rest)
    return leaf(found, condition["op"], condition.get("value", True))


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
