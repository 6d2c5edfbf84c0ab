"""The plan in the folder of a run: what a change of the rules would do."""

import json
from collections.abc import Iterator
from typing import Any, Final

from app.backtest.report.tally import LimitCost
from app.core.decisions import Outcome
from app.html.document import cards, section
from app.html.markup import Html, table, tag
from app.plan.plan import Plan, Rehearsal
from app.plan.rules_diff import RulesDiff
from app.studio.frame import PLAN, page

_MAX_VERDICTS: Final = 100


def plan_page(plan: Plan | None) -> str:
    """The HTML document; None: there is no plan, and the page says how to make one."""
    if plan is None:
        how = (
            "There is no plan for this run. To put one there: triggers plan OLD NEW --events"
            " FILE --format json > plan.json, in the folder of the run."
        )
        return page("Plan", PLAN, tag("h1", "Plan"), tag("p", how))
    versions = f"From rules {plan.old_version[:12]} to {plan.new_version[:12]}: "
    verdict = "nothing differs." if plan.is_same else "something differs."
    rehearsed = () if plan.rehearsal is None else tuple(_rehearsed(plan.rehearsal))
    return page(
        "Plan",
        PLAN,
        tag("header", tag("h1", "Plan"), tag("p", versions, verdict)),
        _rules(plan.rules),
        *rehearsed,
    )


def _rules(diff: RulesDiff) -> Html:
    if diff.is_empty:
        return section("Rules", tag("p", "The two files mean the same."))
    rows = [(name, "new", "", "") for name in diff.new]
    rows += [(name, "gone", "", "") for name in diff.gone]
    for name, changes in (*diff.changed.items(), ("(all)", diff.others)):
        rows += [(name, c.path, _value(c.before), _value(c.after)) for c in changes]
    head = ("trigger", "what", "before", "after")
    notes = (
        tag("p", f"customer.{name} starts empty, with the first event read under the new rules.")
        for name in diff.facts_from_nothing
    )
    shown = table("What the files say otherwise", head, rows)
    return section("Rules", *notes, shown, is_wide=True)


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rehearsed(rehearsal: Rehearsal) -> Iterator[Html]:
    yield cards(
        (
            ("messages more or less", f"{rehearsal.messages_change:+d}"),
            ("customers who get more", str(rehearsal.customers_gaining)),
            ("customers who get fewer", str(rehearsal.customers_losing)),
        )
    )
    rows = [
        (each.trigger, *(_pair(each.before[name], each.after[name]) for name in Outcome))
        for each in rehearsal.triggers
    ]
    head = ("trigger", *(outcome.value for outcome in Outcome))
    right = range(1, len(head))
    yield section("Decisions", table("Before → after", head, rows, right=right), is_wide=True)
    ranked = sorted(rehearsal.verdicts, key=lambda change: (-change.steps, change.trigger))
    changes = [(e.trigger, e.before, e.after, e.steps) for e in ranked[:_MAX_VERDICTS]]
    label = "Steps decided otherwise"
    if len(ranked) > _MAX_VERDICTS:
        label += f", the largest {_MAX_VERDICTS} of {len(ranked)}"
    yield _section(
        "Steps decided otherwise", label, ("trigger", "before", "after", "steps"), changes
    )
    timers = [
        (name, change.kept, change.kept_elsewhere, change.moved, change.dropped)
        for name, change in rehearsal.pending.items()
    ]
    columns = ("trigger", "kept", "of these not when the new rules would", "moved", "dropped")
    yield _section("Pending timers", "Pending timers", columns, timers)
    yield _section(
        "Limits",
        "Before → after",
        ("limit", "steps held up", "lost", "other channel"),
        [_limit(name, before, after) for name, (before, after) in rehearsal.pressure.items()],
    )


def _limit(name: str, before: LimitCost | None, after: LimitCost | None) -> tuple[str, ...]:
    old, new = before or LimitCost(), after or LimitCost()
    return (
        name if before and after else f"{name} ({'new' if after else 'gone'})",
        _pair(old.held_up, new.held_up),
        _pair(old.lost_at_once + old.lost_later, new.lost_at_once + new.lost_later),
        _pair(old.moved, new.moved),
    )


def _section(title: str, label: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Html:
    if not rows:
        return section(title, tag("p", "None."))
    return section(title, table(label, head, rows), is_wide=True)


def _pair(before: int, after: int) -> str:
    return str(before) if before == after else f"{before} → {after} ({after - before:+d})"
