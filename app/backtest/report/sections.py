"""The parts of the report: each a heading, a plot where it helps, and its table."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

from app.backtest.report.days import Calendar, calendar
from app.backtest.report.limit_costs import limit_costs
from app.backtest.report.tally import Tally
from app.core.decisions import Outcome
from app.core.gates.registry import title_of
from app.core.rules.model import Rules
from app.core.time.durations import span_text
from app.core.time.instants import MINUTE_MS
from app.core.triggers.starts import STOP_WORDS
from app.html import plots
from app.html.document import figure, section
from app.html.markup import Html, join, table, tag

#: Upper ends of the bars of the delays, in minutes.
_DELAYS_MIN: Final = (15, 60, 180, 360, 720, 1440, 2880)
#: Kinds of outcome that the report shows, and what it calls them.
_LED_TO: Final = {
    "opened": "opened",
    "clicked": "clicked",
    "conversion": "conversions",
    "assisted": "assisted",
    "recovery": "recoveries",
}
#: Upper ends of the bars of messages per customer.
_MESSAGES: Final = (0, 1, 2, 3, 5, 10, 20, 50)


def sends_by_day(tally: Tally) -> Html:
    """Sends per day, by trigger and by channel."""
    sends = [(k[0], k[1], k[2], n) for k, n in tally.counts.items() if k[3] is Outcome.SEND]
    by_trigger = calendar(((d, trigger, n) for d, trigger, _, n in sends), plots.MAX_SERIES)
    by_channel = calendar(((d, str(channel), n) for d, _, channel, n in sends), plots.MAX_SERIES)
    if not sends:
        return section("Sends per day", tag("p", "Nothing was sent."))
    unit = by_trigger.unit
    return section(
        f"Sends per {unit}",
        tag("p", "Days are UTC days of the decision. Ghost sends of the holdout are not in here."),
        _calendar(f"Sends per {unit} by trigger", by_trigger),
        _calendar(f"Sends per {unit} by channel", by_channel),
        is_series=True,
    )


def _calendar(label: str, shown: Calendar) -> Html:
    rows = zip(shown.names, shown.totals, *shown.series.values(), strict=True)
    return join(
        [
            figure(label, plots.stacked_bars(label, shown.names, shown.series)),
            table(label, (shown.unit, "all", *shown.series), rows),
        ]
    )


def triggers(tally: Tally, rules: Rules) -> Html:
    """What became of each trigger's steps."""
    by_trigger: dict[str, Counter[Outcome]] = {name: Counter() for name in rules.triggers}
    for (_, name, _, outcome, _), count in tally.counts.items():
        by_trigger[name][outcome] += count
    outcomes = (
        Outcome.SEND,
        Outcome.HOLDOUT,
        Outcome.SUPPRESS,
        Outcome.DEFER,
        Outcome.RECALL,
    )
    ranked = sorted(by_trigger.items(), key=lambda item: (-item[1].total(), item[0]))
    rows = [
        (name, rules.triggers[name].category, *(counts[outcome] for outcome in outcomes))
        for name, counts in ranked
        if counts
    ]
    idle = [name for name, counts in ranked if not counts]
    head = ("trigger", "category", "sent", "held out", "suppressed", "times deferred", "recalled")
    parts = [table("Decisions by trigger", head, rows)] if rows else []
    if idle:
        parts.append(tag("p", f"Without any decision: {', '.join(idle)}."))
    return section("Triggers", *parts)


def suppressions(tally: Tally) -> Html:
    """Why steps were not sent."""
    by_reason: Counter[str] = Counter()
    by_trigger: dict[str, Counter[str]] = {}
    for (_, trigger, _, outcome, reason), count in tally.counts.items():
        if outcome is Outcome.SUPPRESS:
            title = title_of(reason)
            by_reason[title] += count
            by_trigger.setdefault(title, Counter())[trigger] += count
    if not by_reason:
        return section("Why steps were not sent", tag("p", "No step was suppressed."))
    ranked = sorted(by_reason.items(), key=_by_size)
    total = by_reason.total()
    rows = [
        (
            reason,
            count,
            f"{100 * count / total:.1f}\u00a0%",
            ", ".join(
                f"{name} {n}" for name, n in sorted(by_trigger[reason].items(), key=_by_size)[:3]
            ),
        )
        for reason, count in ranked
    ]
    label = "Suppressed steps by reason"
    plot = plots.rows(label, [name for name, _ in ranked], {"steps": [n for _, n in ranked]})
    return section(
        "Why steps were not sent",
        figure(label, plot),
        table(label, ("reason", "steps", "share", "mostly"), rows, right=(2,)),
        is_wide=True,
    )


def stopped_starts(tally: Tally) -> Html:
    """Events that opened nothing although a trigger names their type."""
    if not tally.stopped:
        return section("Starts that opened nothing", tag("p", "Every start opened an instance."))
    ranked = sorted(tally.stopped.items(), key=lambda item: (-item[1], item[0]))
    rows = [(trigger, STOP_WORDS[reason], count) for (trigger, reason), count in ranked]
    label = "Starts that opened nothing, by trigger"
    shown = table(label, ("trigger", "why", "starts"), rows)
    return section("Starts that opened nothing", shown)


def _by_size(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def limits(tally: Tally, rules: Rules) -> Html:
    """What each cap and the quiet hours cost."""
    costs = limit_costs(tally, rules)
    if not costs:
        return section("What limits cost", tag("p", "The rules have no caps and no quiet hours."))
    rows = [
        (
            name,
            cost.held_up,
            cost.deferrals,
            cost.sent_later,
            cost.lost_later,
            cost.waiting,
            cost.lost_at_once,
            cost.moved,
        )
        for name, cost in costs.items()
    ]
    head = (
        "limit",
        "steps held up",
        "times deferred",
        "sent later",
        "lost later",
        "still waiting",
        "lost at once",
        "sent on another channel",
    )
    label = "Steps by what each limit did to them"
    series = {
        "other channel": [cost.moved for cost in costs.values()],
        "sent later": [cost.sent_later for cost in costs.values()],
        "still waiting": [cost.waiting for cost in costs.values()],
        "lost": [cost.lost_later + cost.lost_at_once for cost in costs.values()],
    }
    return section(
        "What each cap and the quiet hours cost",
        tag(
            "p",
            "Other channel: sent at once, on another channel than the one that was closed."
            " A step that two limits held up counts at both. Lost at once: the limit would have"
            " ended only after the step had expired. Lost later: deferred, and then suppressed,"
            " for whatever reason.",
        ),
        figure(label, plots.rows(label, list(costs), series)),
        table("What each limit cost", head, rows),
        is_wide=True,
    )


def delays(tally: Tally) -> Html:
    """How long deferred steps waited."""
    if not tally.delays_min:
        return section("Deferral delays", tag("p", "No deferred step was sent."))
    ends = [span_text(minutes * MINUTE_MS) for minutes in _DELAYS_MIN]
    names = [*ends, f"over {ends[-1]}"]
    bars = _in_bars(tally.delays_min, _DELAYS_MIN)
    label = "Deferred steps by time from due to sent"
    return section(
        "Deferral delays",
        figure(label, plots.stacked_bars(label, names, {"steps": bars})),
        table(label, ("from due to sent, up to", "steps"), zip(names, bars, strict=True)),
    )


def _in_bars(counts: Mapping[int, int], ends: Sequence[int]) -> list[int]:
    bars = [0] * (len(ends) + 1)
    for value, count in counts.items():
        bars[bisect_left(ends, value)] += count
    return bars


def messages(tally: Tally, customers: int) -> Html:
    """How many messages customers got over the whole history."""
    if not tally.messages:
        return section("Messages per customer", tag("p", "Nobody got a message."))
    ends = [str(n) if n - before == 1 else f"{before + 1}-{n}" for before, n in pairwise(_MESSAGES)]
    names = ["0", *ends, f"over {_MESSAGES[-1]}"]
    series = {}
    for name, sent in (("all messages", tally.messages), ("marketing", tally.marketing)):
        sizes = Counter(sent.values())
        sizes[0] += max(0, customers - len(sent))
        series[name] = _in_bars(sizes, _MESSAGES)
    label = "Customers by messages in the whole history"
    drawn = plots.stacked_bars(label, names, {"customers": series["all messages"]})
    return section(
        "Messages per customer",
        figure(label, drawn),
        table(
            label,
            ("messages", "customers (all messages)", "customers (marketing)"),
            zip(names, series["all messages"], series["marketing"], strict=True),
        ),
    )


def led_to(tally: Tally) -> Html:
    """What marketing sends led to, and what happened after ghost sends."""
    title = "What sends led to"
    names = sorted({trigger for trigger, _, _ in tally.led_to})
    if not names:
        return section(title, tag("p", "No outcome was recorded."))
    sends: Counter[tuple[str, Outcome]] = Counter()
    for (_, trigger, _, outcome, _), count in tally.counts.items():
        sends[trigger, outcome] += count
    rows = []
    for name in names:
        of_sends = {kind: tally.led_to[name, False, kind] for kind in _LED_TO}
        rows.append(
            (
                name,
                sends[name, Outcome.SEND],
                *of_sends.values(),
                sends[name, Outcome.HOLDOUT],
                tally.led_to[name, True, "conversion"],
                _revenue(tally, name),
            )
        )
    head = ("trigger", "sends", *_LED_TO.values(), "ghost sends", "ghost conversions", "revenue")
    label = "Outcomes by trigger"
    return section(
        title,
        tag(
            "p",
            "Within the attribution window of the rules. Revenue is of conversions, each counted"
            " for one send. Ghost sends show what happens without the message: compare shares,"
            " as triggers kpis does, not counts.",
        ),
        table(label, head, rows, right=(len(head) - 1,)),
        is_wide=True,
    )


def _revenue(tally: Tally, trigger: str) -> str:
    sums = sorted(
        (currency or "", value)
        for (name, currency), value in tally.revenue.items()
        if name == trigger
    )
    texts = (f"{_with_cents(value)}\u00a0{name}".strip() for name, value in sums)
    return ", ".join(text.replace(",", "\u202f") for text in texts) or "-"


def _with_cents(value: Fraction) -> str:
    cents = round(value * 100)
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def arms(tally: Tally, rules: Rules) -> Html:
    """Held out and messaged, and the variants of each experiment."""
    counted: list[tuple[str, Mapping[str, int]]] = [("messaged", tally.marketing)]
    if rules.holdout is not None or tally.ghosts:
        counted.append(("held out (ghost sends)", tally.ghosts))
    experiments = (trigger.experiment for trigger in rules.triggers.values())
    for experiment in filter(None, experiments):
        for variant in experiment.variants:
            name = f"{experiment.name}: {variant.name}{' (ghost)' if variant.is_ghost else ''}"
            counted.append((name, tally.arms.get((experiment.name, variant.name), {})))
    rows = []
    for name, counts in counted:
        total = sum(counts.values())
        people = sum(1 for count in counts.values() if count > 0)
        rows.append((name, people, total, f"{total / people:.2f}" if people else "-"))
    return section(
        "Holdout and experiments",
        tag("p", "Marketing steps that were sent or, held out, would have been; less recalls."),
        table(
            "Arms", ("arm", "customers", "marketing steps", "steps per customer"), rows, right=(3,)
        ),
    )
