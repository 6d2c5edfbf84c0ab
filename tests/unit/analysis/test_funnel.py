"""``triggers funnel`` on histories that are small enough to count by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.cli import main
from tests.unit.analysis.files import T0, bought, decision, outcome, write_lines

Line = dict[str, Any]
Ask = Callable[..., dict[str, Any]]
HOUR_MS = 3_600_000
DAY = 24.0
STAGES = "itinerary_saved,passenger_details_added,booking_confirmed"


def event(name: str, booking: str, hours: float, *, customer: str | None = None) -> Line:
    """One line about the booking, whose customer has its name unless another is given."""
    return {
        "topic": "bookings",
        "event_id": f"{name}-{booking}-{hours}",
        "type": name,
        "customer_id": customer or booking,
        "occurred_at": T0 + round(hours * HOUR_MS),
        "data": {"booking_id": booking},
    }


def history() -> list[Line]:
    """Ten bookings begin: six go on after an hour, three of these are confirmed after two more."""
    lines = [event("itinerary_saved", f"b{n}", 0) for n in range(10)]
    lines += [event("passenger_details_added", f"b{n}", 1) for n in range(6)]
    lines += [event("booking_confirmed", f"b{n}", 3) for n in range(3)]
    return lines


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The JSON funnel of such events."""

    def asked(events: list[Line], *options: str) -> dict[str, Any]:
        path = tmp_path / "events.jsonl"
        path.write_bytes(b"\n".join(map(orjson.dumps, events)))
        command = ["funnel", "--events", str(path), "--stages", STAGES, "--key", "booking_id"]
        assert main([*command, "--format", "json", *options]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return asked


END = event("itinerary_saved", "late", 30 * DAY)


def test_stages_count_customers_reached_and_lost(ask: Ask) -> None:
    """Ten, six, three; one that began an hour before the end is still open."""
    lines = [*history(), event("itinerary_saved", "fresh", 30 * DAY - 1), END]
    first, second, last = ask(lines)["groups"]["all"]
    assert [stage["count"] for stage in (first, second, last)] == [12, 6, 3]
    assert (first["lost"], first["open"]) == (4, 2)
    assert (first["went_on"]["count"], first["went_on"]["sample"]) == (6, 10)
    assert (second["lost"], second["went_on"]["value"]) == (3, 0.5)
    assert (first["median_s"], second["median_s"], first["timed"]) == (3600, 7200, 6)
    assert last["went_on"] is None


def test_a_skipped_stage_counts_as_reached_and_a_late_one_does_not(ask: Ask) -> None:
    """Confirmed without details: through; confirmed after the time: lost; before: not its own."""
    lines = [
        event("itinerary_saved", "skips", 0),
        event("booking_confirmed", "skips", 5),
        event("itinerary_saved", "slow", 0),
        event("booking_confirmed", "slow", 8 * DAY),
        event("booking_confirmed", "before", 0),
        event("itinerary_saved", "before", 1),
        event("passenger_details_added", "other", 1),
        END,
    ]
    counts = [stage["count"] for stage in ask(lines)["groups"]["all"]]
    assert counts == [4, 1, 1]
    counts = [stage["count"] for stage in ask(lines, "--within", "10d")["groups"]["all"]]
    assert counts == [4, 2, 2]


@pytest.fixture
def messages(tmp_path: Path) -> list[str]:
    """Four of those that were lost get a message after a day; two more are held out."""
    decisions = [
        decision(f"m{n}", f"b{n}", key=f"b{n}", day=1, segments=["vip"] if n == 6 else ["new"])
        for n in (6, 7, 8)
    ]
    decisions.append(decision("m9", "b9", key="b9", day=1, outcome="holdout", segments=["new"]))
    decisions.append(decision("m6-1", "b6", key="b6", day=2, step=1, outcome="suppress"))
    outcomes = [outcome("m6", "opened"), bought("m6")]
    files = {
        "--decisions": write_lines(tmp_path / "d.jsonl", decisions),
        "--outcomes": write_lines(tmp_path / "o.jsonl", outcomes),
    }
    return [str(part) for option in files.items() for part in option]


def test_messages_bring_back_stalled_customers(ask: Ask, messages: list[str]) -> None:
    """One of three who were sent one went on after it, none of the one held out."""
    lines = [*history(), event("passenger_details_added", "b6", 30), END]
    report = ask(lines, *messages)
    first = report["groups"]["all"][0]
    assert (first["sent"]["count"], first["sent"]["sample"]) == (1, 3)
    assert (first["held_out"]["count"], first["held_out"]["sample"]) == (0, 1)
    assert first["brought_back"]["value"] == pytest.approx(1 / 3)
    steps = report["journeys"]
    assert [(step["step"], step["instances"], step["sent"]) for step in steps] == [
        (0, 4, 3),
        (1, 1, 0),
    ]
    assert (steps[0]["opened"], steps[0]["bought"], steps[1]["nothing"]) == (1, 1, 1)


def test_segments_have_groups_of_their_own(ask: Ask, messages: list[str]) -> None:
    """By the segments on decisions; customers without a message are in no segment."""
    groups = ask([*history(), END], *messages, "--by", "segment")["groups"]
    assert {name: stages[0]["count"] for name, stages in groups.items()} == {
        "(no segment)": 7,
        "new": 3,
        "vip": 1,
    }


def test_a_funnel_has_the_segment_of_when_it_began(ask: Ask, tmp_path: Path) -> None:
    """Ann was new at her first message and loyal at her second: the booking before both counts as
    new, one between them too, the one after them as loyal. Eleven others have no message.
    """
    decisions = [
        decision("m1", "ann", day=1, segments=["new"]),
        decision("m2", "ann", day=3, segments=["loyal", "vip"]),
    ]
    files = ["--decisions", str(write_lines(tmp_path / "d.jsonl", decisions))]
    files += ["--outcomes", str(write_lines(tmp_path / "o.jsonl", []))]
    starts = {"b0": 0, "b1": 2 * DAY, "b2": 4 * DAY}
    lines = [event("itinerary_saved", b, hour, customer="ann") for b, hour in starts.items()]
    groups = ask([*history(), *lines, END], *files, "--by", "segment")["groups"]
    assert {name: stages[0]["count"] for name, stages in groups.items()} == {
        "(no segment)": 11,
        "loyal": 1,
        "new": 2,
        "vip": 1,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--stages", "itinerary_saved"], "two event types"),
        (["--stages", "itinerary_saved,nope"], "no event of type nope"),
        (["--within", "0s"], "longer than nothing"),
        (["--by", "segment"], "--decisions"),
    ],
)
def test_bad_usage_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    """Exit code 2 and what was expected."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, history())))
    command = ["funnel", "--events", str(path), "--stages", STAGES, "--key", "booking_id"]
    assert main([*command, *options]) == 2
    assert expected in capsys.readouterr().err


def test_the_table_and_the_page_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], messages: list[str]
) -> None:
    """Counts, shares, times and what came back."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, [*history(), END])))
    command = ["funnel", "--events", str(path), "--stages", STAGES, "--key", "booking_id"]
    for form in ("table", "html"):
        assert main([*command, *messages, "--format", form]) == 0
        text = capsys.readouterr().out
        for part in ("54.5 %", "60.0 %", "1.0 h (1.0 h to 1.0 h), of 6", "cart, step 1"):
            assert part in text
