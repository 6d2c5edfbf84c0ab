"""An experiment in words for its team: the plan, what happened, the verdict, what it is worth."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.analysis.experiments.design import METRIC_WORDS, Design
from app.analysis.experiments.finding import Finding, VariantFinding
from app.analysis.experiments.guardrail import standing_words
from app.analysis.experiments.report import Judged
from app.analysis.experiments.worth import Worth
from app.analysis.kpis.written import count_text, percent_text
from app.analysis.statistics.intervals import Interval
from app.core.time.instants import format_rfc3339


def plan_rows(design: Design) -> Iterator[tuple[str, str]]:
    """What was registered: (what, how it was decided)."""
    entry = design.entry
    yield "trigger", design.trigger
    yield "metric", f"customers who {METRIC_WORDS[design.metric]} ({design.metric})"
    for arm in design.arms:
        change = _change(entry["variants"][arm.name])
        yield f"variant {arm.name}", f"{percent_text(arm.share)} % of the customers: {change}"
    yield "audience", _condition_text(entry["when"]) if "when" in entry else "all customers"
    yield "counted from", f"{minute_text(design.from_ms)}{_burn_in(entry)}"
    fewest = design.min_sample
    yield "customers per variant", "not planned" if fewest is None else count_text(fewest)
    yield "longest duration", str(entry.get("max_duration", "not planned"))
    if design.guardrail is not None:
        bound = "at most" if design.guardrail.is_less_better else "at least"
        worst = f"{bound} {percent_text(design.guardrail.worst)} %"
        words = METRIC_WORDS[design.guardrail.metric]
        yield "guardrail", f"a variant is stopped unless {worst} of its customers {words}"
    yield "design", design.hash


def _burn_in(entry: Mapping[str, Any]) -> str:
    return f", the first {entry['burn_in']} left out" if "burn_in" in entry else ""


def _change(variant: Mapping[str, Any]) -> str:
    if variant.get("ghost"):
        return "no message (everything is decided, nothing is sent)"
    changes = {name: value for name, value in variant.items() if name not in ("weight", "ghost")}
    if not changes:
        return "the trigger as it is"
    return ", ".join(f"{name}: {_value_text(value)}" for name, value in changes.items())


def _value_text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_value_text(each)}" for name, each in value.items())
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"{len(value)} of its own"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _condition_text(tree: Mapping[str, Any]) -> str:
    for group, word in (("all", " and "), ("any", " or ")):
        if group in tree:
            return f"({word.join(_condition_text(part) for part in tree[group])})"
    if "not" in tree:
        return f"not {_condition_text(tree['not'])}"
    return f"{tree['field']} {tree['op']} {tree.get('value', '')}".strip()


def verdict_words(judged: Judged) -> str:
    """The verdict as one would tell it."""
    design, finding = judged.design, judged.finding
    first = finding.variants[0]
    match finding.verdict:
        case "winner":
            winner = next(each for each in finding.variants if each.name == finding.winner)
            return _winner_words(design, first, winner)
        case "no difference":
            return (
                f"No variant did better than {first.name} by more than chance explains. Keep"
                f" {first.name}, or try a bolder change."
            )
        case "stopped":
            return f"Stop {finding.stopped}: {finding.reason}."
        case "invalid":
            return f"The figures cannot be used: {finding.reason}."
        case _:
            return f"Not decided yet: {finding.reason}. Do not stop it for what it shows so far."


def _winner_words(design: Design, first: VariantFinding, winner: VariantFinding) -> str:
    words = METRIC_WORDS[design.metric]
    if winner is first:
        return f"{first.name} stays: every other variant did worse, beyond chance."
    assert winner.rate is not None
    assert first.rate is not None
    assert winner.lift is not None
    reach = winner.lift_interval
    between = (
        f", with 95 % certainty between {_points(reach.low)} and {_points(reach.high)}"
        if reach
        else ""
    )
    return (
        f"{winner.name} wins: {percent_text(winner.rate)} % of its {count_text(winner.sample)}"
        f" customers {words}, against {percent_text(first.rate)} % of {count_text(first.sample)}"
        f" with {first.name}. That is {_points(winner.lift)} percentage points{between}."
    )


def minute_text(instant_ms: int) -> str:
    """``2026-01-31 12:05 UTC``."""
    return f"{format_rfc3339(instant_ms)[:16].replace('T', ' ')} UTC"


def _points(value: float) -> str:
    return f"{'+' if value > 0 else ''}{percent_text(value)}"


def worth_words(design: Design, worth: Worth) -> str:
    """What the winner brings in a month."""
    words = METRIC_WORDS[design.metric]
    more = f"{worth.more:+,.0f}".replace(",", "\u202f")
    text = (
        f"At the experiment's pace {count_text(round(worth.customers))} customers come to this"
        f" trigger in a month. If all of them get the winner, expect {more} a month who {words}"
        f" ({_range(worth.interval)})."
    )
    if worth.money is None or worth.money_interval is None or worth.value is None:
        return text
    unit = f" {worth.currency}" if worth.currency else ""
    money = f"{worth.money:+,.0f}".replace(",", "\u202f")
    return (
        f"{text} At {worth.value:.2f}{unit} a purchase that is {money}{unit} a month"
        f" ({_range(worth.money_interval)})."
    )


def _range(interval: Interval) -> str:
    return f"{interval.low:+,.0f} to {interval.high:+,.0f}".replace(",", "\u202f")


def happened(design: Design, finding: Finding) -> Iterator[str]:
    """Dates and numbers, and how the guardrail stands."""
    assigned = sum(each.assigned for each in finding.variants)
    until = finding.now_ms if finding.stop_ms is None else finding.stop_ms
    state = "So far" if finding.stop_ms is None else "In the end"
    yield (
        f"{state}, until {minute_text(until)}, {count_text(assigned)} customers were drawn into the"
        " variants."
    )
    if design.guardrail is None:
        return
    for each in finding.guardrail:
        word = "holds" if each.broken_ms is None else "was broken"
        yield f"The guardrail {word} for {each.variant}: {standing_words(each, design.guardrail)}."
