"""What the facts of a rules file say, folded anew from all that was read at each question."""

from collections import Counter
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from tests.oracle.calendar import DAY_MS, duration_ms
from tests.oracle.declared import field_types, typed
from tests.oracle.reading import visible

Rules = Mapping[str, Any]
#: (condition, data of an event, rules) -> whether it holds
Holds = Callable[[Any, Mapping[str, Any], Rules], bool]

#: Rolling ones of these count what is beyond 64 values by whole days.
BY_DAYS = ("count", "sum", "mean", "min", "max", "first")
OPS = ("last", "first", "most", "count", "sum", "mean", "min", "max", "distinct")


def declared_facts(
    rules: Rules, events: list[dict[str, Any]], now: int, holds: Holds
) -> dict[str, Any]:
    """Every declared fact that has a value; `events` in order of arrival."""
    bodies = rules.get("facts", {}).items()
    found = {name: value_of(body, name, rules, events, now, holds) for name, body in bodies}
    return {name: value for name, value in found.items() if value is not None}


def value_of(
    body: Rules, name: str, rules: Rules, events: list[dict[str, Any]], now: int, holds: Holds
) -> Any:
    """What one fact says of the events that were read since it was declared as it is."""
    (op,) = [op for op in OPS if op in body]
    type_name, _, path = body[op].partition(".")
    taken: list[tuple[int, Any]] = []
    whole_days: list[tuple[int, Any]] = []
    within = duration_ms(body["within"]) if "within" in body else None
    for event in since_declared(body, name, rules, events):
        data = visible(event["answer"], rules)
        if event["type"] == type_name and holds(body.get("when"), data, rules):
            for value in values(op, path, data, event["t"], rules):
                taken.append((event["t"], value))
                taken.sort(key=lambda one: one[0])
                if within is not None:
                    taken = [one for one in taken if one[0] > event.get("read_at", 0) - within]
                while within is not None and op in BY_DAYS and len(taken) > 64:
                    whole_days.append(taken.pop(0))
    if within is not None:
        taken = [one for one in taken if one[0] > now - within]
        old = [one for one in whole_days if end_of_day(one[0]) > now - within]
        taken = sorted([*old, *taken], key=lambda one: one[0])
    return answer(op, body.get("keep"), [value for _, value in taken])


def end_of_day(t: int) -> int:
    """Where the day (UTC) of an instant ends."""
    return t - t % DAY_MS + DAY_MS


def since_declared(
    body: Rules, name: str, rules: Rules, events: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The events after the last one that was read under a file with another definition."""
    found: list[dict[str, Any]] = []
    for event in reversed(events):
        file = event.get("file", rules)
        if definition(file, name) != definition(rules, name):
            break
        found.insert(0, event)
    return found


def definition(rules: Rules, name: str) -> Any:
    """All that makes a fact the one it is: its body, and the type of what it takes."""
    body = rules.get("facts", {}).get(name)
    if body is None:
        return None
    (op,) = [op for op in OPS if op in body]
    return body, field_types(rules).get(body[op].partition(".")[2].removeprefix("items."))


def values(op: str, path: str, data: Mapping[str, Any], t: int, rules: Rules) -> list[Any]:
    """What one event adds, the oldest first: of a bare type its time."""
    if not path:
        return [t]
    kinds = field_types(rules)
    if not path.startswith("items."):
        return [v for v in [typed(data.get(path), kinds.get(path))] if v is not None]
    field = path.removeprefix("items.")
    kind = kinds.get(field, "number" if op in ("sum", "mean", "min", "max") else None)
    items = data.get("items")
    is_foreign = data.get("currency", rules.get("currency")) != rules.get("currency")
    if not isinstance(items, list) or (kind == "money" and "currency" in rules and is_foreign):
        return []
    found = [typed(item.get(field), kind) for item in items if isinstance(item, dict)]
    return [value for value in found if value is not None]


def answer(op: str, keep: int | None, taken: list[Any]) -> Any:
    """What the values say; they are in order of time, of one time in order of arrival."""
    if op == "count":
        return len(taken)
    marked = [(isinstance(value, bool), value) for value in taken]
    if op == "distinct":
        return len(set(marked))
    if not taken:
        return None
    if op == "last" and keep is not None:
        newest = list(dict.fromkeys(reversed(marked)))
        return [value for _, value in newest[:keep]]
    if op in ("last", "first"):
        return taken[-1 if op == "last" else 0]
    if op == "most":
        last = marked[-64:]
        times = Counter(last)
        return max(reversed(last), key=lambda one: times[one])[1]
    if op in ("min", "max"):
        return min(taken) if op == "min" else max(taken)
    total: float = 0
    for value in taken:
        total = round(total + value, 6)
    if not isfinite(total):
        return None
    return total if op == "sum" else total / len(taken)
