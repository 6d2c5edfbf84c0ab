"""What limits are called, and what each cost."""

from app.backtest.report.tally import Limit, LimitCost, Tally, limit_of
from app.core.gates.registry import Gate
from app.core.rules.model import Rules
from app.core.time.durations import span_text


def limit_costs(tally: Tally, rules: Rules) -> dict[str, LimitCost]:
    """Every cap of the rules, the quiet hours, and what else made steps wait; by name."""
    known: dict[Limit, str] = {}
    for cap in rules.caps:
        scope = cap.channel or cap.family or cap.trigger
        where = "" if scope is None else f", {scope}"
        known[limit_of(cap)] = f"{cap.limit} in {span_text(cap.per_ms)}{where}"
    if rules.quiet_hours:
        known[Gate.QUIET] = "quiet hours"
    known[Gate.WINDOW], known[Gate.RATE] = "delivery window", "send rate"
    for limit in sorted(tally.costs, key=str):
        known.setdefault(limit, str(limit))
    return {
        name: tally.costs.get(limit, LimitCost())
        for limit, name in known.items()
        if limit in tally.costs or limit not in (Gate.WINDOW, Gate.RATE)
    }
