"""Plots: names that have no room keep what tells them apart, in full where they are pointed at."""

import re
from collections.abc import Callable, Mapping, Sequence

import pytest

from app.html import plots
from app.html.interval_plot import Spread, intervals
from app.html.labels import shortened
from app.html.markup import Html

NAMES = [f"booking_abandoned_at_itinerary_wording_variant_{letter}" for letter in "ab"]

Bars = Callable[[str, Sequence[str], Mapping[str, Sequence[int]]], Html]


def texts(drawn: str) -> list[str]:
    """The labels that are seen."""
    return re.findall("<text[^>]*>([^<]+)</text>", drawn)


@pytest.mark.parametrize("name", ["", "a", "win_back", "exactly_so_long"])
def test_a_name_with_room_stays_whole(name: str) -> None:
    """Up to the very last character."""
    assert shortened(name, 15) == name


def test_a_longer_name_keeps_its_start_and_its_end() -> None:
    """The end by one more, where they cannot be alike."""
    assert shortened("welcome_wording_variant_a", 16) == "welcome…ariant_a"
    assert len(shortened("welcome_wording_variant_a", 15)) == 15


def test_an_interval_plot_tells_variants_apart() -> None:
    """By the end of the name."""
    drawn = intervals("l", [Spread(name, 0.5, 0.2, 0.8) for name in NAMES], str)
    assert texts(drawn)[-2:] == ["booking_ab…_variant_a", "booking_ab…_variant_b"]


def test_lying_bars_have_half_of_the_width_however_long_their_names() -> None:
    """The first on top, pygal draws upwards; each bar says its name in full."""
    drawn = plots.rows("l", NAMES, {"customers": [3, 4]})
    labels = [text for text in texts(drawn) if "…" in text]
    assert labels == [
        "booking_abandoned…_wording_variant_b",
        "booking_abandoned…_wording_variant_a",
    ]
    left = re.search(r'<g transform="translate\((\d+)', drawn)
    assert left is not None
    assert int(left[1]) < 480 * 0.6
    titles = re.findall("<title>([^<]+)</title>", drawn)
    assert titles == ["l", f"{NAMES[1]}: 4", f"{NAMES[0]}: 3"]


@pytest.mark.parametrize("draw", [plots.rows, plots.stacked_bars])
def test_a_legend_tells_series_apart(draw: Bars) -> None:
    """Shortened there, in full in the titles of the legend and of the bars."""
    drawn = draw("l", ["one", "two"], {NAMES[0]: [1, 0], NAMES[1]: [1, 0]})
    assert {"booking_aban…ing_variant_a", "booking_aban…ing_variant_b"} <= set(texts(drawn))
    for name in NAMES:
        assert f"<title>{name}</title>" in drawn
        assert f"<title>one, {name}: 1</title>" in drawn
        assert f"<title>two, {name}: 0</title>" in drawn


def test_an_axis_without_room_names_every_second_value_and_zero() -> None:
    """Six values of eight characters would run into each other."""
    drawn = intervals("lift", [Spread("cart", -4.0, -43.0, 26.0)], lambda v: f"{v:+.1f} pp")
    texts = re.findall(r'text-anchor="middle">([^<]*)<', drawn)
    assert texts == ["-40.0 pp", "+0.0 pp", "+40.0 pp"]
    short = intervals("lift", [Spread("cart", -4.0, -43.0, 26.0)], lambda v: f"{v:.0f}")
    assert re.findall(r'text-anchor="middle">([^<]*)<', short) == [
        "-60",
        "-40",
        "-20",
        "0",
        "20",
        "40",
    ]
