"""The whole plan: the two files, and with a history also timers and decisions."""

from collections.abc import Iterable

import msgspec

from app.backtest.clock import DEFAULT_GRACE_MS
from app.backtest.history import Arrival
from app.backtest.replay import Replay
from app.backtest.report.limit_costs import limit_costs
from app.backtest.report.tally import LimitCost, Tally
from app.core.decisions import Decision
from app.core.rules.model import Rules
from app.plan.decisions_diff import NEW, OLD, DecisionsDiff, SendsChange, by_trigger
from app.plan.pending import PendingChange, follow_timers
from app.plan.rules_diff import RulesDiff, diff_rules


class VerdictChange(msgspec.Struct, frozen=True):
    """So many steps of a trigger that are decided otherwise."""

    trigger: str
    before: str
    after: str
    steps: int


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What a history says of the change. ``pressure``: costs of each limit, before and after."""

    pending: dict[str, PendingChange]
    triggers: list[SendsChange]
    verdicts: list[VerdictChange]
    customers_gaining: int
    customers_losing: int
    messages_change: int
    pressure: dict[str, tuple[LimitCost | None, LimitCost | None]]
    is_same: bool


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``rehearsal`` is None without a history."""

    old_version: str
    new_version: str
    rules: RulesDiff
    rehearsal: Rehearsal | None

    @property
    def is_same(self) -> bool:
        """Whether nothing differs: neither what the files mean nor what they decide."""
        return self.rules.is_empty and (self.rehearsal is None or self.rehearsal.is_same)


def plan_change(
    old: Rules, new: Rules, arrivals: Iterable[Arrival] | None, *, until_ms: int | None = None
) -> Plan:
    """Compare two valid rules; with a history both decide over it in lockstep.

    Timers are those that OLD has pending when the history ends (or the clock reaches ``until_ms``).
    """
    return Plan(
        old_version=old.version,
        new_version=new.version,
        rules=diff_rules(old, new),
        rehearsal=None if arrivals is None else _rehearse(old, new, arrivals, until_ms),
    )


def _rehearse(
    old: Rules, new: Rules, arrivals: Iterable[Arrival], until_ms: int | None
) -> Rehearsal:
    diff = DecisionsDiff(frozenset(old.triggers.keys() & new.triggers.keys()))
    tallies = Tally(), Tally()
    replays = [
        _replay(rules, side, diff, tallies[side]) for side, rules in ((OLD, old), (NEW, new))
    ]
    for arrival in arrivals:
        for replay in replays:
            replay.take(arrival)
    for replay in replays:
        replay.finish(until_ms)
    diff.close()
    before, after = limit_costs(tallies[OLD], old), limit_costs(tallies[NEW], new)
    pending = follow_timers(replays[OLD].customers, old, new)
    return Rehearsal(
        pending=pending,
        triggers=by_trigger(diff),
        verdicts=[VerdictChange(*key, count) for key, count in sorted(diff.verdicts.items())],
        customers_gaining=diff.gaining,
        customers_losing=diff.losing,
        messages_change=sum(diff.messages.values()),
        pressure={
            name: (before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])
        },
        is_same=diff.is_empty and not any(change.dropped for change in pending.values()),
    )


def _replay(rules: Rules, side: int, diff: DecisionsDiff, tally: Tally) -> Replay:
    def emit(decision: Decision) -> None:
        tally.take(decision)
        diff.take(side, decision)

    return Replay(rules, emit, grace_ms=DEFAULT_GRACE_MS)
