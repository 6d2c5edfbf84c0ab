"""The stop rule by simulation: what chance makes of experiments when somebody looks every day."""

from math import log, sqrt
from typing import Final

import msgspec
import numpy as np
import pytest

from app.analysis.experiments.design import Arm, Design, Guardrail
from app.analysis.experiments.exposures import NEVER, Exposures
from app.analysis.experiments.finding import Finding
from app.analysis.experiments.verdict import judge
from app.analysis.statistics.power import ALPHA, planned_sample, power_of
from app.analysis.statistics.sequential import log_evidence_of_split
from app.analysis.statistics.significance import two_shares
from app.core.time.instants import DAY_MS, HOUR_MS

EXPERIMENTS: Final = 2_000
WINDOW_MS: Final = 7 * DAY_MS
DAYS: Final = 40
#: (shares of the customers who succeed, customers a day, min_sample): small and large, two
#: variants and more, so that the exact test and Holm's correction have their part
NO_EFFECT: Final = (
    ([0.25] * 2, 60, 400),
    ([0.10] * 2, 200, 1_500),
    ([0.02] * 2, 80, 700),
    ([0.15] * 3, 120, 800),
    ([0.30] * 4, 160, 600),
)


def design(variants: int, min_sample: int, worst: float | None = None) -> Design:
    """Equal shares, and the usual window."""
    arms = tuple(Arm(name=f"v{n}", share=1 / variants, is_ghost=False) for n in range(variants))
    return Design(
        name="x",
        trigger="t",
        hypothesis=None,
        metric="conversion",
        is_less_better=False,
        arms=arms,
        from_ms=0,
        end_ms=DAYS * DAY_MS,
        min_sample=min_sample,
        window_ms=WINDOW_MS,
        guardrail=None if worst is None else guardrail(worst),
        hash="",
        entry={},
    )


def guardrail(worst: float) -> Guardrail:
    """At most so many unsubscribe."""
    return Guardrail(metric="unsubscribed", worst=worst, is_less_better=True)


class Simulated:
    """Customers who come evenly over the days, are drawn into variants, and succeed some days later
    with their variant's rate.
    """

    def __init__(self, rng: np.random.Generator, rates: list[float], a_day: int) -> None:
        count = a_day * DAYS
        self.variant = rng.integers(len(rates), size=count)
        self.come_ms = np.sort(rng.integers(DAYS * DAY_MS, size=count))
        is_success = rng.random(count) < np.array(rates)[self.variant]
        delay_ms = np.minimum(rng.exponential(2 * DAY_MS, count), WINDOW_MS).astype(np.int64)
        self.succeed_ms = np.where(is_success, self.come_ms + delay_ms, NEVER)

    def seen_at(self, now_ms: int) -> Exposures:
        """What the files would show then: who has come, and the successes that have happened."""
        has_come = self.come_ms <= now_ms
        come_ms, succeed_ms = self.come_ms[has_come], self.succeed_ms[has_come]
        has_succeeded = succeed_ms <= now_ms
        return Exposures(
            variant=self.variant[has_come],
            assigned_ms=come_ms,
            exposed_ms=come_ms,
            success_ms=np.where(has_succeeded, come_ms, NEVER),
            recorded_ms=np.where(has_succeeded, succeed_ms, NEVER),
            harmed_ms=np.where(has_succeeded, succeed_ms, NEVER),
        )


def daily(simulated: Simulated, plan: Design) -> list[Finding]:
    """The finding of every day, from the first to well after the end."""
    days = (day * DAY_MS for day in range(1, DAYS + 12))
    return [judge(simulated.seen_at(now_ms), plan, now_ms) for now_ms in days]


def is_tempting(finding: Finding) -> bool:
    """Whether somebody in a hurry would stop here: it runs, and looks as if something differed."""
    looks = any((each.corrected_p or 1) < ALPHA for each in finding.variants[1:])
    return looks and finding.verdict == "running"


@pytest.mark.slow
def test_without_an_effect_at_most_one_in_twenty_has_a_winner() -> None:
    """2,000 experiments, looked at every day: a verdict comes once, never changes, and at most 5 %
    are false winners. Stopping on the first day that looks good makes several times as many.
    """
    rng = np.random.default_rng(7)
    winners = tempted = 0
    for number in range(EXPERIMENTS):
        rates, a_day, min_sample = NO_EFFECT[number % len(NO_EFFECT)]
        findings = daily(Simulated(rng, rates, a_day), design(len(rates), min_sample))
        verdicts = {(each.verdict, each.winner) for each in findings if each.verdict != "running"}
        assert len(verdicts) == 1
        winners += "winner" in verdicts.pop()
        tempted += any(map(is_tempting, findings))
    print(
        f"\nfalse winners {winners / EXPERIMENTS:.2%}, by daily peeking {tempted / EXPERIMENTS:.1%}"
    )
    assert winners <= 0.05 * EXPERIMENTS
    assert tempted > 2 * winners


@pytest.mark.slow
def test_a_true_lift_is_found_as_often_as_planned() -> None:
    """15 % more than 20 %, at the planned sample: power within 3 points of the computed."""
    base, lift = 0.2, 0.15
    sample = planned_sample(base, lift)
    computed = power_of(sample, base, lift)
    assert 0.8 <= computed < 0.801
    rng = np.random.default_rng(11)
    plan = design(2, sample)
    found = 0
    for _ in range(EXPERIMENTS):
        simulated = Simulated(rng, [base, base * (1 + lift)], -(-sample * 2 // DAYS) + 12)
        over_ms = (DAYS + 8) * DAY_MS
        finding = judge(simulated.seen_at(over_ms), plan, over_ms)
        assert finding.variants[0].sample >= sample
        found += finding.winner == "v1"
    print(f"\npower {found / EXPERIMENTS:.3%}, computed {computed:.3%}, {sample} customers each")
    assert abs(found / EXPERIMENTS - computed) < 0.03


def test_the_shares_of_chance_are_what_they_claim() -> None:
    """At fixed samples a share of false positives: the z-test and Fisher's keep their level."""
    rng = np.random.default_rng(3)
    for sample, share in ((400, 0.2), (60, 0.03)):
        draws = rng.binomial(sample, share, size=(4_000, 2))
        false = sum(two_shares(int(a), sample, int(b), sample) < 0.05 for a, b in draws)
        assert false / 4_000 < 0.05 + 3 * sqrt(0.05 * 0.95 / 4_000)


def stopped_share(rng: np.random.Generator, rate: float, worst: float, count: int) -> float:
    """How many of so many experiments a guardrail stops, when that is what every variant does."""
    plan = design(2, 10**9, worst)
    end_ms = DAYS * DAY_MS
    stopped = 0
    for _ in range(count):
        finding = judge(Simulated(rng, [rate, rate], 80).seen_at(end_ms), plan, end_ms)
        stopped += finding.verdict == "stopped"
    return stopped / count


@pytest.mark.slow
def test_a_guardrail_stops_at_most_one_in_twenty_variants_that_do_no_harm() -> None:
    """2,000 experiments that are looked at every day, with as much as is just acceptable."""
    rng = np.random.default_rng(17)
    found = {
        worst: stopped_share(rng, worst, worst, EXPERIMENTS // 4)
        for worst in (0.004, 0.02, 0.1, 0.3)
    }
    print("\nstopped without harm", {worst: f"{share:.2%}" for worst, share in found.items()})
    assert sum(found.values()) / len(found) <= 0.05


def test_a_guardrail_stops_harm_and_says_when() -> None:
    """Three times as many as acceptable: nearly all are stopped, and before the end."""
    rng = np.random.default_rng(19)
    assert stopped_share(rng, 0.06, 0.02, 40) > 0.9
    assert stopped_share(rng, 0.02, 0.02, 40) <= 0.1
    end_ms = DAYS * DAY_MS
    plan = design(2, 10**9, 0.02)
    finding = judge(Simulated(rng, [0.02, 0.2], 80).seen_at(end_ms), plan, end_ms)
    assert finding.stopped == "v1"
    assert finding.stop_ms is not None
    assert finding.stop_ms < end_ms / 2
    later = judge(Simulated(np.random.default_rng(19), [0.2] * 2, 80).seen_at(end_ms), plan, end_ms)
    assert later.stop_ms == min(each.broken_ms or end_ms for each in later.guardrail)


def test_a_guardrail_of_a_wanted_metric_waits_for_the_window() -> None:
    """At least 30 % should convert and 10 % do; customers whose window is open are no failures."""
    rng = np.random.default_rng(23)
    end_ms = DAYS * DAY_MS
    wanted = Guardrail(metric="conversion", worst=0.3, is_less_better=False)
    plan = msgspec.structs.replace(design(2, 10**9), guardrail=wanted)
    assert judge(Simulated(rng, [0.35, 0.35], 80).seen_at(end_ms), plan, end_ms).stopped is None
    found = judge(Simulated(rng, [0.4, 0.1], 80).seen_at(end_ms), plan, end_ms)
    assert found.stopped == "v1"
    early = judge(Simulated(rng, [0.4, 0.1], 80).seen_at(WINDOW_MS), plan, WINDOW_MS)
    assert early.stopped is None


def test_the_split_can_be_looked_at_at_any_time() -> None:
    """Fair splits are accused in at most 5 % over all looks; one of 60 to 40 is found."""
    rng = np.random.default_rng(29)
    fair = [0.5, 0.5]
    evidence = (log_evidence_of_split(rng.integers(2, size=2_400), fair) for _ in range(300))
    accused = sum(bool(each.max() >= log(1 / ALPHA)) for each in evidence)
    assert accused <= 0.05 * 300
    uneven = (rng.random(1_000) >= 0.6).astype(np.int64)
    assert log_evidence_of_split(uneven, fair)[-1] > log(1_000)


def test_a_split_that_was_found_wrong_stays_so() -> None:
    """At first all go to one variant; that the others make up for it changes nothing."""
    count = 400
    come_ms = np.arange(count, dtype=np.int64) * HOUR_MS
    variant = np.where(np.arange(count) < 80, 0, np.arange(count) % 2)
    never = np.full(count, NEVER)
    exposures = Exposures(
        variant=variant,
        assigned_ms=come_ms,
        exposed_ms=come_ms,
        success_ms=never,
        recorded_ms=never,
        harmed_ms=never,
    )
    plan = design(2, 100)
    verdicts = [judge(exposures, plan, day * DAY_MS).verdict for day in (1, 4, 10, DAYS)]
    assert verdicts == ["running", "invalid", "invalid", "invalid"]
