"""The plan as text for people and as JSON for programs."""

import json
from typing import Any

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.backtest.report.tally import LimitCost
from app.core.decisions import Outcome
from app.plan.plan import Plan, Rehearsal
from app.plan.rules_diff import FieldChange, RulesDiff

_MOST_VERDICTS = 30
_STARTS_EMPTY = (
    "starts empty: it counts events from the first one that is read under the new rules."
    " Give it its past with `triggers seed HISTORY --decide-from T`, and see what it says with"
    " `triggers backtest --state-from HISTORY`."
)


def plan_json(plan: Plan) -> str:
    """Everything, with ``is_same`` on top."""
    return json.dumps({"is_same": plan.is_same, **msgspec.to_builtins(plan)}, indent=2)


def print_plan(plan: Plan, console: Console) -> None:
    """Sections with a table each; what is empty is left out."""
    console.print(_rules(plan.rules))
    for name in plan.rules.facts_from_nothing:
        console.print(Text(f"customer.{name} {_STARTS_EMPTY}"))
    if plan.rehearsal is not None:
        for part in _rehearsal(plan.rehearsal):
            console.print(part)
    console.print(Text("nothing differs" if plan.is_same else "something differs"))


def _rules(diff: RulesDiff) -> RenderableType:
    if diff.is_empty:
        return Text("The two files mean the same.")
    table = _table("Rules", "trigger", "what", "before", "after")
    for name in diff.new:
        table.add_row(Text(name), "new", "", "")
    for name in diff.gone:
        table.add_row(Text(name), "gone", "", "")
    for name, changes in diff.changed.items():
        for change in changes:
            _add_change(table, name, change)
    for change in diff.others:
        _add_change(table, "(all)", change)
    return table


def _add_change(table: Table, trigger: str, change: FieldChange) -> None:
    shown = (trigger, change.path, _value(change.before), _value(change.after))
    table.add_row(*(Text(text) for text in shown))


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rehearsal(rehearsal: Rehearsal) -> list[RenderableType]:
    return [
        _pending(rehearsal),
        _triggers(rehearsal),
        _verdicts(rehearsal),
        _pressure(rehearsal),
        Text(
            f"{rehearsal.customers_gaining} customers get more messages,"
            f" {rehearsal.customers_losing} get fewer;"
            f" {rehearsal.messages_change:+d} messages in all"
        ),
    ]


def _pending(rehearsal: Rehearsal) -> RenderableType:
    table = _table(
        "Pending timers", "trigger", "kept", "of these not when NEW would", "moved", "dropped"
    )
    for name, change in rehearsal.pending.items():
        counts = (change.kept, change.kept_elsewhere, change.moved, change.dropped)
        table.add_row(Text(name), *map(str, counts))
    return table if rehearsal.pending else Text("No timers are pending.")


def _triggers(rehearsal: Rehearsal) -> RenderableType:
    outcomes = [outcome.value for outcome in Outcome]
    table = _table("Decisions, before -> after", "trigger", *outcomes)
    for change in rehearsal.triggers:
        cells = (_pair(change.before[name], change.after[name]) for name in outcomes)
        table.add_row(Text(change.trigger), *cells)
    return table


def _pair(before: int, after: int) -> str:
    return str(before) if before == after else f"{before} -> {after} ({after - before:+d})"


def _verdicts(rehearsal: Rehearsal) -> RenderableType:
    if not rehearsal.verdicts:
        return Text("Every step is decided alike.")
    table = _table("Steps decided otherwise", "trigger", "before", "after", "steps")
    ranked = sorted(rehearsal.verdicts, key=lambda change: -change.steps)
    for change in ranked[:_MOST_VERDICTS]:
        table.add_row(Text(change.trigger), change.before, change.after, str(change.steps))
    left_out = len(ranked) - _MOST_VERDICTS
    if left_out <= 0:
        return table
    return Group(table, Text(f"and {left_out} smaller ones, which --format json has"))


def _pressure(rehearsal: Rehearsal) -> RenderableType:
    table = _table("Limits, before -> after", "limit", "steps held up", "lost", "other channel")
    for name, (before, after) in rehearsal.pressure.items():
        old, new = before or LimitCost(), after or LimitCost()
        table.add_row(
            Text(name if before and after else f"{name} ({'new' if after else 'gone'})"),
            _pair(old.held_up, new.held_up),
            _pair(old.lost_at_once + old.lost_later, new.lost_at_once + new.lost_later),
            _pair(old.moved, new.moved),
        )
    return table if rehearsal.pressure else Text("Neither file has limits.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        is_number = title != "Rules" and name not in ("trigger", "limit", "before", "after")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    return table
