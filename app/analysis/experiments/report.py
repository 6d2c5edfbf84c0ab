"""Every experiment of a rules file, judged on files of decisions and outcomes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.analysis.data.database import Database
from app.analysis.data.decisions import load_decisions
from app.analysis.data.outcomes import load_outcomes
from app.analysis.experiments.design import Design, designs
from app.analysis.experiments.exposures import load_exposures
from app.analysis.experiments.finding import Finding
from app.analysis.experiments.registration import registered, why_changed
from app.analysis.experiments.verdict import judge
from app.analysis.experiments.worth import Worth, worth_of
from app.analysis.statistics.power import planned_sample, power_of
from app.core.rules.model import Rules

#: The relative lift that is worth finding, when no other is asked for.
DEFAULT_LIFT: Final = 0.15


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What sample finds ``lift`` over ``base``: ``needed`` customers per variant for a power of
    80 %; ``power`` is what ``min_sample`` gives.
    """

    lift: float
    base: float
    needed: int
    power: float | None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment. ``plan`` is None while the first variant's rate is 0 or 1, or unknown;
    ``worth`` is None without a winner over the first variant.
    """

    design: Design
    finding: Finding
    plan: Plan | None
    worth: Worth | None = None


def judge_all(
    database: Database,
    rules: Rules,
    decisions: Sequence[Path],
    outcomes: Sequence[Path],
    *,
    now_ms: int | None = None,
    lift: float = DEFAULT_LIFT,
    earlier: Sequence[Rules] = (),
) -> list[Judged]:
    """In the order of the triggers. ``now_ms`` None: the latest instant in the files. ``earlier``
    are the rules before these, to say what was changed.

    Raises ConfigError when a file is not what it should be, or not of these rules.
    """
    planned = list(designs(rules))
    load_decisions(database, decisions)
    load_outcomes(database, outcomes)
    if now_ms is None:
        now_ms = database.value(
            """
            SELECT coalesce(greatest((SELECT max(decided_ms) FROM steps),
                (SELECT max(occurred_ms) FROM outcomes)), 0)
            """
        )
    documents = [rules.document for rules in earlier]
    return [_judged(database, design, now_ms, lift, documents) for design in planned]


def _judged(
    database: Database,
    design: Design,
    now_ms: int,
    lift: float,
    earlier: Sequence[dict[str, Any]],
) -> Judged:
    found = registered(database, design.name, now_ms)
    changed = why_changed(found, design.name, design.entry, earlier)
    finding = judge(load_exposures(database, design, now_ms), design, now_ms, changed)
    finding = msgspec.structs.replace(finding, registered=tuple(found))
    return Judged(
        design=design,
        finding=finding,
        plan=_plan(design, finding, lift),
        worth=worth_of(database, design, finding),
    )


def _plan(design: Design, finding: Finding, lift: float) -> Plan | None:
    base = finding.variants[0].rate
    if base is None or not 0 < base < 1 or not 0 < base * (1 + lift) < 1:
        return None
    comparisons = len(design.arms) - 1
    return Plan(
        lift=lift,
        base=base,
        needed=planned_sample(base, lift, comparisons=comparisons),
        power=None
        if design.min_sample is None
        else power_of(design.min_sample, base, lift, comparisons=comparisons),
    )
