"""Values that a rules file can spell and no record can carry: they are found before all else."""

from math import isfinite
from typing import Any, Final

from app.core.validation.problems import Problem, shown

#: What JSON readers and the record's encoding take as an integer.
_LARGEST: Final = 2**63 - 1
_SURROGATES: Final = (0xD800, 0xDFFF)


def mended(document: Any) -> tuple[Any, list[Problem]]:
    """A copy in which every such value is replaced by one of its kind, and what was wrong."""
    problems: list[Problem] = []
    return _mended("", document, problems), problems


def _mended(path: str, value: Any, problems: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {
            _key(path, key, problems): _mended(_join(path, key), inner, problems)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_mended(f"{path}[{index}]", inner, problems) for index, inner in enumerate(value)]
    if type(value) is str and not value.isascii() and _has_surrogate(value):
        problems.append(
            Problem(path, "text without lone surrogates (U+D800 to U+DFFF)", shown(value))
        )
        return _without_surrogates(value)
    if type(value) is float and not isfinite(value):
        problems.append(Problem(path, "a finite number", shown(value)))
        return 1.0
    if type(value) is int and not -_LARGEST <= value <= _LARGEST:
        problems.append(Problem(path, "an integer of at most 64 bits", shown(value)))
        return 1
    return value


def _key(path: str, key: Any, problems: list[Problem]) -> str:
    """Keys are text; a number or a flag is one only by accident of spelling."""
    if type(key) is not str:
        name = "null" if key is None else shown(key)
        problems.append(Problem(_join(path, name), "a name in quotes, because it is text", name))
        return name
    if not key.isascii() and _has_surrogate(key):
        name = _without_surrogates(key)
        expected = "a name without lone surrogates (U+D800 to U+DFFF)"
        problems.append(Problem(_join(path, name), expected, shown(key)))
        return name
    return key


def _join(path: str, key: Any) -> str:
    name = _without_surrogates(key) if type(key) is str else "null" if key is None else shown(key)
    return f"{path}.{name}" if path else name


def _has_surrogate(text: str) -> bool:
    first, last = _SURROGATES
    return any(first <= ord(char) <= last for char in text)


def _without_surrogates(text: str) -> str:
    return text.encode(errors="replace").decode()
