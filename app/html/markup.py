"""HTML as values: text is escaped unless it is already ``Html``."""

from collections.abc import Collection, Iterable
from html import escape
from typing import Final


class Html(str):
    """Text that is markup already. Only ``tag``, ``join`` and the plots make it."""

    __slots__ = ()


#: No markup at all.
NOTHING: Final = Html("")


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. An attribute's ``_`` is written ``-`` (a trailing one is left out); one that is
    None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Html:
    """The children one after the other."""
    return Html(
        "".join(child if isinstance(child, Html) else escape(str(child)) for child in children)
    )


def table(
    caption: str,
    head: Iterable[str],
    rows: Iterable[Iterable[object]],
    *,
    right: Collection[int] = (),
) -> Html:
    """A data table: the first cell of a row names it, numbers stand to the right, and so do the
    columns whose places are in ``right``.
    """
    cells = [list(row) for row in rows]
    numbers = {index for row in cells for index, cell in enumerate(row) if isinstance(cell, int)}
    numbers |= set(right)
    header = tag(
        "tr",
        *(
            tag("th", name, scope="col", class_="n" if index in numbers else None)
            for index, name in enumerate(head)
        ),
    )
    body = [_row(row, right) for row in cells]
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", header), tag("tbody", *body)),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def _row(cells: list[object], right: Collection[int]) -> Html:
    name, *values = cells
    written = (_cell(value, place in right) for place, value in enumerate(values, start=1))
    return tag("tr", tag("th", name, scope="row"), *written)


def _cell(value: object, is_right: bool) -> Html:
    if isinstance(value, int):
        return tag("td", f"{value:,}".replace(",", "\u202f"), class_="n")
    return tag("td", value, class_="n" if is_right else None)
