"""What can be wrong with a condition, a field path or a choice of templates."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.customer.scoring_model import MODEL_FACTS
from app.core.events import ANSWER_FIELDS, ENGAGEMENT, MERGE
from app.core.rules.document_values import opening_types_of
from app.core.validation.leaves import check_leaf
from app.core.validation.problems import Problem, nearest, shown
from app.core.validation.value_kinds import FieldKinds, names_in

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names of a document that its other parts may use, broken ones included."""

    channels: Document
    triggers: frozenset[str]
    segments: frozenset[str]
    #: the ``customer.*`` that the model gives
    model_facts: frozenset[str]
    #: what the values of every field are
    kinds: FieldKinds
    #: the fields of the event that is asked about; None: it may be of any type
    event_fields: frozenset[str] | None = None
    #: why there is no event, when there is none
    no_event: str = ""


def known_for(known: Known, types: Iterable[str]) -> Known:
    """The same for conditions about an event of one of these types."""
    taxonomy = known.kinds.taxonomy
    fields: set[str] = set()
    for name in types:
        fields |= taxonomy.fields_of(name).keys()
        if taxonomy.topic_of.get(name) == ENGAGEMENT:
            fields |= ANSWER_FIELDS
    return replace(known, event_fields=frozenset(fields))


def known_in(known: Known, trigger: Document) -> Known:
    """The same for conditions and tokens of a trigger: about the event that opens its instances."""
    if trigger.get("kind") == "anniversary":
        return replace(known, no_event="an anniversary has no event")
    return known_for(known, opening_types_of(trigger))


def check_type(path: str, name: str, known: Known) -> Iterator[Problem]:
    """The event type must be built in or declared."""
    types = known.kinds.taxonomy.topic_of.keys() - {MERGE}
    if name not in types:
        yield Problem(path, "an event type of the contract", shown(name), nearest(str(name), types))


def check_content(
    path: str, step: Document, known: Known, earlier_steps: int = 0
) -> Iterator[Problem]:
    """A step's (or variant's) own condition, which may ask about earlier steps, its templates, and
    the model that best needs.
    """
    if step.get("channels") == "best" and "best_channel" not in known.model_facts:
        expected = "a `model:` whose best channel is one of the file's `channels`"
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
        wrong = list(check_field(f"{path}.field", tree["field"], known, is_segment=is_segment))
        value = tree.get("value")
        if isinstance(value, dict):
            other = f"{path}.value.field"
            wrong += check_field(other, value["field"], known, is_segment=is_segment)
        yield from wrong or check_leaf(path, tree, known.kinds)


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
        yield Problem(
            path, "op eq or ne and true or false, because it is a flag", shown(leaf.get("value"))
        )


def check_field(
    path: str, field: str, known: Known, *, is_segment: bool = False
) -> Iterator[Problem]:
    """The field path must name something there is."""
    scope, _, rest = field.partition(".")
    if scope not in ("event", "profile", "customer"):
        return
    name, _, inner = rest.partition(".")
    if scope == "customer":
        name, inner = rest, ""
    if scope == "customer" and name in MODEL_FACTS - known.model_facts:
        yield Problem(path, f"a `model:` in the rules file that gives {field}", repr(field))
    elif scope == "event" and is_segment:
        expected = "profile.* or customer.*, because a segment has no event"
        yield Problem(path, expected, repr(field))
    elif scope == "event" and known.no_event:
        expected = f"profile.* or customer.*, because {known.no_event}"
        yield Problem(path, expected, repr(field))
    else:
        options = names_in(scope, known.kinds, _event_fields(known))
        options -= {"segments"} if is_segment else set()
        if name not in options:
            names = ", ".join(f"{scope}.{option}" for option in sorted(options))
            expected = f"one of {names}" if names else f"no field of {scope}: there are none here"
            close = nearest(name, options)
            hint = f"{scope}.{close}" if close else ""
            yield Problem(path, expected, repr(field), hint)
        elif inner:
            yield from _check_inner(path, field, scope, name, inner, known)


def _event_fields(known: Known) -> frozenset[str]:
    if known.event_fields is not None:
        return known.event_fields
    return frozenset(known.kinds.taxonomy.fields) | ANSWER_FIELDS


def _check_inner(
    path: str, field: str, scope: str, name: str, inner: str, known: Known
) -> Iterator[Problem]:
    """Only attributes and consents have names inside."""
    if scope == "profile" and name == "attributes":
        return
    if scope == "profile" and name == "consent":
        if inner not in known.channels:
            names = ", ".join(f"profile.consent.{channel}" for channel in known.channels)
            close = nearest(inner, known.channels)
            yield Problem(
                path, f"one of {names}", repr(field), f"profile.consent.{close}" if close else ""
            )
        return
    yield Problem(path, f"{scope}.{name}, which has nothing inside", repr(field))
