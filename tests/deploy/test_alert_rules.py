"""The alert rules as files: read by promtool, complete, and every one tried out."""

import re
from pathlib import Path

import pytest

from deploy.monitoring import alerts
from tests.process.prometheus import require_prometheus


def test_every_alert_has_severity_texts_and_a_place_in_the_runbook() -> None:
    """Severity, summary, description and a section of the runbook that exists."""
    assert alerts.incomplete() == []


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    """promtool's cases cover every alert in both ways."""
    assert alerts.untested() == []


def test_what_the_issue_lists_is_alarmed() -> None:
    """What somebody is woken for, so that none goes missing with a change."""
    assert len(alerts.alert_names()) == len(set(alerts.alert_names())) > 20
    assert set(alerts.alert_names()) >= {
        "TriggersLagGrowing",
        "TriggersWatermarkStalled",
        "TriggersTimersLate",
        "TriggersTimersLateSlowly",
        "TriggersDeadLetters",
        "TriggersNoDecisions",
        "TriggersSendsDropped",
        "TriggersOpensDropped",
        "TriggersClicksDropped",
        "TriggersOptOutSpike",
        "TriggersWorkerNotReady",
        "TriggersRecoveryTooLong",
        "TriggersTransactionAborts",
        "TriggersRulesRefused",
        "TriggersDiskFilling",
    }


@pytest.mark.needs_prometheus
def test_promtool_reads_the_rules() -> None:
    """promtool finds no error in the rules file."""
    require_prometheus()
    assert alerts.promtool("check", "rules", alerts.RULES) == []


@pytest.mark.needs_prometheus
@pytest.mark.slow
@pytest.mark.parametrize("cases", alerts.CASES, ids=lambda path: path.stem)
def test_the_cases_hold(cases: Path) -> None:
    """promtool plays every case: which alerts fire when, and no others."""
    require_prometheus()
    assert alerts.promtool("test", "rules", cases) == []


@pytest.mark.needs_prometheus
@pytest.mark.slow
def test_the_cases_would_notice(tmp_path: Path) -> None:
    """With every threshold moved out of reach each alert that should fire is missed by a case."""
    require_prometheus()
    rules = alerts.RULES.read_text()
    mute = re.sub(
        r"(?m)^( +- alert: .*\n(?: +#.*\n)* +expr: )(?:\|\n(?: {10,}.*\n)+|.*\n)",
        r"\1vector(0) > 1\n",
        rules,
    )
    (tmp_path / "rules.yaml").write_text(mute)
    (tmp_path / "tests").mkdir()
    missed: set[str] = set()
    for cases in alerts.CASES:
        copy = tmp_path / "tests" / cases.name
        copy.write_text(cases.read_text())
        for said in alerts.promtool("test", "rules", copy):
            missed |= set(re.findall(r'alertname="(\w+)"', said))
    assert missed == set(alerts.alert_names())
