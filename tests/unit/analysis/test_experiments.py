"""``triggers experiments``: samples, verdicts and promotion, on files made by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.analysis.statistics.intervals import newcombe
from app.backtest.saved_run import save_run
from app.cli import main
from app.core.rules.compile_steps import design_of
from app.rules_file.load import load_rules
from tests.unit.analysis.files import bought, decision, outcome, write_lines

Line = dict[str, Any]

RULES = """\
version: 1
triggers:
  cart: {kind: event, on: subscribed, template: t, channels: [email]}
experiments:
  copy:
    trigger: cart
    hypothesis: warmer is better
    metric: METRIC
    salt: s
    start: "2026-01-01"
    MORE
    variants: {plain: {}, warm: {template: warm}}
"""


class Trial:
    """The rules and files of one test, and the command on them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.rules = folder / "rules.yaml"
        self._folder = folder
        self._capsys = capsys
        self.plan()

    def plan(self, more: str = "min_sample: 100", metric: str = "conversion") -> None:
        self.rules.write_text(RULES.replace("MORE", more).replace("METRIC", metric))

    def run(self, decisions: list[Line], outcomes: list[Line], *options: str) -> tuple[int, str]:
        """Exit code and standard output."""
        files = (
            str(write_lines(self._folder / "decisions.jsonl", decisions)),
            str(write_lines(self._folder / "outcomes.jsonl", outcomes)),
        )
        command = ["experiments", "--rules", str(self.rules), "--decisions", files[0]]
        code = main([*command, "--outcomes", files[1], *options])
        return code, self._capsys.readouterr().out

    def finding(self, decisions: list[Line], outcomes: list[Line], *options: str) -> dict[str, Any]:
        """What is said of the one experiment."""
        code, out = self.run(decisions, outcomes, "--format", "json", *options)
        assert code == 0
        (judged,) = json.loads(out)
        found: dict[str, Any] = judged["finding"] | {"plan": judged["plan"]}
        return found


@pytest.fixture
def trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Trial:
    """A rules file with one experiment."""
    return Trial(tmp_path, capsys)


def messages(variant: str, count: int, **more: Any) -> list[Line]:
    """One message to each of so many customers of a variant."""
    more = {"day": 1, **more}
    return [
        decision(f"{variant}{n}", f"{variant}{n}", experiment=("copy", variant), **more)
        for n in range(count)
    ]


def purchases(variant: str, count: int) -> list[Line]:
    """The first so many customers of a variant buy."""
    return [bought(f"{variant}{n}", day=2) for n in range(count)]


AFTER = ("--now", "2026-02-01T00:00:00Z")


def test_a_winner_needs_the_sample_and_its_window(trial: Trial) -> None:
    """10 of 100 against 30 of 100: z-test and interval; before the window is over it runs."""
    decisions = [*messages("plain", 100), *messages("warm", 100)]
    outcomes = [*purchases("plain", 10), *purchases("warm", 30)]
    early = trial.finding(decisions, outcomes)
    assert early["verdict"] == "running"
    assert "window" in early["reason"]
    found = trial.finding(decisions, outcomes, *AFTER)
    assert (found["verdict"], found["winner"]) == ("winner", "warm")
    plain, warm = found["variants"]
    assert (plain["sample"], plain["successes"], warm["successes"]) == (100, 10, 30)
    assert warm["lift"] == pytest.approx(0.2)
    assert warm["relative_lift"] == pytest.approx(2)
    expected = newcombe(30, 100, 10, 100)
    assert warm["lift_interval"] == pytest.approx({"low": expected.low, "high": expected.high})
    assert warm["p_value"] == pytest.approx(0.000407, abs=1e-6)
    assert warm["corrected_p"] == warm["p_value"]
    assert found["stop_at"] == "2026-01-02T00:00:00.000Z"


def test_too_few_customers_are_no_verdict(trial: Trial) -> None:
    """However clear it looks; the plan says what is needed."""
    decisions = [*messages("plain", 100), *messages("warm", 99)]
    found = trial.finding(decisions, [*purchases("plain", 10), *purchases("warm", 90)], *AFTER)
    assert (found["verdict"], found["winner"], found["stop_at"]) == ("running", None, None)
    assert found["reason"] == "99 of 100 customers in the smallest variant"
    assert found["plan"]["needed"] == 6693
    assert 0 < found["plan"]["power"] < 0.1


def test_max_duration_ends_it_too(trial: Trial) -> None:
    """With any sample, once its window has passed; what is decided later does not count."""
    trial.plan("max_duration: 20d")
    decisions = [*messages("plain", 50), *messages("warm", 50)]
    decisions += [decision("late", "late", experiment=("copy", "warm"), day=21, anchor_day=19)]
    outcomes = [*purchases("plain", 5), *purchases("warm", 6)]
    assert trial.finding(decisions, outcomes, "--now", "2026-01-27T00:00:00Z")["verdict"] == (
        "running"
    )
    found = trial.finding(decisions, outcomes, "--now", "2026-01-28T00:00:00Z")
    assert found["verdict"] == "no difference"
    assert [each["sample"] for each in found["variants"]] == [50, 50]


def test_a_verdict_does_not_change_with_what_comes_later(trial: Trial) -> None:
    """The sample is the customers up to the instant at which both variants were full."""
    decisions = [*messages("plain", 100), *messages("warm", 100)]
    outcomes = [*purchases("plain", 10), *purchases("warm", 30)]
    before = trial.finding(decisions, outcomes, *AFTER)
    more = [
        decision(f"x{n}", f"x{n}", experiment=("copy", "plain"), day=3 + n / 100)
        for n in range(300)
    ]
    sales = [bought(f"x{n}", day=4 + n / 100) for n in range(300)]
    after = trial.finding([*decisions, *more], [*outcomes, *sales], *AFTER)
    assert after["variants"] == before["variants"]
    assert after["verdict"] == "winner"


def test_a_customer_counts_once(trial: Trial) -> None:
    """With several messages, in one variant, whichever of them succeeds."""
    decisions = [*messages("plain", 100), *messages("warm", 100)]
    decisions += [
        decision(f"again{n}", f"warm{n}", experiment=("copy", "warm"), day=1) for n in range(50)
    ]
    outcomes = [bought("again7", day=2), bought("warm7", day=2), bought("warm8", day=2)]
    found = trial.finding(decisions, outcomes, *AFTER)
    assert [each["sample"] for each in found["variants"]] == [100, 100]
    assert [each["successes"] for each in found["variants"]] == [0, 2]


def test_the_burn_in_does_not_count(trial: Trial) -> None:
    """Neither its messages nor what they led to: instances that began in the first three days."""
    trial.plan("min_sample: 100\n    burn_in: 3d")
    decisions = [*messages("plain", 100, day=2.9), *messages("warm", 100, day=2.9)]
    found = trial.finding(decisions, purchases("warm", 90), *AFTER)
    assert [each["sample"] for each in found["variants"]] == [0, 0]
    decisions = [*messages("plain", 100, day=3), *messages("warm", 100, day=3)]
    found = trial.finding(decisions, purchases("warm", 90), *AFTER)
    assert [each["sample"] for each in found["variants"]] == [100, 100]


def test_a_skewed_split_is_invalid(trial: Trial) -> None:
    """200 against 100 of a fair split, although the difference would be clear."""
    decisions = [*messages("plain", 200), *messages("warm", 100)]
    found = trial.finding(decisions, purchases("warm", 60), *AFTER)
    assert (found["verdict"], found["winner"]) == ("invalid", None)
    assert "sample ratio mismatch" in found["reason"]


def test_the_global_holdout_is_not_of_the_sample(trial: Trial) -> None:
    """They were assigned, which the split looks at, but saw no variant."""
    held_out = [
        decision(f"h{n}", f"h{n}", outcome="holdout", experiment=("copy", "plain"), day=1)
        for n in range(20)
    ]
    decisions = [*messages("plain", 100), *messages("warm", 100), *held_out]
    outcomes = [bought(f"h{n}", ghost=True, day=2) for n in range(20)]
    plain, _ = trial.finding(decisions, outcomes, *AFTER)["variants"]
    assert (plain["assigned"], plain["sample"], plain["successes"]) == (120, 100, 0)


def test_a_ghost_variant_is_the_sample_of_its_own(trial: Trial) -> None:
    """Its ghost sends are what the message is held against; clicks it cannot have."""
    rules = trial.rules.read_text().replace("plain: {}", "plain: {ghost: true}")
    trial.rules.write_text(rules)
    decisions = [*messages("plain", 100, outcome="holdout"), *messages("warm", 100)]
    found = trial.finding(decisions, [*purchases("plain", 5), *purchases("warm", 30)], *AFTER)
    assert (found["winner"], found["variants"][0]["sample"]) == ("warm", 100)
    trial.rules.write_text(rules.replace("conversion", "click rate"))
    assert trial.run(decisions, [])[0] == 2


def test_less_of_what_is_unwanted_wins(trial: Trial) -> None:
    """The first variant is the winner when all others are worse."""
    trial.plan(metric="unsubscribe_rate")
    decisions = [*messages("plain", 200), *messages("warm", 200)]
    outcomes = [outcome(f"warm{n}", "unsubscribed") for n in range(40)]
    found = trial.finding(decisions, outcomes, *AFTER)
    assert (found["verdict"], found["winner"]) == ("winner", "plain")


def test_three_variants_are_corrected_by_holm(trial: Trial) -> None:
    """The smaller p-value counts double; the best of the better ones wins."""
    text = trial.rules.read_text().replace("plain: {},", "plain: {}, cool: {template: cool},")
    trial.rules.write_text(text)
    decisions = [line for name in ("plain", "cool", "warm") for line in messages(name, 100)]
    outcomes = [*purchases("plain", 5), *purchases("cool", 25), *purchases("warm", 35)]
    found = trial.finding(decisions, outcomes, *AFTER)
    _, cool, warm = found["variants"]
    assert warm["corrected_p"] == pytest.approx(2 * warm["p_value"])
    assert cool["corrected_p"] == pytest.approx(max(cool["p_value"], warm["corrected_p"]))
    assert found["winner"] == "warm"


def test_promotion_waits_for_a_winner(trial: Trial, tmp_path: Path) -> None:
    """1 and an untouched file without one; with one it takes the experiment's place."""
    decisions = [*messages("plain", 100), *messages("warm", 100)]
    outcomes = [*purchases("plain", 10), *purchases("warm", 30)]
    before = trial.rules.read_text()
    assert trial.run(decisions, outcomes, "--promote")[0] == 1
    assert trial.rules.read_text() == before
    code, out = trial.run(decisions, outcomes, *AFTER, "--promote", str(tmp_path / "new.yaml"))
    assert code == 0
    assert "winner warm" in out
    assert trial.rules.read_text() == before
    assert trial.run(decisions, outcomes, *AFTER, "--promote")[0] == 0
    promoted = trial.rules.read_text()
    assert promoted == (tmp_path / "new.yaml").read_text()
    assert promoted == RULES[: RULES.index("experiments")].replace("template: t", "template: warm")
    assert trial.run(decisions, outcomes)[0] == 0


@pytest.mark.parametrize(("metric", "variant"), [("happiness", "plain"), ("conversion", "other")])
def test_rules_that_do_not_fit_are_bad_input(trial: Trial, metric: str, variant: str) -> None:
    """A metric that nothing records, and decisions of a variant that the rules do not have."""
    trial.plan(metric=metric)
    assert trial.run(messages(variant, 1), [])[0] == 2


def test_the_instants_are_those_of_the_rules(trial: Trial) -> None:
    """The start is a date in the rules' zone; JSON has RFC 3339."""
    found = trial.finding(messages("plain", 1), [])
    assert found["now_at"] == "2026-01-02T00:00:00.000Z"


def test_a_changed_design_makes_the_experiment_invalid(trial: Trial, tmp_path: Path) -> None:
    """At any look; the earlier rules, named or saved by a backtest, say what was changed."""
    before = design_of(load_rules(trial.rules).document["experiments"]["copy"])
    decisions = messages("plain", 5, design=before) + messages("warm", 5, design=before)
    assert trial.finding(decisions, [])["verdict"] == "running"
    earlier = tmp_path / "earlier.yaml"
    earlier.write_text(trial.rules.read_text())
    trial.plan("min_sample: 70")
    found = trial.finding(decisions, [])
    assert found["verdict"] == "invalid"
    assert "--earlier" in found["reason"]
    found = trial.finding(decisions, [], "--earlier", str(earlier))
    assert "min_sample: 100 -> 70" in found["reason"]
    assert [each["design"] for each in found["registered"]] == [before]
    save_run(tmp_path, load_rules(earlier), None, [])
    assert "min_sample: 100 -> 70" in trial.finding(decisions, [])["reason"]


def test_a_broken_guardrail_stops_the_variant(trial: Trial) -> None:
    """Long before the planned sample; only customers of that variant were harmed."""
    trial.plan("min_sample: 100000\n    guardrail: {metric: unsubscribed, worst: 0.01}")
    decisions = messages("plain", 200) + messages("warm", 200)
    outcomes = [outcome(f"warm{n}", "unsubscribed", day=1.5) for n in range(30)]
    found = trial.finding(decisions, outcomes)
    assert (found["verdict"], found["stopped"]) == ("stopped", "warm")
    assert [each["harmed"] for each in found["guardrail"]] == [0, 30]
    assert "30 of 200 customers unsubscribed, at most 1.0 % may" in found["reason"]
    assert trial.run(decisions, outcomes, "--promote")[0] == 1


def test_a_stopped_experiment_has_the_figures_of_its_stop(trial: Trial) -> None:
    """A complaint an hour among 200 customers. At most 1 % may, in two variants: the evidence
    passes 2 / 0.05 = 40 with the 8th (15.97 after the 7th, 43.81 then), at 08:00. What is bought,
    complained about or sent later changes nothing, nor does another variant that breaks it later.
    """
    trial.plan("min_sample: 100000\n    guardrail: {metric: complained, worst: 0.01}")
    hour = 1 / 24
    decisions = messages("plain", 200) + messages("warm", 200)
    outcomes = [outcome(f"warm{n}", "complained", day=1 + (n + 1) * hour) for n in range(8)]
    outcomes += [bought(f"warm{n}", day=1 + hour) for n in range(5)]
    then = trial.finding(decisions, outcomes)
    assert (then["verdict"], then["stopped"]) == ("stopped", "warm")
    assert then["stop_at"] == "2026-01-02T08:00:00.000Z"
    assert "8 of 200 customers complained about a message, at most 1.0 % may" in then["reason"]
    assert [each["harmed"] for each in then["guardrail"]] == [0, 8]
    assert [each["successes"] for each in then["variants"]] == [0, 5]
    late = [
        decision(f"late{n}", f"late{n}", experiment=("copy", "warm"), day=2) for n in range(400)
    ]
    more = [
        outcome(f"{name}{n}", "complained", day=3) for name in ("late", "plain") for n in range(70)
    ]
    more += [bought(f"warm{n}", day=1 + 9 * hour) for n in range(100, 160)]
    later = trial.finding([*decisions, *late], [*outcomes, *more], *AFTER)
    for name in ("verdict", "stopped", "reason", "stop_at", "split_p", "variants", "guardrail"):
        assert later[name] == then[name]


def test_a_guardrail_of_a_wanted_metric_tells_who_has_it(trial: Trial, tmp_path: Path) -> None:
    """20 of 200 bought and 30 % have to: the 20 are told, not the 180 who did not."""
    trial.plan("min_sample: 100000\n    guardrail: {metric: conversion, worst: 0.3}")
    decisions = messages("plain", 200) + messages("warm", 200)
    outcomes = purchases("plain", 100) + purchases("warm", 20)
    found = trial.finding(decisions, outcomes, *AFTER)
    assert (found["stopped"], found["stop_at"]) == ("warm", "2026-01-09T00:00:00.000Z")
    only = "only 20 of 200 customers made a purchase, at least 30.0 % have to"
    assert only in found["reason"]
    page = trial.run(decisions, outcomes, *AFTER, "--format", "html")[1]
    assert "The guardrail holds for plain: 100 of 200 customers made a purchase." in page
    assert "The guardrail was broken for warm: 20 of 200 customers made a purchase." in page
    assert "stopped at 2026-01-09 00:00 UTC" in page


def test_the_words_are_those_of_readers(trial: Trial) -> None:
    """In the table and on the page, with the standard terms; an hour is told without brackets."""
    rules = trial.rules.read_text().replace("{template: warm}", '{deliver: {at: "19:00"}}')
    trial.rules.write_text(rules)
    decisions = [*messages("plain", 100), *messages("warm", 100)]
    outcomes = [*purchases("plain", 10), *purchases("warm", 30)]
    page = trial.run(decisions, outcomes, *AFTER, "--format", "html")[1]
    heads = ("who made a purchase", "difference (lift)", "p-value", "corrected p-value")
    for name in heads:
        assert f">{name}</th>" in page
    assert "several comparisons (Holm)" in page
    assert "customers: deliver: at 19:00" in page
    assert "copy: customers who made a purchase" in page
    lift = "a lift of 15.0 %, from 10.0 % to 11.5 %, in 80 % of cases (power)"
    for text in (page, trial.run(decisions, outcomes, *AFTER)[1]):
        assert lift in " ".join(text.split())


def test_the_page_tells_the_team_what_it_is_worth(trial: Trial) -> None:
    """Hypothesis, design, what happened, the verdict in words, and customers and money a month."""
    trial.plan("min_sample: 100\n    when: {field: profile.locale, op: eq, value: de}")
    decisions = messages("plain", 120, day=15) + messages("warm", 120, day=15)
    outcomes = [bought(f"warm{n}", 30, day=16) for n in range(60)]
    outcomes += [bought(f"plain{n}", 30, day=16) for n in range(12)]
    code, page = trial.run(decisions, outcomes, *AFTER, "--only", "copy", "--format", "html")
    assert code == 0
    for text in (
        "warmer is better",
        "warm wins: 50.0 % of its 120 customers made a purchase, against 10.0 %",
        "profile.locale eq de",
        "Worth a month",
        "At 30.00 EUR a purchase",
    ):
        assert text in page
    assert trial.run(decisions, outcomes, "--only", "other")[0] == 2
