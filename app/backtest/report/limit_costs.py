"""What limits are called, and what each cost."""

from app.backtest.report.tally import Limit, LimitCost, Tally, limit_of
from app.core.gates.registry import Gate, title_of
from app.core.rules.model import Cap, Rules
from app.core.time.durations import span_text


def limit_costs(tally: Tally, rules: Rules) -> dict[str, LimitCost]:
    """Every cap of the rules and their triggers, the quiet hours, what else made steps wait; by
    name.
    """
    known: dict[Limit, str] = {limit_of(cap): _name(cap) for cap in rules.caps}
    for trigger in rules.triggers.values():
        for caps in trigger.caps.values():
            for cap in caps:
                known.setdefault(limit_of(cap), _name(cap))
    if rules.quiet_hours:
        known[Gate.QUIET] = "quiet hours"
    known[Gate.WINDOW], known[Gate.RATE] = "delivery window", "send rate"
    for limit in sorted(tally.costs, key=str):
        known.setdefault(limit, title_of(limit) if isinstance(limit, str) else str(limit))
    return {
        name: tally.costs.get(limit, LimitCost())
        for limit, name in known.items()
        if limit in tally.costs or limit not in (Gate.WINDOW, Gate.RATE)
    }


def _name(cap: Cap) -> str:
    scope = cap.channel or cap.family or cap.trigger
    where = "" if scope is None else f", {scope}"
    return f"{cap.limit} in {span_text(cap.per_ms)}{where}"
