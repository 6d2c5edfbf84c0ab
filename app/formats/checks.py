"""How the checks of a decision are written: one flat JSON object each, by the registry of gates."""

from collections.abc import Callable
from typing import Final

import orjson

from app.core.decisions import Check, Figure
from app.core.gates.registry import GATES, Form
from app.core.time.instants import HOUR_MS, MINUTE_MS, SECOND_MS, format_rfc3339

_MINUTES: Final = HOUR_MS // MINUTE_MS


def _value(figure: Figure) -> str:
    if type(figure) is int:
        return str(figure)
    return orjson.dumps(figure).decode()


def _instant(figure: Figure) -> str:
    assert isinstance(figure, int)
    return f'"{format_rfc3339(figure)}"'


def _seconds(figure: Figure) -> str:
    assert isinstance(figure, int)
    return str(figure // SECOND_MS)


def _fine_seconds(figure: Figure) -> str:
    assert isinstance(figure, int)
    return _value(figure / SECOND_MS)


def _local_time(figure: Figure) -> str:
    assert isinstance(figure, int)
    return f'"{figure // _MINUTES:02d}:{figure % _MINUTES:02d}"'


_FORMS: Final[dict[Form, Callable[[Figure], str]]] = {
    Form.VALUE: _value,
    Form.INSTANT: _instant,
    Form.SECONDS: _seconds,
    Form.FINE_SECONDS: _fine_seconds,
    Form.LOCAL_TIME: _local_time,
}
#: gate -> for each of its figures what stands before it, its form, and whether it may be null
_TEMPLATES: Final = {
    gate.value: tuple(
        (f',"{each.name}":', _FORMS[each.form], each.is_nullable) for each in spec.figures
    )
    for gate, spec in GATES.items()
}


def _written(check: Check) -> str:
    gate, passed, channel, *figures = check
    text = f'{{"gate":"{gate}","verdict":"{"pass" if passed else "fail"}"'
    if channel is not None:
        text += f',"channel":{_value(channel)}'
    for (name, form, is_nullable), figure in zip(_TEMPLATES[str(gate)], figures, strict=False):
        if figure is not None:
            text += name + form(figure)
        elif is_nullable:
            text += f"{name}null"
    return text + "}"


class _Written(dict[Check, str]):
    """The JSON of checks, each made when it first comes: most come again and again. Begins anew
    with so many.
    """

    _LIMIT: Final = 16_384

    def __missing__(self, check: Check) -> str:
        if len(self) >= self._LIMIT:
            self.clear()
        written = self[check] = _written(check)
        return written


_WRITTEN: Final = _Written()


def written_checks(checks: tuple[Check, ...]) -> str:
    """The JSON objects of the checks, between commas."""
    return ",".join([_WRITTEN[check] for check in checks])
