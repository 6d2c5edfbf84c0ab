"""What a JSON Schema cannot say about a rules document: names that must match, times that must
make sense.

``check`` takes a document (or those parts of it) that the schema has accepted.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.customer.facts import DATE_FACTS
from app.core.customer.scoring_model import MODEL_FACTS
from app.core.events import DATA_FIELDS
from app.core.rules.document_values import types_of
from app.core.rules.model import DEFAULT_CHANNELS
from app.core.rules.tokens import path_of
from app.core.time.zones import zone
from app.core.validation.conditions import Known, check_condition, check_content, check_field
from app.core.validation.experiments import check_experiments
from app.core.validation.problems import Problem, check_channel, check_channels, check_positive
from app.core.validation.throttle import check_limits, check_throttle
from app.core.validation.triggers import (
    check_cancels,
    check_entry,
    check_key,
    check_step_times,
    check_type,
)

__all__ = ["Problem", "check"]

Document = Mapping[str, Any]


def check(
    document: Document, whole: Document | None = None, model_facts: frozenset[str] | None = None
) -> list[Problem]:
    """Every problem that is not one of shape, in the order of the file.

    ``whole`` is the document with the parts whose shape is wrong: their names exist.
    ``model_facts`` is what the model that it names gives; None: nobody has looked, so all that a
    model can give.
    """
    names = document if whole is None else whole
    known = Known(
        channels=document.get("channels", DEFAULT_CHANNELS),
        triggers=frozenset(names.get("triggers", {})),
        segments=frozenset(names.get("segments", {})),
        model_facts=_model_facts(document, model_facts),
    )
    problems = list(_check_globals(document, known))
    for name, body in document.get("triggers", {}).items():
        problems += _check_trigger(f"triggers.{name}", body, known)
    return [*problems, *check_experiments(document, known, _check_steps)]


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
    yield from check_throttle(document, known)
    for name, tree in document.get("segments", {}).items():
        yield from check_condition(f"segments.{name}", tree, known, is_segment=True)


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
            yield from check_type(f"{path}.{field}[{index}]", name)
    if "count" in body:
        openers.add(body["count"])
        yield from check_type(f"{path}.count", body["count"])
    if "sum" in body:
        name, _, field = body["sum"].partition(".")
        openers.add(name)
        yield from check_type(f"{path}.sum", name)
        if field not in DATA_FIELDS:
            yield Problem(f"{path}.sum", "TYPE.FIELD with a data field", repr(body["sum"]))
    yield from check_cancels(path, body, openers, known)
    yield from check_key(path, body)
    yield from check_entry(path, body, known)
    if "within" in body:
        yield from check_positive(f"{path}.within", body["within"])
    if "of" in body:
        check_of = _check_date if body["kind"] == "date" else _check_anniversary
        yield from check_of(f"{path}.of", body["of"], known)
    if "when" in body:
        yield from check_condition(f"{path}.when", body["when"], known)
    for token, text in body.get("tokens", {}).items():
        yield from check_field(f"{path}.tokens.{token}", path_of(text), known)
    yield from _check_steps(path, body, known)
    yield from check_limits(path, body)


def _check_anniversary(path: str, of: str, _known: Known) -> Iterator[Problem]:
    scope, _, field = of.partition(".")
    is_date = scope == "profile" and (field == "birthday" or field.startswith("attributes."))
    if not is_date and not (scope == "customer" and field in DATE_FACTS):
        expected = "profile.birthday, profile.attributes.NAME, customer.first_order_at or"
        yield Problem(path, f"{expected} customer.last_order_at", repr(of))


def _check_date(path: str, of: str, known: Known) -> Iterator[Problem]:
    scope, _, field = of.partition(".")
    if scope == "event":
        yield from check_field(path, of, known)
    elif scope != "profile" or not field.startswith("attributes."):
        yield Problem(path, "event.FIELD or profile.attributes.NAME", repr(of))


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
