"""What is counted per commit unit, and what stands at zero before anything is."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.customer.parts import StoppedStart
from app.core.decisions import Decision
from app.core.rules.model import Rules
from app.live.commit.record_outcome import RecordOutcome
from app.live.commit.unit import CommitUnit
from app.live.telemetry.gauges import GaugeSources, LiveGauges, PartitionFigures, RecoveryFigures
from app.live.telemetry.metrics import Metrics
from app.live.telemetry.specs import SPECS
from app.rules_file.load import load_rules
from tests.unit.sent import SENT

RULES = """\
version: 1
channels: {email: {requires: email}}
triggers:
  one: {kind: event, on: [delivered], template: a, channels: [email]}
  two: {kind: event, on: [shipped], template: b, channels: [email]}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return load_rules(path)


def decision(trigger: str, fires_ms: int | None, decided_ms: int) -> Decision:
    return replace(SENT, trigger=trigger, decided_ms=decided_ms, fires_ms=fires_ms)


def sends(metrics: Metrics, trigger: str) -> float | None:
    labels = {"trigger": trigger, "outcome": "send", "reason": "passed"}
    return metrics.registry.get_sample_value("trigger_decisions_total", labels)


def test_each_end_of_a_transaction_is_counted_and_stands_at_zero_before() -> None:
    """An alert sees the first that is not committed."""
    metrics = Metrics()

    def ended(outcome: str) -> float | None:
        return metrics.registry.get_sample_value("trigger_transactions_total", {"outcome": outcome})

    assert [ended(each) for each in ("committed", "aborted", "fenced", "failed")] == [0, 0, 0, 0]
    assert metrics.registry.get_sample_value("trigger_transaction_duration_seconds_count") == 0
    metrics.transaction_done("fenced", 0.2)
    assert [ended("committed"), ended("fenced")] == [0, 1]
    assert metrics.registry.get_sample_value("trigger_transaction_duration_seconds_sum") == 0.2


def test_alerts_see_the_first_of_its_kind() -> None:
    """Every outcome of a record is at 0 in every topic, so that the first counts as an increase."""
    metrics = Metrics()
    labels = {"topic": "bookings", "outcome": "dead"}
    assert metrics.registry.get_sample_value("trigger_events_total", labels) == 0
    unit = CommitUnit(now_ms=0)
    unit.count("bookings", RecordOutcome.DEAD)
    metrics.unit_done(unit, 0.0, 0.0)
    assert metrics.registry.get_sample_value("trigger_events_total", labels) == 1


def test_what_a_full_record_loses_is_counted_by_kind() -> None:
    """Steps by category, parts and unknown channels; each stands at zero before."""
    metrics, unit = Metrics(), CommitUnit(now_ms=0)
    for is_evicted in (True, False):
        each = decision("one", 0, 0)
        each.is_evicted = is_evicted
        unit.add_decision(each)
    unit.unknown_channels = {"consent": 3}
    value = metrics.registry.get_sample_value
    assert value("trigger_records_shed_total", {"part": "requests"}) == 0.0
    metrics.unit_done(unit, 0.1, 0.1)
    assert value("trigger_evicted_steps_total", {"category": "marketing"}) == 1.0
    assert value("trigger_evicted_steps_total", {"category": "transactional"}) == 0.0
    assert value("trigger_unknown_channels_total", {"field": "consent"}) == 3.0
    assert value("trigger_unknown_channels_total", {"field": "channels"}) == 0.0


def test_a_trigger_without_sends_has_a_count_and_a_removed_one_has_none(rules: Rules) -> None:
    """The rules' triggers have a count of sends, at 0 if need be; a removed trigger's goes."""
    metrics = Metrics()
    metrics.use_rules(rules)
    assert sends(metrics, "one") == sends(metrics, "two") == 0
    why = {"trigger": "two", "outcome": "suppress", "reason": "consent"}
    assert metrics.registry.get_sample_value("trigger_decisions_total", why) == 0
    late = metrics.registry.get_sample_value(
        "trigger_timer_lateness_seconds_count", {"trigger": "one"}
    )
    assert late == 0
    unit = CommitUnit(now_ms=0, decisions=[decision("one", None, 0)])
    metrics.unit_done(unit, 0.0, 0.0)
    fewer = {name: each for name, each in rules.triggers.items() if name == "one"}
    metrics.use_rules(replace(rules, triggers=fewer))
    assert sends(metrics, "one") == 1
    assert sends(metrics, "two") is None


def test_lateness_is_of_what_a_timer_waited_for() -> None:
    """A step deferred for hours is as late as it is after the end of its deferral."""
    metrics = Metrics()
    deferred = decision("one", 7_200_000, 7_206_000)
    with_event = decision("one", 0, 9_999_000)
    unit = CommitUnit(now_ms=0, decisions=[deferred, with_event], by_timer=[deferred])
    metrics.unit_done(unit, 0.0, 0.0)
    value = metrics.registry.get_sample_value
    name = "trigger_timer_lateness_seconds"
    assert value(f"{name}_count", {"trigger": "one"}) == 1
    assert value(f"{name}_sum", {"trigger": "one"}) == 6.0
    assert value(f"{name}_bucket", {"trigger": "one", "le": "5.0"}) == 0
    assert value(f"{name}_bucket", {"trigger": "one", "le": "10.0"}) == 1


def test_no_series_of_creation_times() -> None:
    """They would double the number of series for nothing."""
    assert b"_created" not in Metrics().render()


def test_the_table_is_what_a_worker_serves() -> None:
    """Names, kinds, labels and sentences: the reference is written from the table."""
    metrics = Metrics()
    figures = PartitionFigures(0, 1, 1, 1, 1.0, {"orders": 0})
    sources = GaugeSources(
        lambda: True, lambda: RecoveryFigures(0.0, 0.0, 0), lambda: [figures], lambda: 0
    )
    metrics.registry.register(LiveGauges(sources, Path()))

    served = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            family.documentation,
        )
        for family in metrics.registry.collect()
        if family.name.startswith("trigger_")
    }

    assert served == {spec.name: (spec.kind, spec.help) for spec in SPECS}


def test_without_detail_all_triggers_share_one_series(rules: Rules) -> None:
    """The figures add up under an empty trigger label, and no trigger has a series of its own."""
    metrics = Metrics(by_trigger=False)
    metrics.use_rules(rules)

    text = metrics.render().decode()

    assert 'trigger_decisions_total{outcome="send",reason="passed",trigger=""}' in text
    assert 'trigger="one"' not in text


def test_starts_that_open_nothing_are_counted_by_trigger_and_reason() -> None:
    """Of a unit that is durable."""
    metrics, unit = Metrics(), CommitUnit(now_ms=0)
    for reason in ("stale", "once", "once"):
        unit.add_stopped(StoppedStart("cart", "k", 0, reason))
    metrics.unit_done(unit, 0.0, 0.0)
    for reason, count in (("stale", 1), ("once", 2)):
        labels = {"trigger": "cart", "reason": reason}
        value = metrics.registry.get_sample_value("trigger_starts_stopped_total", labels)
        assert value == count
