"""What a JSON Schema cannot say about a rules document: names that must match, times that must
make sense.

``check`` takes a document whatever the schema says of it, and looks at what it can.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from app.core.customer.facts import DATE_FACTS
from app.core.customer.scoring_model import MODEL_FACTS
from app.core.events import FieldType
from app.core.rules.compile_facts import FACT_OPS
from app.core.rules.document_values import types_of
from app.core.rules.model import DEFAULT_CHANNELS
from app.core.rules.taxonomy import declare
from app.core.rules.tokens import path_of
from app.core.time.zones import zone
from app.core.validation.conditions import (
    Known,
    check_condition,
    check_content,
    check_field,
    check_type,
    known_for,
    known_in,
)
from app.core.validation.declarations import check_events, check_facts
from app.core.validation.experiments import check_experiments
from app.core.validation.problems import (
    Problem,
    check_channel,
    check_channels,
    check_positive,
    nearest,
)
from app.core.validation.throttle import check_limits, check_throttle
from app.core.validation.triggers import (
    check_cancels,
    check_entry,
    check_key,
    check_step_times,
)
from app.core.validation.value_kinds import FieldKinds

__all__ = ["Problem", "check"]

Document = Mapping[str, Any]


def check(
    document: Document,
    model_facts: frozenset[str] | None = None,
    clusters: frozenset[str] | None = None,
    *,
    is_well_formed: bool = True,
) -> list[Problem]:
    """Every problem that is not one of shape, in the order of the file.

    One that is not ``is_well_formed`` may have parts of a wrong shape: what cannot be looked at for
    that is passed over, the rest is not. ``model_facts`` is what the model that it names gives,
    ``clusters`` the names of its clusters; None: the model was not read, so whatever one can give.
    """
    known = _known(document, model_facts, clusters)
    parts: list[Iterator[Problem]] = [_check_globals(document, known)]
    for name, tree in _mapping(document, "segments").items():
        parts.append(check_condition(f"segments.{name}", tree, known, is_segment=True))
    for name, body in _mapping(document, "triggers").items():
        parts.append(_check_trigger(f"triggers.{name}", body, known))
        parts += _message_parts(f"triggers.{name}", body, known)
    parts.append(check_events(_mapping(document, "events")))
    parts.append(check_facts(_mapping(document, "facts"), known))
    parts.append(check_throttle(document, known))
    parts.append(check_experiments(document, known, _check_steps))
    if not is_well_formed:
        parts = [_as_far_as_it_goes(part) for part in parts]
    return [problem for part in parts for problem in part]


def _as_far_as_it_goes(problems: Iterator[Problem]) -> Iterator[Problem]:
    """What a look at a part finds until its shape is not the one it needs: the schema says that."""
    with suppress(AttributeError, KeyError, TypeError, ValueError, IndexError):
        yield from problems


def _known(
    document: Document, model_facts: frozenset[str] | None, clusters: frozenset[str] | None
) -> Known:
    channels = _mapping(document, "channels") or DEFAULT_CHANNELS
    triggers = frozenset(_mapping(document, "triggers"))
    segments = frozenset(_mapping(document, "segments"))
    given = _model_facts(document, model_facts)
    return Known(
        channels=channels,
        triggers=triggers,
        segments=segments,
        model_facts=given,
        kinds=FieldKinds(
            taxonomy=declare(document.get("events")),
            channels=frozenset(channels),
            segments=segments,
            triggers=triggers,
            facts={
                name: body
                for name, body in _mapping(document, "facts").items()
                if isinstance(body, Mapping)
                and [isinstance(body[op], str) for op in FACT_OPS if op in body] == [True]
            },
            model_facts=given,
            clusters=clusters,
        ),
    )


def _mapping(document: Document, part: str) -> Document:
    body = document.get(part)
    return body if isinstance(body, Mapping) else {}


def _model_facts(document: Document, given: frozenset[str] | None) -> frozenset[str]:
    if "model" not in document:
        return frozenset()
    return MODEL_FACTS if given is None else given


def _check_globals(document: Document, known: Known) -> Iterator[Problem]:
    if "timezone" in document:
        try:
            zone(document["timezone"])
        except ValueError:
            yield Problem("timezone", "an IANA time zone", repr(document["timezone"]))
    if "attribution_window" in document:
        yield from check_positive("attribution_window", document["attribution_window"])
    yield from _check_spelling(known.channels)
    for name in document.get("consent_default", {}):
        yield from check_channel(f"consent_default.{name}", name, known.channels)


def _check_spelling(channels: Document) -> Iterator[Problem]:
    """Channel names are compared without case, so two of them may not differ in case alone."""
    spelt: dict[str, str] = {}
    for name in channels:
        other = spelt.setdefault(name.casefold(), name)
        if other != name:
            expected = f"a name that differs from {other} in more than case"
            yield Problem(f"channels.{name}", expected, repr(name))


def _check_trigger(path: str, body: Document, known: Known) -> Iterator[Problem]:
    openers: set[str] = set()
    for field in ("on", "start", "since"):
        for index, name in enumerate(types_of(body.get(field, []))):
            openers.add(name)
            yield from check_type(f"{path}.{field}[{index}]", name, known)
    if "count" in body:
        openers.add(body["count"])
        yield from check_type(f"{path}.count", body["count"], known)
    if "sum" in body:
        name, _, field = body["sum"].partition(".")
        openers.add(name)
        yield from check_type(f"{path}.sum", name, known)
        fields = known.kinds.taxonomy.fields_of(name)
        if field not in fields:
            hint = nearest(field, fields)
            expected = "TYPE.FIELD with a data field"
            yield Problem(
                f"{path}.sum", expected, repr(body["sum"]), f"{name}.{hint}" if hint else ""
            )
        elif fields[field] not in (FieldType.NUMBER, FieldType.MONEY):
            expected = "TYPE.FIELD with a field that is a number"
            yield Problem(f"{path}.sum", expected, f"{body['sum']}, {fields[field]}")
    yield from check_cancels(path, body, openers, known)
    yield from check_key(path, body, known)
    yield from check_entry(path, body, known)
    if "within" in body:
        yield from check_positive(f"{path}.within", body["within"])
    if "of" in body:
        check_of = _check_date if body["kind"] == "date" else _check_anniversary
        yield from check_of(path, body, known_for(known, openers))
    yield from check_limits(path, body)


def _message_parts(path: str, body: Document, known: Known) -> list[Iterator[Problem]]:
    """Condition, each token and steps, which see the event that opened the instance."""
    tokens = body.get("tokens") if isinstance(body, Mapping) else None
    return [
        _check_when(path, body, known),
        *(
            _check_token(path, name, body, known)
            for name in (tokens if isinstance(tokens, Mapping) else ())
        ),
        _check_own_steps(path, body, known),
    ]


def _check_when(path: str, body: Document, known: Known) -> Iterator[Problem]:
    if "when" in body:
        yield from check_condition(f"{path}.when", body["when"], known_in(known, body))


def _check_token(path: str, name: str, body: Document, known: Known) -> Iterator[Problem]:
    field = path_of(body["tokens"][name])
    yield from check_field(f"{path}.tokens.{name}", field, known_in(known, body))


def _check_own_steps(path: str, body: Document, known: Known) -> Iterator[Problem]:
    yield from _check_steps(path, body, known_in(known, body))


def _check_anniversary(path: str, body: Document, _known: Known) -> Iterator[Problem]:
    of: str = body["of"]
    scope, _, field = of.partition(".")
    is_date = scope == "profile" and (field == "birthday" or field.startswith("attributes."))
    if not is_date and not (scope == "customer" and field in DATE_FACTS):
        expected = "profile.birthday, profile.attributes.NAME, customer.first_order_at or"
        yield Problem(f"{path}.of", f"{expected} customer.last_order_at", repr(of))


def _check_date(path: str, body: Document, known: Known) -> Iterator[Problem]:
    of: str = body["of"]
    scope, _, field = of.partition(".")
    if scope == "event":
        yield from check_field(f"{path}.of", of, known)
        kind = known.kinds.taxonomy.fields.get(field)
        if kind is FieldType.TIME and "at" in body:
            expected = f"nothing here, because {of} is an instant, which has its time of day"
            yield Problem(f"{path}.at", expected, repr(body["at"]))
        elif kind is FieldType.DATE and "at" not in body:
            expected = f"the time of day (HH:MM), because {of} is a day"
            yield Problem(f"{path}.at", expected, "nothing")
        elif kind not in (FieldType.TIME, FieldType.DATE, None):
            yield Problem(f"{path}.of", "a field declared as time or date", f"{of}, {kind}")
    elif scope != "profile" or not field.startswith("attributes."):
        yield Problem(f"{path}.of", "event.FIELD or profile.attributes.NAME", repr(of))


def _check_steps(path: str, body: Document, known: Known) -> Iterator[Problem]:
    for index, step in enumerate(body.get("steps", ())):
        step_path = f"{path}.steps[{index}]"
        yield from check_step_times(step_path, body, step, index)
        yield from _check_step(step_path, step, known, index)
    if "channels" in body:
        single = {name: value for name, value in body.items() if name != "when"}
        yield from check_step_times(path, body, single, 0)
        yield from _check_step(path, single, known, 0)


def _check_step(path: str, step: Document, known: Known, number: int) -> Iterator[Problem]:
    yield from check_channels(path, step, known.channels)
    yield from check_content(path, step, known, number)
    horizon = step.get("send_time", {}).get("horizon")
    if horizon is not None:
        yield from check_positive(f"{path}.send_time.horizon", horizon)
