"""Values with their intervals as inline SVG: one line each, a dot on a bar, and zero marked."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from app.html.labels import CHAR_WIDTH, shortened
from app.html.markup import Html, tag

_WIDTH: Final = 480
_ROW_HEIGHT: Final = 26
_LABEL_WIDTH: Final = 170
_LABEL_CHARS: Final = 21
_MARGIN: Final = 12
#: Half of the last tick's text stands out.
_RIGHT: Final = 30
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS: Final = 4


class Spread(msgspec.Struct, frozen=True):
    """One line of the plot."""

    name: str
    value: float
    low: float
    high: float


def intervals(label: str, spreads: Sequence[Spread], text: Callable[[float], str]) -> Html:
    """The first on top. ``text`` writes a value; the axis always shows zero, and every second value
    where there is no room for all.
    """
    ticks = axis(
        min([0.0, *(spread.low for spread in spreads)]),
        max([0.0, *(spread.high for spread in spreads)]),
    )
    bottom = _MARGIN + _ROW_HEIGHT * len(spreads)

    def x(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return round(_LABEL_WIDTH + share * (_WIDTH - _LABEL_WIDTH - _RIGHT), 1)

    names = [text(tick) for tick in ticks]
    room = (x(ticks[1]) - x(ticks[0])) / CHAR_WIDTH
    every = 1 if max(map(len, names)) < room else 2
    zero = ticks.index(0)
    marks = [
        tag(
            "g",
            tag("line", x1=x(tick), x2=x(tick), y1=_MARGIN, y2=bottom),
            *(
                [tag("text", name, x=x(tick), y=bottom + 16, text_anchor="middle")]
                if (place - zero) % every == 0
                else []
            ),
            class_="tick zero" if tick == 0 else "tick",
        )
        for place, (tick, name) in enumerate(zip(ticks, names, strict=True))
    ]
    lines = [
        _line(spread, _MARGIN + _ROW_HEIGHT * (n + 0.5), x, text)
        for n, spread in enumerate(spreads)
    ]
    return tag(
        "svg",
        tag("title", label),
        *marks,
        *lines,
        viewBox=f"0 0 {_WIDTH} {bottom + 28}",
        role="img",
        aria_label=label,
        class_="plot intervals",
    )


def _line(
    spread: Spread, y: float, x: Callable[[float], float], text: Callable[[float], str]
) -> Html:
    label = f"{spread.name}: {text(spread.value)} ({text(spread.low)} to {text(spread.high)})"
    return tag(
        "g",
        tag("title", label),
        tag(
            "text",
            shortened(spread.name, _LABEL_CHARS),
            x=_LABEL_WIDTH - 14,
            y=y + 4,
            text_anchor="end",
        ),
        tag("line", x1=x(spread.low), x2=x(spread.high), y1=y, y2=y, class_="reach"),
        tag("circle", cx=x(spread.value), cy=y, r=4.5),
    )


def axis(low: float, high: float) -> list[float]:
    """Round numbers at even distances, from one at or under ``low`` to one at or over ``high``."""
    span = high - low or 1.0
    magnitude = 10.0 ** _floor_log10(span / _TICKS)
    step = next(
        step * magnitude for step in _STEPS if step * magnitude * _TICKS >= span * (1 - 1e-9)
    )
    first, last = int(low // step), -int(-high // step)
    return [round(n * step, 12) for n in range(first, max(last, first + 1) + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])
