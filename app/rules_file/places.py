"""From the path of a problem to its line and column."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from app.rules_file.yaml_reader import Place

#: path of a value -> where it stands
Places = Mapping[str, Place]
Found = TypeVar("Found", bound=msgspec.Struct)


def placed(problem: Found, places: Places) -> Found:
    """The same with ``line`` and ``column`` of its path, or of the nearest part around it."""
    path: Any = getattr(problem, "path", "")
    while path and path not in places:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    place = places.get(path)
    if place is None:
        return problem
    return msgspec.structs.replace(problem, line=place.line, column=place.column)
