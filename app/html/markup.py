"""HTML as values: text is escaped unless it is already ``Html``."""

import re
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


#: About so many characters of a table stand side by side on a phone of 390 px.
_PHONE_CHARS: Final = 46
_MOST_STACKED_COLUMNS: Final = 12
_FEWEST_CHARS: Final = 3
#: How much wider the letters of a head are.
_BOLD: Final = 1.2
_TAGS: Final = re.compile("<[^>]*>")
#: More rows of numbers than this are a series, which a plot shows too.
_LONG_ROWS: Final = 40


def table(
    caption: str,
    head: Iterable[str],
    rows: Iterable[Iterable[object]],
    *,
    right: Collection[int] = (),
) -> Html:
    """A data table: the first cell of a row names it, numbers stand to the right, and so do the
    columns whose places are in ``right``.

    On a phone one that is too wide shows each row as a list of its cells, named by the head
    (``stack``). A long series of numbers (``long``) is a box that scrolls.
    """
    names, cells = list(head), [list(row) for row in rows]
    numbers = {index for row in cells for index, cell in enumerate(row) if isinstance(cell, int)}
    numbers |= set(right)
    header = tag(
        "tr",
        *(
            tag("th", name, scope="col", class_="n" if index in numbers else None)
            for index, name in enumerate(names)
        ),
    )
    layout = _layout(names, cells, numbers)
    titles = names if "stack" in layout else []
    body = [_row(row, right, titles) for row in cells]
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", header), tag("tbody", *body)),
        class_=layout,
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def _layout(names: list[str], cells: list[list[object]], numbers: Collection[int]) -> str:
    is_long = len(cells) > _LONG_ROWS and len(numbers) >= len(names) - 1
    columns = [[name, *(row[place] for row in cells)] for place, name in enumerate(names)]
    chars = sum(_chars(column, place in numbers) + 1 for place, column in enumerate(columns))
    is_wide = chars > _PHONE_CHARS and len(names) <= _MOST_STACKED_COLUMNS
    return " ".join(("scroll", *("long",) * is_long, *("stack",) * is_wide))


def _chars(column: list[object], is_number: bool) -> float:
    """The width of a column, in which text wraps between words and numbers do not."""
    name, *values = column
    texts = [_TAGS.sub("", str(value)) for value in values]
    if not is_number:
        texts = [word for text in texts for word in text.split()]
    bold = max(map(len, str(name).split()), default=0) * _BOLD
    return max(bold, *map(len, texts), _FEWEST_CHARS)


def _row(cells: list[object], right: Collection[int], titles: list[str]) -> Html:
    name, *values = cells
    shown: list[str] | list[None] = titles[1:] or [None] * len(values)
    written = (
        _cell(value, place in right, title)
        for place, (value, title) in enumerate(zip(values, shown, strict=False), start=1)
    )
    return tag("tr", tag("th", name, scope="row"), *written)


def _cell(value: object, is_right: bool, title: str | None) -> Html:
    if isinstance(value, int):
        return tag("td", f"{value:,}".replace(",", "\u202f"), class_="n", data_head=title)
    return tag("td", value, class_="n" if is_right else None, data_head=title)
