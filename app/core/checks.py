"""What a JSON Schema cannot say about a rules document: names that must match, times that must
make sense.

``check`` takes a document (or those parts of it) that the schema has accepted.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.compile import types_of
from app.core.conditions import OPS
from app.core.events import ALL_TYPES, DATA_FIELDS
from app.core.experiment_checks import check_experiments
from app.core.facts import FACTS, INSTANT_FACTS
from app.core.instants import parse_rfc3339
from app.core.problems import Problem, check_channel, check_channels, check_positive
from app.core.profiles import PROFILE_FIELDS
from app.core.rules import DEFAULT_CHANNELS
from app.core.zones import zone

__all__ = ["Problem", "check"]

Document = Mapping[str, Any]
_CUSTOMER_FIELDS = frozenset(FACTS) | {"segments"}


def check(document: Document, whole: Document | None = None) -> list[Problem]:
    """Every problem that is not one of shape, in the order of the file.

    ``whole`` is the document with the parts whose shape is wrong: their names exist.
    """
    channels = document.get("channels", DEFAULT_CHANNELS)
    problems = list(_check_globals(document, channels))
    for name, body in document.get("triggers", {}).items():
        problems += _check_trigger(f"triggers.{name}", body, channels)
    names = frozenset((whole or document).get("triggers", {}))
    return [*problems, *check_experiments(document, channels, names)]


def _check_globals(document: Document, channels: Document) -> Iterator[Problem]:
    if "timezone" in document:
        try:
            zone(document["timezone"])
        except ValueError:
            yield Problem("timezone", "an IANA time zone", repr(document["timezone"]))
    for name in document.get("consent_default", {}):
        yield from check_channel(f"consent_default.{name}", name, channels)
    throttle = document.get("throttle", {})
    for index, cap in enumerate(throttle.get("caps", ())):
        path = f"throttle.caps[{index}]"
        if "channel" in cap:
            yield from check_channel(f"{path}.channel", cap["channel"], channels)
        yield from check_positive(f"{path}.per", cap["per"])
    if "fatigue" in throttle:
        yield from check_positive("throttle.fatigue.window", throttle["fatigue"]["window"])
    quiet = throttle.get("quiet_hours", {})
    for index, name in enumerate(quiet.get("channels", ())):
        yield from check_channel(f"throttle.quiet_hours.channels[{index}]", name, channels)
    if quiet and quiet["from"] == quiet["to"]:
        yield Problem("throttle.quiet_hours.to", "another time than `from`", repr(quiet["to"]))
    for name, tree in document.get("segments", {}).items():
        yield from _check_condition(f"segments.{name}", tree, is_segment=True)


def _check_trigger(path: str, body: Document, channels: Document) -> Iterator[Problem]:
    openers: set[str] = set()
    for field in ("on", "start", "since"):
        for index, name in enumerate(types_of(body.get(field, []))):
            openers.add(name)
            yield from _known_type(f"{path}.{field}[{index}]", name)
    if "count" in body:
        openers.add(body["count"])
        yield from _known_type(f"{path}.count", body["count"])
    if "sum" in body:
        name, _, field = body["sum"].partition(".")
        openers.add(name)
        yield from _known_type(f"{path}.sum", name)
        if field not in DATA_FIELDS:
            yield Problem(f"{path}.sum", "TYPE.FIELD with a data field", repr(body["sum"]))
    for index, name in enumerate(types_of(body.get("cancel", []))):
        yield from _known_type(f"{path}.cancel[{index}]", name)
        if name in openers:
            yield Problem(
                f"{path}.cancel[{index}]", "a type that does not open the trigger too", repr(name)
            )
    if "key" in body and body["key"] not in DATA_FIELDS:
        yield Problem(f"{path}.key", f"one of {', '.join(sorted(DATA_FIELDS))}", repr(body["key"]))
    if "within" in body:
        yield from check_positive(f"{path}.within", body["within"])
    if "of" in body:
        yield from _check_anniversary(f"{path}.of", body["of"])
    if "when" in body:
        yield from _check_condition(f"{path}.when", body["when"])
    for token, field in body.get("tokens", {}).items():
        yield from _check_field(f"{path}.tokens.{token}", field)
    yield from _check_steps(path, body, channels)


def _known_type(path: str, name: str) -> Iterator[Problem]:
    if name not in ALL_TYPES:
        yield Problem(path, "an event type of the contract", repr(name))


def _check_anniversary(path: str, of: str) -> Iterator[Problem]:
    scope, _, field = of.partition(".")
    is_date = scope == "profile" and (field == "birthday" or field.startswith("attributes."))
    if not is_date and not (scope == "customer" and field in INSTANT_FACTS):
        expected = "profile.birthday, profile.attributes.NAME, customer.first_order_at or"
        yield Problem(path, f"{expected} customer.last_order_at", repr(of))


def _check_steps(path: str, body: Document, channels: Document) -> Iterator[Problem]:
    for index, step in enumerate(body.get("steps", ())):
        yield from _check_step(f"{path}.steps[{index}]", step, channels)
    if "channels" in body:
        yield from _check_step(path, body, channels)


def _check_step(path: str, step: Document, channels: Document) -> Iterator[Problem]:
    yield from check_channels(path, step, channels)
    horizon = step.get("send_time", {}).get("horizon")
    if horizon is not None:
        yield from check_positive(f"{path}.send_time.horizon", horizon)


def _check_condition(path: str, tree: Document, *, is_segment: bool = False) -> Iterator[Problem]:
    for group in ("all", "any"):
        for index, part in enumerate(tree.get(group, ())):
            yield from _check_condition(f"{path}.{group}[{index}]", part, is_segment=is_segment)
    if "not" in tree:
        yield from _check_condition(f"{path}.not", tree["not"], is_segment=is_segment)
    if "field" in tree:
        yield from _check_field(f"{path}.field", tree["field"], is_segment=is_segment)
        yield from _check_value(path, tree)


def _check_field(path: str, field: str, *, is_segment: bool = False) -> Iterator[Problem]:
    scope, _, rest = field.partition(".")
    name = rest.partition(".")[0]
    known = {"event": DATA_FIELDS, "profile": PROFILE_FIELDS, "customer": _CUSTOMER_FIELDS}[scope]
    if scope == "customer":
        name = rest
    if is_segment:
        known = known - {"segments"} if scope != "event" else frozenset()
    if name not in known:
        expected = ", ".join(f"{scope}.{option}" for option in sorted(known))
        if is_segment and scope == "event":
            expected = "profile.* or customer.*, because a segment has no event"
        yield Problem(path, expected, repr(field))


def _check_value(path: str, leaf: Document) -> Iterator[Problem]:
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
    elif "value" not in leaf or isinstance(value, list | dict) or value is None:
        yield Problem(f"{path}.value", f"one value, because op is {op}", _found(leaf))
        return
    if leaf["field"].removeprefix("customer.") in INSTANT_FACTS:
        for item in value if isinstance(value, list) else [value]:
            try:
                if isinstance(item, str):
                    parse_rfc3339(item)
            except ValueError:
                yield Problem(f"{path}.value", "an RFC 3339 time with an offset", repr(item))


def _found(leaf: Document) -> str:
    return repr(leaf["value"]) if "value" in leaf else "nothing"
