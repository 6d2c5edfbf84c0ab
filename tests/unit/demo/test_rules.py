"""The demo's rules: those that ship, valid, with days shortened to seconds."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.time.instants import parse_rfc3339
from app.demo.moment import (
    LATE_NIGHT_ZONE,
    NIGHT_ZONE,
    PARTY_ZONE,
    clock_text,
    date_years_before,
    next_moment_ms,
)
from app.demo.rules import shorten
from app.rules_file.load import find_problems, load_rules
from app.settings.model import default_rules_path

MOMENT_MS = parse_rfc3339("2026-06-15T12:00:00Z")


SHIPPED = load_rules(default_rules_path()).document


@pytest.fixture
def document() -> dict[str, Any]:
    """The rules that ship."""
    return SHIPPED


@given(st.integers(parse_rfc3339("2024-01-01T00:00:00Z"), parse_rfc3339("2032-01-01T00:00:00Z")))
def test_they_are_valid_at_any_moment(now_ms: int) -> None:
    """Whatever the clocks of the zones say."""
    assert find_problems(shorten(SHIPPED, moment_ms=next_moment_ms(now_ms, 20_000))) == []


def test_the_document_given_stays_as_it_is(document: dict[str, Any]) -> None:
    """``shorten`` changes a copy."""
    before = copy.deepcopy(document)

    shorten(document, moment_ms=MOMENT_MS)

    assert document == before


def test_days_become_seconds(document: dict[str, Any]) -> None:
    """Both reminders and the inactivity come within the length of the demo."""
    demo = shorten(document, moment_ms=MOMENT_MS)

    triggers = demo["triggers"]
    assert [step["after"] for step in triggers["cart_abandoned"]["steps"]] == ["5s", "15s"]
    assert triggers["win_back"]["after"] == "20s"
    assert triggers["high_value_interest"]["within"] == "10s"
    assert demo["throttle"]["cooldown"] == "25s"
    assert [cap["per"] for cap in demo["throttle"]["caps"]] == ["60s", "180s", "180s"]
    assert demo["recall_window"] == "30s"


def test_longer_waits_stay_longer() -> None:
    """Between the points of the curve too."""
    after = [
        shorten(one_trigger(wait), moment_ms=MOMENT_MS)["triggers"]["one"]["after"]
        for wait in (0, "1s", "15m", "45m", "12h", "48h", "7d", "60d")
    ]

    assert after == ["0s", "3s", "3s", "6s", "12s", "16s", "19s", "20s"]


def test_a_default_expiry_is_shortened_too() -> None:
    """It is a day when the rules do not say."""
    demo = shorten(one_trigger("1h"), moment_ms=MOMENT_MS)

    assert demo["triggers"]["one"]["expires"] == "126s"


def test_the_night_ends_at_the_moment(document: dict[str, Any]) -> None:
    """Four hours of it in Auckland, for anniversaries a full minute in Berlin."""
    demo = shorten(document, moment_ms=MOMENT_MS)

    quiet = demo["throttle"]["quiet_hours"]
    assert (quiet["from"], quiet["to"]) == ("20:00", "00:00")
    assert demo["triggers"]["birthday"]["at"] == "14:00"


@pytest.mark.parametrize("month", range(1, 13))
def test_it_is_night_where_it_should_be(month: int) -> None:
    """In both far zones in any season, and nowhere else."""
    moment_ms = int(datetime(2027, month, 1, 9, 30, tzinfo=UTC).timestamp() * 1000)
    start = clock_text(moment_ms, NIGHT_ZONE, hours_before=4)
    end = clock_text(moment_ms, NIGHT_ZONE)

    def is_night(zone: str, at_ms: int) -> bool:
        now = clock_text(at_ms, zone)
        return start <= now < end if start < end else now >= start or now < end

    assert is_night(NIGHT_ZONE, moment_ms - 1)
    assert not is_night(NIGHT_ZONE, moment_ms)
    assert is_night(LATE_NIGHT_ZONE, moment_ms)
    for zone in (PARTY_ZONE, "Europe/London", "Europe/Madrid", "America/New_York"):
        assert not is_night(zone, moment_ms)


def test_the_moment_is_a_full_minute_ahead() -> None:
    """At least as far as asked, at most a minute more."""
    assert next_moment_ms(MOMENT_MS, 20_000) == MOMENT_MS + 60_000
    assert next_moment_ms(MOMENT_MS + 40_000, 20_000) == MOMENT_MS + 60_000
    assert next_moment_ms(MOMENT_MS + 40_001, 20_000) == MOMENT_MS + 120_000


def test_29_february_has_an_anniversary() -> None:
    """On the 28th, as the engine has it."""
    leap_day_ms = parse_rfc3339("2028-02-29T12:00:00Z")

    assert date_years_before(leap_day_ms, "UTC", 1).isoformat() == "2027-02-28"
    assert date_years_before(leap_day_ms, "UTC", 4).isoformat() == "2024-02-29"


def one_trigger(after: str | int) -> dict[str, Any]:
    """A document with one step."""
    body = {"kind": "event", "on": ["shipped"], "after": after, "template": "t", "channels": ["a"]}
    return {"version": 1, "triggers": {"one": body}}
