"""Decisions that a reader asks for: of a trigger, an outcome, a reason, a day, an hour."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Self

import msgspec

from app.core.decisions import Outcome, Reason
from app.core.errors import ConfigError
from app.core.gates.registry import title_of
from app.core.rules.model import Rules
from app.core.time.instants import parse_rfc3339
from app.core.time.zones import local
from app.html.document import section
from app.html.markup import Html, table, tag
from app.studio.decision_counts import DecisionLine
from app.studio.frame import DECISIONS, choice, customer_link, page, void
from app.studio.overview import WEEKDAYS
from app.studio.verdict_words import OUTCOMES, verdict_words

#: So many are listed.
MAX_LISTED: Final = 200
_WEEKDAYS: Final = tuple(name.lower() for name in WEEKDAYS)


class DecisionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; None: any. Days and hours are those of the rules' zone."""

    trigger: str | None = None
    outcome: str | None = None
    reason: str | None = None
    day: date | None = None
    weekday: str | None = None
    hour: int | None = None

    @classmethod
    def of_query(cls, query: Mapping[str, str], rules: Rules) -> Self:
        """From a URL; an empty value asks for any. Raises ConfigError."""
        hour = _one_of(query, "hour", [str(hour) for hour in range(24)])
        return cls(
            trigger=_one_of(query, "trigger", sorted(rules.triggers)),
            outcome=_one_of(query, "outcome", list(Outcome)),
            reason=_one_of(query, "reason", list(Reason)),
            day=_day(query.get("day", "")),
            weekday=_one_of(query, "weekday", _WEEKDAYS),
            hour=None if hour is None else int(hour),
        )

    def select(self, lines: Iterator[DecisionLine], rules: Rules) -> Iterator[DecisionLine]:
        """Those that are asked for, in their order."""
        needs_time = (self.day, self.weekday, self.hour) != (None, None, None)
        for line in lines:
            if (
                self.trigger in (None, line.trigger)
                and self.outcome in (None, line.outcome)
                and self.reason in (None, line.reason)
                and (not needs_time or self._is_then(line, rules))
            ):
                yield line

    def _is_then(self, line: DecisionLine, rules: Rules) -> bool:
        local_time = local(parse_rfc3339(line.decided_at), rules.timezone)
        return (
            self.day in (None, local_time.date())
            and self.weekday in (None, _WEEKDAYS[local_time.weekday()])
            and self.hour in (None, local_time.hour)
        )


def _one_of(query: Mapping[str, str], name: str, expected: Sequence[str]) -> str | None:
    given = query.get(name, "")
    if given and given not in expected:
        raise ConfigError(f"{name}: expected one of {', '.join(expected)}, got {given[:40]!r}")
    return given or None


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        raise ConfigError(f"day: expected a date as 2026-01-31, got {given[:40]!r}") from None


def decisions_page(
    asked: DecisionFilter, lines: Sequence[DecisionLine], rules: Rules, *, is_cut: bool
) -> str:
    """The HTML document; ``is_cut``: there are more than ``lines``."""
    shown = f"The first {len(lines)} in the order made." if is_cut else f"{len(lines)} decisions."
    rows = [_row(line, rules) for line in lines]
    head = ("decided", "customer", "trigger", "key", "step", "verdict", "channel")
    content = table("Decisions", head, rows) if rows else tag("p", "None.")
    return page(
        "Decisions",
        DECISIONS,
        tag("h1", "Decisions"),
        section(
            "Which ones",
            _form(asked, rules),
            tag("p", f"{shown} Times in {rules.timezone.key}, the zone of the rules."),
            content,
            is_wide=True,
        ),
    )


def _row(line: DecisionLine, rules: Rules) -> tuple[object, ...]:
    local_time = local(parse_rfc3339(line.decided_at), rules.timezone)
    return (
        f"{local_time:%a %Y-%m-%d %H:%M:%S}",
        customer_link(line.customer_id),
        line.trigger,
        line.key,
        line.step,
        verdict_words(line.outcome, line.reason),
        line.channel or "",
    )


def _form(asked: DecisionFilter, rules: Rules) -> Html:
    day = "" if asked.day is None else asked.day.isoformat()
    hour = None if asked.hour is None else str(asked.hour)
    return tag(
        "form",
        choice("Trigger", "trigger", sorted(rules.triggers), asked.trigger),
        choice("Outcome", "outcome", list(Outcome), asked.outcome, OUTCOMES.__getitem__),
        choice("Reason", "reason", list(Reason), asked.reason, title_of),
        tag("label", "Date", void("input", name="day", type="date", value=day)),
        choice("Day of the week", "weekday", _WEEKDAYS, asked.weekday),
        choice("Hour", "hour", [str(each) for each in range(24)], hour),
        tag("button", "Show"),
        action=DECISIONS,
    )
