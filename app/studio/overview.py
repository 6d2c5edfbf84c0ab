"""The first page: figures, sends by day and hour, what became of each trigger's steps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from app.core.decisions import Outcome
from app.html import plots
from app.html.document import cards, figure, section
from app.html.markup import Html, join, table, tag
from app.studio.decision_counts import by_verdict, sends_by_hour
from app.studio.folder import Loaded
from app.studio.frame import DECISIONS, OVERVIEW, choice, link, page
from app.studio.verdict_words import OUTCOMES, verdict_words

WEEKDAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
#: Days of the second heat map, the newest ones.
MAX_DAYS: Final = 400
_HOURS: Final = range(24)
#: Shades of a heat map, see studio.css.
_SHADES: Final = 8
_NARROW_SPACE: Final = "\u202f"


def overview_page(loaded: Loaded, trigger: str | None) -> str:
    """The HTML document; ``trigger``: the heat maps have its sends alone."""
    verdicts = by_verdict(loaded.counts)
    return page(
        "Overview",
        OVERVIEW,
        tag(
            "header",
            tag("h1", "Overview"),
            tag("p", "Rules version ", tag("code", loaded.saved.rules.version[:12]), "."),
        ),
        _figures(loaded, verdicts),
        _heat_maps(loaded, trigger),
        _verdicts(verdicts),
    )


def _figures(loaded: Loaded, verdicts: Mapping[str, Counter[tuple[str, str]]]) -> Html:
    outcomes: Counter[str] = Counter()
    for counts in verdicts.values():
        for (outcome, _), count in counts.items():
            outcomes[outcome] += count
    shown = [("customers", loaded.customers), ("decisions", outcomes.total())]
    shown += [(title, outcomes[outcome]) for outcome, title in OUTCOMES.items()]
    return cards((name, f"{count:,}".replace(",", _NARROW_SPACE)) for name, count in shown)


def _heat_maps(loaded: Loaded, trigger: str | None) -> Html:
    rules = loaded.saved.rules
    chosen = tag(
        "form",
        choice("Trigger", "trigger", sorted(rules.triggers), trigger),
        tag("button", "Show"),
        action=OVERVIEW,
    )
    sends = sends_by_hour(loaded.counts, rules.timezone, trigger)
    if not sends:
        return section("Sends by day and hour", chosen, tag("p", "Nothing was sent."))
    return section(
        "Sends by day and hour",
        chosen,
        tag(
            "p",
            f"Times of the decision in {rules.timezone.key}, the zone of the rules. A day or an"
            " hour leads to its sends.",
        ),
        _by_weekday(sends, trigger),
        _by_day(sends, trigger),
        is_wide=True,
    )


def _by_weekday(sends: Counter[tuple[date, int]], trigger: str | None) -> Html:
    cells: Counter[tuple[int, int]] = Counter()
    for (day, hour), count in sends.items():
        cells[day.weekday(), hour] += count
    rows = [
        (
            _sends(name, trigger, weekday=name.lower()),
            [cells[number, hour] for hour in _HOURS],
        )
        for number, name in enumerate(WEEKDAYS)
    ]
    return _heat_map("Sends by day of the week and hour", "day", rows, trigger)


def _by_day(sends: Counter[tuple[date, int]], trigger: str | None) -> Html:
    days = sorted({day for day, _ in sends}, reverse=True)
    rows = [
        (_sends(day.isoformat(), trigger, day=day.isoformat()), [sends[day, h] for h in _HOURS])
        for day in days[:MAX_DAYS]
    ]
    label = "Sends by date and hour, the newest first"
    if len(days) > MAX_DAYS:
        label += f" (the newest {MAX_DAYS} of {len(days)} days)"
    return _heat_map(label, "date", rows, trigger)


def _sends(text: str, trigger: str | None, **query: str) -> Html:
    named = {} if trigger is None else {"trigger": trigger}
    return link(text, DECISIONS, {"outcome": Outcome.SEND.value, **named, **query})


def _heat_map(
    label: str, head: str, rows: Sequence[tuple[Html, Sequence[int]]], trigger: str | None
) -> Html:
    most = max(max(values) for _, values in rows)
    hours = [_sends(f"{hour:02d}", trigger, hour=str(hour)) for hour in _HOURS]
    cells = [[name, sum(values), *(_cell(n, most) for n in values)] for name, values in rows]
    shown = table(label, (head, "all", *hours), cells, right=range(2, 26))
    return tag("div", shown, class_="heat-table")


def _cell(count: int, most: int) -> Html:
    if not count:
        return tag("span", "", class_="heat h0")
    return tag("span", count, class_=f"heat h{max(1, round(_SHADES * count / most))}")


def _verdicts(verdicts: Mapping[str, Counter[tuple[str, str]]]) -> Html:
    title = "What became of each trigger's steps"
    if not verdicts:
        return section(title, tag("p", "Nothing was decided."))
    label = "Decisions by trigger"
    series = {
        name: [
            sum(n for (outcome, _), n in counts.items() if outcome == each)
            for counts in verdicts.values()
        ]
        for each, name in OUTCOMES.items()
    }
    drawn = plots.rows(label, list(verdicts), {n: v for n, v in series.items() if any(v)})
    rows = [
        (
            trigger,
            link(
                verdict_words(outcome, reason),
                DECISIONS,
                {"trigger": trigger, "outcome": outcome, "reason": reason},
            ),
            count,
            f"{100 * count / counts.total():.1f}\u00a0%",
        )
        for trigger, counts in verdicts.items()
        for (outcome, reason), count in counts.most_common()
    ]
    parts = [
        figure(label, drawn),
        table("Decisions by trigger and reason", ("trigger", "verdict", "steps", "share"), rows),
    ]
    return section(title, join(parts), is_wide=True)
