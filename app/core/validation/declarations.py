"""What can be wrong with ``events:`` and ``facts:`` beyond their shape."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.customer.facts import FACTS
from app.core.customer.scoring_model import MODEL_FACTS
from app.core.events import (
    ANSWER_TYPES,
    BUILT_IN_FIELDS,
    ENGAGEMENT,
    ITEMS,
    PROFILES,
    TYPES,
    FieldType,
)
from app.core.rules.compile_facts import FACT_OPS, NUMBER_OPS, op_of, source_of
from app.core.rules.conditions import fields_of
from app.core.rules.taxonomy import Taxonomy
from app.core.validation.conditions import Known, check_condition, check_type, known_for
from app.core.validation.problems import Problem, check_positive, nearest, shown

Document = Mapping[str, Any]
_NUMBERS = frozenset({FieldType.NUMBER, FieldType.MONEY})


def check_events(events: Document) -> Iterator[Problem]:
    """A type belongs to one topic, and a field has one type in the whole file."""
    topic_of = {name: topic for topic, names in TYPES.items() for name in names}
    kinds = {field: (kind.value, "the built-in field") for field, kind in BUILT_IN_FIELDS.items()}
    for topic, names in events.items():
        for name, fields in names.items():
            path = f"events.{topic}.{name}"
            known_topic = topic_of.get(name)
            if known_topic is not None and known_topic != topic:
                expected = f"to stand under {known_topic}, which carries that type"
                yield Problem(path, expected, topic)
            elif known_topic is None and topic in (PROFILES, ENGAGEMENT):
                expected = f"a type of {topic}, or one's own on orders, bookings or a further topic"
                yield Problem(path, expected, repr(name), nearest(name, TYPES[topic]))
            elif topic == PROFILES:
                yield Problem(path, "nothing here: what a profile has are attributes", repr(name))
            topic_of.setdefault(name, topic)
            for field, kind in fields.items():
                first, where = kinds.setdefault(field, (kind, path))
                if first != kind:
                    expected = f"{first}, as {where} has it: a field has one type in the whole file"
                    yield Problem(f"{path}.{field}", expected, shown(kind))


def check_facts(facts: Document, known: Known) -> Iterator[Problem]:
    """What each fact takes, and what it asks of it."""
    for name, body in facts.items():
        path = f"facts.{name}"
        if name in FACTS or name in MODEL_FACTS or name == "segments":
            yield Problem(path, "another name, because that fact is built in", repr(name))
        asked = [op for op in FACT_OPS if op in body]
        if len(asked) == 1:
            yield from _check_source(f"{path}.{asked[0]}", body, known)
        if "keep" in body and "last" not in body:
            yield Problem(f"{path}.keep", "nothing here, because only last keeps a list", "keep")
        if "within" in body:
            yield from check_positive(f"{path}.within", body["within"])
        if "when" in body:
            yield from _check_when(f"{path}.when", body, known)


def _check_source(path: str, body: Document, known: Known) -> Iterator[Problem]:
    event_type, field = source_of(body)
    op = op_of(body)
    yield from check_type(path, event_type, known)
    taxonomy = known.kinds.taxonomy
    if event_type not in taxonomy.topic_of:
        return
    if not field:
        if op not in ("last", "first", "count"):
            yield Problem(path, f"TYPE.FIELD, because {op} asks for values", repr(event_type))
        return
    yield from _check_values(path, op, event_type, field, taxonomy)


def _check_values(
    path: str, op: str, event_type: str, field: str, taxonomy: Taxonomy
) -> Iterator[Problem]:
    fields = taxonomy.fields_of(event_type)
    if taxonomy.topic_of[event_type] == ENGAGEMENT:
        fields = {**fields, **ANSWER_TYPES}
    kind: FieldType | None
    if field.startswith(f"{ITEMS}."):
        kind = taxonomy.fields.get(field.removeprefix(f"{ITEMS}."))
    elif field not in fields:
        expected = f"a field of {event_type}: {', '.join(sorted(fields))}"
        yield Problem(path, expected, repr(field), nearest(field, fields))
        return
    else:
        kind = fields[field]
    if op in NUMBER_OPS and kind is not None and kind not in _NUMBERS:
        yield Problem(path, f"a field that is a number, because of {op}", f"{field}, {kind}")
    elif kind is FieldType.ITEMS:
        yield Problem(path, "a field of single values, or items.FIELD", repr(field))


def _check_when(path: str, body: Document, known: Known) -> Iterator[Problem]:
    others = sorted(name for name in fields_of(body["when"]) if not name.startswith("event."))
    if others:
        expected = "event.* alone, because anything else would depend on the order of arrival"
        yield Problem(path, expected, ", ".join(others))
        return
    event_type = source_of(body)[0] if any(op in body for op in FACT_OPS) else ""
    yield from check_condition(path, body["when"], known_for(known, [event_type]))
