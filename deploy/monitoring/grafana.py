"""Dashboards held to Grafana's own types, as its foundation SDK has them.

The SDK reads JSON without looking at types and drops what it does not know; so what it has read is
compared with its annotations, and what it writes again with what there was.
"""

import enum
import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()


def problems(dashboard: dict[str, Any]) -> list[str]:
    """What Grafana's types say against it, each with its path."""
    read = Dashboard.from_json(dashboard)
    again = json.loads(json.dumps(read, cls=JSONEncoder))
    return [*_wrong_types(read, Dashboard, ""), *_lost(dashboard, again, "")]


def _lost(given: Any, kept: Any, path: str) -> Iterator[str]:
    """Fields that are not in Grafana's types."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name in kept:
                yield from _lost(value, kept[name], f"{path}.{name}")
            elif value is not None:
                yield f"{path}.{name}: not known to Grafana"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (left, right) in enumerate(zip(given, kept, strict=True)):
            yield from _lost(left, right, f"{path}[{number}]")
    elif given != kept:
        yield f"{path}: Grafana takes {given!r} for {kept!r}"


def _wrong_types(value: Any, wanted: Any, path: str) -> Iterator[str]:
    """Values that are not of the type that is annotated."""
    origin = typing.get_origin(wanted)
    if wanted in (Any, object):
        if hasattr(value, "to_json"):
            yield from _wrong_types(value, type(value), path)
        return
    if origin in (typing.Union, types.UnionType):
        options = [list(_wrong_types(value, each, path)) for each in typing.get_args(wanted)]
        yield from min(options, key=len)
    elif origin is typing.Literal:
        if value not in typing.get_args(wanted):
            yield f"{path}: {value!r} is not one of {typing.get_args(wanted)}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for number, each in enumerate(value):
            yield from _wrong_types(each, typing.get_args(wanted)[0], f"{path}[{number}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no object"
    elif isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        if value not in [each.value for each in wanted]:
            yield f"{path}: {value!r} is no {wanted.__name__}"
    elif wanted is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{path}: {value!r} is no number"
    elif wanted is int:
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{path}: {value!r} is no integer"
    elif not isinstance(value, wanted):
        yield f"{path}: {value!r} is no {wanted.__name__}"
    elif hasattr(value, "to_json"):
        for name, hint in typing.get_type_hints(type(value)).items():
            yield from _wrong_types(getattr(value, name), hint, f"{path}.{name}")
