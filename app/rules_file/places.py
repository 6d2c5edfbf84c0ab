"""From the path of a problem to its line and column."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from app.rules_file.yaml_reader import Place

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: path of a value -> where it stands
Places = Mapping[str, Place]
Found = TypeVar("Found", bound="DataclassInstance")


def placed(problem: Found, places: Places) -> Found:
    """The same with ``line`` and ``column`` of its path, or of the nearest part around it."""
    path: Any = getattr(problem, "path", "")
    while path and path not in places:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    place = places.get(path)
    if place is None:
        return problem
    return replace(problem, line=place.line, column=place.column)
