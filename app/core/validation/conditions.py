"""What can be wrong with a condition, a field path or a choice of templates."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from app.core.customer.facts import FACTS, INSTANT_FACTS
from app.core.customer.profile import PROFILE_FIELDS
from app.core.customer.scoring_model import MODEL_FACTS
from app.core.events import ANSWER_FIELDS, DATA_FIELDS
from app.core.rules.conditions import OPS
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import parse_rfc3339
from app.core.validation.problems import Problem

Document = Mapping[str, Any]
_CUSTOMER_FIELDS = frozenset(FACTS) | {"segments"}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a document that its other parts may use, broken ones included."""

    channels: Document
    triggers: frozenset[str]
    segments: frozenset[str]
    #: the ``customer.*`` that the model gives
    model_facts: frozenset[str]


def check_content(
    path: str, step: Document, known: Known, earlier_steps: int = 0
) -> Iterator[Problem]:
    """A step's (or variant's) own condition, which may ask about earlier steps, its templates, and
    the model that best needs.
    """
    if step.get("channels") == "best" and "best_channel" not in known.model_facts:
        expected = "a `model:` in the rules file that gives customer.best_channel"
        yield Problem(f"{path}.channels", expected, "'best'")
    if "when" in step:
        yield from check_condition(f"{path}.when", step["when"], known, earlier_steps=earlier_steps)
    template = step.get("template")
    if not isinstance(template, list):
        return
    for index, entry in enumerate(template):
        entry_path = f"{path}.template[{index}]"
        if "when" in entry:
            yield from check_condition(
                f"{entry_path}.when", entry["when"], known, earlier_steps=earlier_steps
            )
        elif index < len(template) - 1:
            expected = "to be there, because only the last template may go without"
            yield Problem(f"{entry_path}.when", expected, "nothing")


def check_condition(
    path: str,
    tree: Document,
    known: Known,
    *,
    is_segment: bool = False,
    earlier_steps: int = 0,
) -> Iterator[Problem]:
    """Fields that exist, values that fit. A segment has no event, and no segments; a step may ask
    about ``earlier_steps``.
    """
    for group in ("all", "any"):
        for index, part in enumerate(tree.get(group, ())):
            yield from check_condition(
                f"{path}.{group}[{index}]",
                part,
                known,
                is_segment=is_segment,
                earlier_steps=earlier_steps,
            )
    if "not" in tree:
        yield from check_condition(
            f"{path}.not",
            tree["not"],
            known,
            is_segment=is_segment,
            earlier_steps=earlier_steps,
        )
    if tree.get("field", "").startswith("step."):
        yield from _check_step_field(path, tree, earlier_steps)
    elif "field" in tree:
        yield from check_field(f"{path}.field", tree["field"], known, is_segment=is_segment)
        value = tree.get("value")
        if isinstance(value, dict):
            other = f"{path}.value.field"
            yield from check_field(other, value["field"], known, is_segment=is_segment)
        yield from _check_value(path, tree, known)


def _check_step_field(path: str, leaf: Document, earlier_steps: int) -> Iterator[Problem]:
    """``step.N.opened``: of an earlier step, in a step's condition or templates; a flag."""
    if int(leaf["field"].split(".")[1]) >= earlier_steps:
        expected = (
            f"step.0 to step.{earlier_steps - 1}, because no other step comes before this one"
            if earlier_steps
            else "no step.*: only the condition and templates of a later step may ask about one"
        )
        yield Problem(f"{path}.field", expected, repr(leaf["field"]))
    if leaf["op"] not in ("eq", "ne") or not isinstance(leaf.get("value"), bool):
        yield Problem(path, "op eq or ne and true or false, because it is a flag", _found(leaf))


def check_field(
    path: str, field: str, known: Known, *, is_segment: bool = False
) -> Iterator[Problem]:
    """The field path must name something there is."""
    scope, _, rest = field.partition(".")
    name = rest.partition(".")[0]
    customer_fields = _CUSTOMER_FIELDS | known.model_facts
    options = {
        "event": DATA_FIELDS | ANSWER_FIELDS,
        "profile": PROFILE_FIELDS,
        "customer": customer_fields,
    }[scope]
    if scope == "customer":
        name = rest
    if is_segment:
        options = options - {"segments"} if scope != "event" else frozenset()
    if scope == "customer" and name in MODEL_FACTS - known.model_facts:
        yield Problem(path, f"a `model:` in the rules file that gives {field}", repr(field))
        return
    if name not in options:
        expected = ", ".join(f"{scope}.{option}" for option in sorted(options))
        if is_segment and scope == "event":
            expected = "profile.* or customer.*, because a segment has no event"
        yield Problem(path, expected, repr(field))


def _check_value(path: str, leaf: Document, known: Known) -> Iterator[Problem]:
    op = leaf["op"]
    assert op in OPS
    value = leaf.get("value")
    if op in ("in", "not_in"):
        if not isinstance(value, list):
            yield Problem(f"{path}.value", f"a list, because op is {op}", _found(leaf))
            return
    elif op == "exists":
        if not isinstance(leaf.get("value", True), bool):
            yield Problem(f"{path}.value", "true or false, because op is exists", _found(leaf))
        return
    elif op == "older_than":
        if not isinstance(value, str) or not is_duration(value):
            yield Problem(
                f"{path}.value", "a duration such as 30d, because op is older_than", _found(leaf)
            )
        return
    elif isinstance(value, dict):
        return
    elif "value" not in leaf or isinstance(value, list) or value is None:
        yield Problem(f"{path}.value", f"one value, because op is {op}", _found(leaf))
        return
    if leaf["field"] == "customer.segments" and op == "contains" and value not in known.segments:
        yield Problem(f"{path}.value", _one_of("the segments", known.segments), _found(leaf))
    if leaf["field"].removeprefix("customer.") in INSTANT_FACTS:
        for item in value if isinstance(value, list) else [value]:
            try:
                if isinstance(item, str):
                    parse_rfc3339(item)
            except ValueError:
                yield Problem(f"{path}.value", "an RFC 3339 time with an offset", repr(item))


def is_duration(text: str) -> bool:
    """Whether it is one that the rules can have."""
    try:
        return parse_duration_ms(text) > 0
    except ValueError:
        return False


def _found(leaf: Document) -> str:
    return repr(leaf["value"]) if "value" in leaf else "nothing"


def _one_of(what: str, names: Iterable[str]) -> str:
    return f"one of {what} {', '.join(sorted(names)) or '(there are none)'}"
