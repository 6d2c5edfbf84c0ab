"""Plots as inline SVG, drawn by pygal; without scripts, fonts or styles of its own.

Each has its text alternative: a label, and a title on each bar. The page's style sheet colours
them.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import pygal
from pygal.style import Style

from app.html.labels import CHAR_WIDTH, shortened
from app.html.markup import Html

# pygal looks for plug-ins by way of every later import of the process, and Python warns of how.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

#: Series that a reader can still tell apart; the page's style sheet has a colour for each.
MAX_SERIES: Final = 8
_WIDTH: Final = 480
_ROW_HEIGHT: Final = 30
_MARGIN: Final = 8
_LEGEND_ROW: Final = 22
_LEGEND_CHARS: Final = 26
#: Half of the width, so that the other half is left to the bars.
_ROW_CHARS: Final = 36
_STYLE: Final = Style(label_font_size=12, major_label_font_size=12, legend_font_size=12)


def stacked_bars(label: str, names: Sequence[str], series: Mapping[str, Sequence[int]]) -> Html:
    """Upright bars, one for each of ``names``, in which the series stand on each other."""
    legend_rows = (len(series) + 1) // 2 if len(series) > 1 else 0
    labels = max(1, _WIDTH * 5 // 6 // (CHAR_WIDTH * (2 + max(map(len, names), default=1))))
    every = -(-len(names) // labels) or 1
    chart = pygal.StackedBar(
        height=250 + _LEGEND_ROW * legend_rows,
        x_labels_major=names[::every],
        show_minor_x_labels=False,
        **_config(len(series)),
    )
    chart.x_labels = names
    return _drawn(chart, label, names, series)


def rows(label: str, names: Sequence[str], series: Mapping[str, Sequence[int]]) -> Html:
    """Lying bars, one for each of ``names``, the first on top."""
    legend_rows = (len(series) + 1) // 2 if len(series) > 1 else 0
    height = 60 + _ROW_HEIGHT * len(names) + _LEGEND_ROW * legend_rows
    chart = pygal.HorizontalStackedBar(height=height, **_config(len(series)))
    upwards = names[::-1]
    chart.x_labels = [shortened(name, _ROW_CHARS) for name in upwards]
    return _drawn(chart, label, upwards, {name: values[::-1] for name, values in series.items()})


def _config(series: int) -> dict[str, Any]:
    return {
        "width": _WIDTH,
        "margin": _MARGIN,
        # pygal reserves room for the full rows of the legend only: of 5 series the last is cut off
        "margin_bottom": _MARGIN + (_LEGEND_ROW if series > 1 and series % 2 else 0),
        "spacing": 8,
        "js": (),
        "css": (),
        "style": _STYLE,
        "show_legend": series > 1,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": 2,
        "truncate_label": _ROW_CHARS,
        "truncate_legend": _LEGEND_CHARS,
        "formatter": lambda value: f"{value:.0f}",
        "value_formatter": lambda value: f"{value:.0f}",
        "min_scale": 2,
        "max_scale": 6,
        "print_values": False,
    }


def _drawn(
    chart: Any, label: str, names: Sequence[str], series: Mapping[str, Sequence[int]]
) -> Html:
    """``names`` and values in the order in which pygal draws them."""
    for name, values in series.items():
        chart.add(shortened(name, _LEGEND_CHARS), [value or None for value in values])
    root = chart.render_tree()
    for defs in root.findall("defs"):
        root.remove(defs)
    for comment in [node for node in root if node.tag is ElementTree.Comment]:
        root.remove(comment)
    del root.attrib["id"]
    root.attrib |= {"role": "img", "aria-label": label, "class": "plot"}
    root.find("title").text = label
    for guides in root.iterfind(".//g[@class='guides']"):
        for place in guides.findall("title"):
            guides.remove(place)
    for group, (name, values) in zip(_series_groups(root), series.items(), strict=False):
        bars = [bar for bar in group.iter("g") if bar.get("class") == "bar"]
        for bar, where, value in zip(bars, names, values, strict=True):
            _title_instead_of_desc(bar, f"{where}, {name}" if len(series) > 1 else where, value)
    for legend, name in zip(root.iterfind(".//g[@class='legends']/g"), series, strict=False):
        ElementTree.SubElement(legend, "title").text = name
    return Html(ElementTree.tostring(root, encoding="unicode"))


def _series_groups(root: Any) -> list[Any]:
    return [g for g in root.iter("g") if g.get("class", "").startswith("series ")]


def _title_instead_of_desc(bar: Any, where: str, value: int) -> None:
    """pygal leaves notes for its script; a browser shows a title without one."""
    for desc in bar.findall("desc"):
        bar.remove(desc)
    title = ElementTree.Element("title")
    title.text = f"{where}: {value}"
    bar.insert(0, title)
