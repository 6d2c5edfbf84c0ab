"""Random rules and random histories, built so that gates bite and timers meet their cancels.

`scenarios()` is what a whole-engine test draws: rules (as parsed YAML, durations still text), the
backtest lines that fit them, and sometimes `until` or an outage. Vocabularies are small on purpose:
two carts, two bookings and three products make keys collide.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tests.oracle.strategies_lines import Line, histories
from tests.oracle.strategies_rules import Rules, rule_sets

__all__ = ["Scenario", "histories", "rule_sets", "scenarios", "with_merges"]

SECOND_MS = 1000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_MS


#: Instants that histories gather around: clock changes, the end of February, the turn of a year,
#: and days on which nothing special happens.
CENTRES_MS = {
    "plain evening": _at("2024-06-15T18:00"),
    "plain night": _at("2023-09-12T03:00"),
    "Berlin springs forward": _at("2024-03-31T01:00"),
    "Berlin falls back": _at("2024-10-27T01:00"),
    "New York springs forward": _at("2024-03-10T07:00"),
    "New York falls back": _at("2024-11-03T06:00"),
    "Lord Howe falls back": _at("2024-04-06T15:00"),
    "Lord Howe springs forward": _at("2024-10-05T15:30"),
    "end of February": _at("2023-02-28T12:00"),
    "end of February, leap year": _at("2024-02-28T20:00"),
    "leap day": _at("2024-02-29T12:00"),
    "turn of the year": _at("2023-12-31T23:00"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One backtest: what it reads and how its clock runs."""

    rules: Rules
    lines: tuple[Line, ...]
    until_ms: int | None
    outage: tuple[int, int] | None

    def with_lines(self, lines: tuple[Line, ...]) -> "Scenario":
        """The same clock and rules over other lines."""
        return Scenario(rules=self.rules, lines=lines, until_ms=self.until_ms, outage=self.outage)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Rules, a history biased towards what they name, and sometimes a longer or broken clock."""
    centre_ms = draw(st.sampled_from(sorted(CENTRES_MS.values())))
    start_ms = centre_ms - draw(st.sampled_from([0, HOUR_MS, 6 * HOUR_MS, DAY_MS, 2 * DAY_MS]))
    month_day = datetime.fromtimestamp(start_ms / SECOND_MS, UTC).date() + timedelta(
        days=draw(st.integers(0, 3))
    )
    rules = draw(rule_sets())
    lines, end_ms = draw(histories(rules, start_ms=start_ms, birthday_near=month_day))
    has_anniversary = any(t["kind"] == "anniversary" for t in rules["triggers"].values())
    a_year_on = [400 * DAY_MS] * (12 if has_anniversary else 1)
    until_ms = end_ms + draw(
        st.sampled_from([-HOUR_MS, 0, 5000, HOUR_MS, DAY_MS, 4 * DAY_MS, *a_year_on])
    )
    span_ms = max(end_ms - start_ms, 1)
    begin = start_ms + span_ms * draw(st.integers(0, 10)) // 10
    length = draw(st.sampled_from([1, 60_000, HOUR_MS, DAY_MS, span_ms]))
    return Scenario(
        rules=rules,
        lines=tuple(lines),
        until_ms=draw(st.sampled_from([None, until_ms, until_ms])),
        outage=draw(st.sampled_from([None, None, (begin, begin + length)])),
    )


@st.composite
def with_merges(draw: st.DrawFn) -> Scenario:
    """A scenario in whose history customers turn out to be one, in chains and circles, too.

    Mostly a guest does what comes first, and logs in.
    """
    scenario = draw(scenarios())
    customers = sorted({str(line.get("customer_id", "a")) for line in scenario.lines} | {"z"})
    lines = list(scenario.lines)
    if draw(st.integers(0, 3)):
        place = draw(st.integers(1, len(lines)))
        member = draw(st.sampled_from(customers))
        lines[:place] = [
            line | {"customer_id": "guest"} if line.get("customer_id") == member else line
            for line in lines[:place]
        ]
        lines.insert(place, _merge(lines[place - 1], "guest", member, "log-in"))
        customers.append("guest")
    for number in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
        place = draw(st.integers(0, len(lines)))
        before = lines[place - 1] if place else lines[0]
        who, into = draw(st.sampled_from(customers)), draw(st.sampled_from([*customers, ""]))
        lines.insert(place, _merge(before, who, into, f"merge-{number}"))
    return replace(scenario, lines=tuple(lines))


def _merge(before: Line, customer: str, into: str, event_id: str) -> Line:
    """A merge right after a line."""
    return {
        "topic": "profiles",
        "event_id": event_id,
        "type": "customer_merged",
        "customer_id": customer,
        "occurred_at": before.get("occurred_at"),
        "data": {"into": into},
    }
