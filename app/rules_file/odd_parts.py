"""What is odd in valid rules: it can be meant, and mostly is not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.events import DELIVERY, ENGAGEMENT, PROFILES, TYPES
from app.core.rules.document_values import opening_types_of, types_of
from app.core.rules.metrics import DEFAULT_METRIC, metric_named
from app.core.time.durations import parse_duration_ms, span_text
from app.core.triggers.instances import JOURNEY_MS
from app.rules_file.places import Places

Document = Mapping[str, Any]

#: ``1.000``: a thousand in many countries, one in YAML.
_GROUPED: Final = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
_FLAG_WORDS: Final = frozenset({"yes", "no", "on", "off", "true", "false", "y", "n"})
_LOWER: Final = ("gt", "gte")
_UPPER: Final = ("lt", "lte")


@dataclass(frozen=True, slots=True)
class OddPart:
    """One thing that is odd: where, and in what way."""

    path: str
    text: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = f" (line {self.line}, column {self.column})" if self.line else ""
        return f"{self.path}: {self.text}{where}"


def find_odd_parts(document: Document, places: Places) -> list[OddPart]:
    """Everything that is odd in a document without problems."""
    found = list(_odd_numbers(places))
    triggers: Document = document.get("triggers", {})
    for name, body in triggers.items():
        found += _odd_trigger(f"triggers.{name}", body)
    for name, body in document.get("experiments", {}).items():
        if len(body["variants"]) < 2:
            text = "one variant: there is nothing to compare it with"
            found.append(OddPart(f"experiments.{name}.variants", text))
    for path, tree in _conditions("", document):
        found += _odd_condition(path, tree)
    for name, body in document.get("experiments", {}).items():
        found += _odd_metrics(f"experiments.{name}", body, triggers[body["trigger"]])
    return [*found, *_odd_answers(triggers)]


def _odd_numbers(places: Places) -> Iterator[OddPart]:
    for path, place in places.items():
        if _GROUPED.fullmatch(place.number):
            thousands = place.number.replace(".", "")
            number = float(place.number)
            yield OddPart(path, f"{place.number} is {number:g}; a thousand has no dot: {thousands}")


def _odd_trigger(path: str, body: Document) -> Iterator[OddPart]:
    steps = body.get("steps", [body])
    waits = any("from" in step or parse_duration_ms(step.get("after", 0)) for step in steps)
    if body["kind"] == "abandonment" and waits and not body.get("cancel"):
        text = "no `cancel`: who buys is reminded of what was bought"
        yield OddPart(path, text)
    if body["kind"] == "date" and body["of"].startswith("profile.") and "at" not in body:
        text = (
            "no `at`: a day without a time, as 2026-03-01, opens nothing; only an instant does, as"
            " 2026-03-01T12:00:00Z"
        )
        yield OddPart(f"{path}.of", text)
    if body["kind"] == "abandonment":
        yield from _odd_starts(path, body)
    yield from _odd_waits(path, body)
    before_ms = 0
    for index, step in enumerate(steps):
        step_path = f"{path}.steps[{index}]" if "steps" in body else path
        if "send_time" in step and body.get("category") == "transactional":
            yield OddPart(f"{step_path}.send_time", "no effect: a transactional step does not wait")
        after = step.get("after", 0)
        after_ms = parse_duration_ms(after)
        if "from" in step:
            continue
        if after_ms < before_ms:
            text = f"{after} comes before the step in front of it: the steps are out of order"
            yield OddPart(f"{step_path}.after", text)
        before_ms = max(before_ms, after_ms)
        expires = body.get("expires")
        if expires is not None and parse_duration_ms(expires) < after_ms:
            text = (
                f"{expires} is shorter than `after: {after}`; it counts from when the step is due,"
                " not from the event"
            )
            yield OddPart(f"{path}.expires", text)


def _odd_starts(path: str, body: Document) -> Iterator[OddPart]:
    """What profiles and messages say seldom has a key."""
    for name in types_of(body["start"]):
        if name in TYPES[PROFILES] | TYPES[ENGAGEMENT]:
            key = ", ".join(types_of(body["key"]))
            text = f"{name} without {key} is a dead letter, and nothing of it is applied"
            yield OddPart(f"{path}.start", text)


def _odd_waits(path: str, body: Document) -> Iterator[OddPart]:
    """Steps that count from one that is due when nothing is waited for any more. When a step of a
    date is due, nobody knows.
    """
    if body["kind"] == "date":
        return
    due_ms: list[int] = []
    for index, step in enumerate(body.get("steps", ())):
        follows, after_ms = step.get("from"), parse_duration_ms(step.get("after", 0))
        begins_ms = 0 if follows is None else due_ms[follows["step"]]
        due_ms.append(begins_ms + after_ms)
        if begins_ms >= JOURNEY_MS:
            text = (
                f"step {follows['step']} is due {span_text(begins_ms)} after the event, and"
                f" {span_text(JOURNEY_MS)} after it nothing is waited for: this step never comes"
            )
            yield OddPart(f"{path}.steps[{index}].from", text)


def _conditions(path: str, part: Any) -> Iterator[tuple[str, Document]]:
    """Every condition tree, groups and leaves, with its path."""
    if isinstance(part, list):
        for index, inner in enumerate(part):
            yield from _conditions(f"{path}[{index}]", inner)
    elif isinstance(part, Mapping):
        if ("field" in part and "op" in part) or any(name in part for name in ("all", "not")):
            yield path, part
        for name, inner in part.items():
            yield from _conditions(f"{path}.{name}" if path else str(name), inner)


def _odd_condition(path: str, tree: Document) -> Iterator[OddPart]:
    if isinstance(tree.get("all"), list):
        yield from _contradictions(path, tree["all"])
    inner = tree.get("not")
    if isinstance(inner, Mapping) and inner.get("op") == "eq" and inner.get("value") == "":
        field = inner["field"]
        text = f"holds too when {field} is missing; for one that is there use `op: exists`"
        yield OddPart(f"{path}.not", text)
    value = tree.get("value")
    is_attribute = str(tree.get("field", "")).startswith("profile.attributes.")
    if is_attribute and isinstance(value, str) and value.casefold() in _FLAG_WORDS:
        text = f"{value!r} is text; for a flag write true or false without quotes"
        yield OddPart(f"{path}.value", text)


def _contradictions(path: str, parts: list[Any]) -> Iterator[OddPart]:
    """Bounds and values of one field that cannot hold together."""
    leaves = [part for part in parts if isinstance(part, Mapping) and "field" in part]
    for index, leaf in enumerate(leaves):
        for other in leaves[:index]:
            if leaf["field"] != other["field"]:
                continue
            if _excludes(leaf, other) or _excludes(other, leaf):
                both = f"{_words(other)} and {_words(leaf)}"
                yield OddPart(path, f"{leaf['field']} cannot be {both}: this never holds")


def _excludes(one: Document, other: Document) -> bool:
    left, right = one.get("value"), other.get("value")
    if one["op"] == "eq" and other["op"] == "eq":
        return bool(left != right)
    if type(left) not in (int, float) or type(right) not in (int, float):
        return False
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    if one["op"] in _LOWER and other["op"] in _UPPER:
        is_open = one["op"] == "gt" or other["op"] == "lt"
        return left > right or (left == right and is_open)
    if one["op"] == "eq" and other["op"] in (*_LOWER, *_UPPER):
        return not {
            "gt": left > right,
            "gte": left >= right,
            "lt": left < right,
            "lte": left <= right,
        }[other["op"]]
    return False


def _words(leaf: Document) -> str:
    return f"{leaf['op']} {leaf.get('value')}"


def _odd_metrics(path: str, body: Document, trigger: Document) -> Iterator[OddPart]:
    """Metrics that no message of the trigger can lead to: the experiment would measure nothing, and
    its guardrail never stop it.
    """
    named = {"metric": body.get("metric", DEFAULT_METRIC)}
    if "guardrail" in body:
        named["guardrail.metric"] = body["guardrail"]["metric"]
    kind, name = trigger["kind"], body["trigger"]
    is_about_delivery = kind == "inactivity" or DELIVERY in opening_types_of(trigger)
    for where, text in named.items():
        metric = metric_named(text)
        if metric == "recovery" and kind != "abandonment":
            why = f"{name} is none of kind abandonment, and only those are recovered"
        elif metric in ("review", "support") and not is_about_delivery:
            why = f"{name} does not begin with `{DELIVERY}`, and only what does leads to it"
        else:
            continue
        yield OddPart(f"{path}.{where}", f"there will be no {metric}: {why}")


def _odd_answers(triggers: Document) -> Iterator[OddPart]:
    """Pairs of triggers that engagement opens and that may answer each other's messages."""
    answering = {
        name: body
        for name, body in triggers.items()
        if set(opening_types_of(body)) & TYPES[ENGAGEMENT] and body.get("once") is not True
    }
    names = sorted(answering)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            if _answers(answering[name], other) and _answers(answering[other], name):
                text = (
                    f"answers messages of {other}, which answers those of {name}: the two can go on"
                    " for ever; say in `when` which event.trigger each is about"
                )
                yield OddPart(f"triggers.{name}", text)


def _answers(body: Document, trigger: str) -> bool:
    """Whether the trigger's own condition lets messages of another through, as far as it says."""
    when = body.get("when", {})
    leaves = [when, *when.get("all", [])]
    for leaf in leaves:
        if leaf.get("field") == "event.trigger":
            value = leaf.get("value")
            if leaf["op"] == "eq" and value != trigger:
                return False
            if leaf["op"] == "in" and trigger not in value:
                return False
            if leaf["op"] == "ne" and value == trigger:
                return False
    return True
