"""Outcomes as metrics: bounded labels, ghosts apart, money in one currency."""

from typing import Any

from prometheus_client import CollectorRegistry

from app.core.decisions import Decision, Outcome, Reason
from app.core.events import Event
from app.core.outcome_kind import Kind
from app.core.outcomes import SendOutcome
from app.core.recorded import Cause
from app.live.commit.unit import CommitUnit
from app.live.telemetry.outcome_metrics import OutcomeMetrics
from app.rules_file.load import parse_rules

RULES = parse_rules(
    b"version: 1\ncurrency: EUR\ntriggers: {a: {kind: event, on: subscribed, template: t,"
    b" channels: [email]}}"
)


def counted(*units: CommitUnit, zeros: bool = False) -> dict[tuple[str, ...], float]:
    """(metric, label values in order of their names) -> its value, of these units."""
    registry = CollectorRegistry()
    metrics = OutcomeMetrics(registry)
    metrics.use_rules(RULES)
    for unit in units:
        metrics.count(unit)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and (sample.value or zeros)
    }


def test_what_the_rules_can_lead_to_stands_at_zero() -> None:
    """So that Prometheus sees the first of everything as an increase, after a restart too."""
    found = counted(zeros=True)
    assert set(found.values()) == {0}
    assert ("trigger_outcomes_total", "email", "unsubscribed", "a", "") in found
    assert ("trigger_outcomes_total", "email", "assisted", "a", "") in found
    assert ("trigger_marketing_messages_total", "email", "ghost", "a", "") in found
    assert ("trigger_revenue_total", "email", "a") in found
    assert ("trigger_margin_total", "email", "loss", "a") in found
    assert ("trigger_list_health_total", "", "complained") in found


def unit(*led_to: SendOutcome) -> CommitUnit:
    return CommitUnit(now_ms=0, outcomes=list(led_to))


def outcome(kind: Kind = Kind.CONVERSION, **more: Any) -> SendOutcome:
    """Of the send of an experiment's variant, unless told otherwise."""
    usual: dict[str, Any] = {
        "request_id": "r",
        "customer_id": "c",
        "trigger": "a",
        "step": 0,
        "channel": "email",
        "experiment": ("x", "late"),
        "is_ghost": False,
        "latency_ms": 0,
        "occurred_ms": 0,
        "cause": Cause("orders", 0, 0, "e"),
    }
    return SendOutcome(**usual | {"kind": kind} | more)


def test_kinds_are_counted_and_an_assist_is_one_of_its_own() -> None:
    """What a ghost send came to is another metric."""
    found = counted(
        unit(outcome(Kind.OPENED), outcome(role="direct"), outcome(role="assisted")),
        unit(outcome(role="direct", is_ghost=True), outcome(Kind.OPENED, experiment=None)),
    )
    assert found == {
        ("trigger_outcomes_total", "email", "opened", "a", "late"): 1,
        ("trigger_outcomes_total", "email", "opened", "a", ""): 1,
        ("trigger_outcomes_total", "email", "conversion", "a", "late"): 1,
        ("trigger_outcomes_total", "email", "assisted", "a", "late"): 1,
        ("trigger_ghost_outcomes_total", "email", "conversion", "a", "late"): 1,
    }


def test_money_is_of_direct_conversions_in_the_rules_currency() -> None:
    """Another currency is not added to it; a loss is no gain that shrinks."""
    euros: dict[str, Any] = {"role": "direct", "currency": "EUR"}
    found = counted(
        unit(
            outcome(value=10, margin=4, **euros),
            outcome(value=5.5, margin=-1.5, **euros),
            outcome(value=-3, margin=0, **euros),
            outcome(value=70, margin=70, role="direct", currency="USD"),
            outcome(value=70, margin=70, role="assisted", currency="EUR"),
            outcome(Kind.RECOVERY, value=70, margin=70, currency="EUR"),
            outcome(value=70, margin=70, is_ghost=True, **euros),
        )
    )
    assert found["trigger_revenue_total", "email", "a"] == 15.5
    assert found["trigger_margin_total", "email", "gain", "a"] == 4
    assert found["trigger_margin_total", "email", "loss", "a"] == 1.5


def decision(verdict: Outcome, category: str = "marketing") -> Decision:
    return Decision(
        request_id="r",
        customer_id="c",
        trigger="a",
        key="",
        step=0,
        category=category,
        priority=50,
        outcome=verdict,
        reason=Reason.PASSED,
        channel="email",
        template="t",
        anchor_ms=0,
        due_ms=0,
        decided_ms=0,
        expires_ms=0,
        cause=Cause("orders", 0, 0, "e"),
        rules_version="v",
    )


def test_messages_are_what_outcomes_are_a_share_of() -> None:
    """Marketing steps that went out, or would have, or were taken back."""
    verdicts = (Outcome.SEND, Outcome.SEND, Outcome.HOLDOUT, Outcome.RECALL, Outcome.SUPPRESS)
    made = [*map(decision, verdicts), decision(Outcome.SEND, "transactional")]
    assert counted(CommitUnit(now_ms=0, decisions=made)) == {
        ("trigger_marketing_messages_total", "email", "send", "a", ""): 2,
        ("trigger_marketing_messages_total", "email", "ghost", "a", ""): 1,
        ("trigger_marketing_messages_total", "email", "recall", "a", ""): 1,
    }


def test_list_health_counts_unsubscriptions_complaints_and_bounces() -> None:
    """By channel; one that the rules do not have is none."""
    done = CommitUnit(now_ms=0)
    for event_type, channel in (
        ("unsubscribed", "email"),
        ("message_bounced", "email"),
        ("message_bounced", "pigeon"),
        ("message_complained", None),
        ("message_opened", "email"),
    ):
        event = Event(
            topic="engagement",
            event_id="e",
            type=event_type,
            customer_id="c",
            occurred_ms=0,
            data={"channel": channel},
        )
        done.note_list_health(event, RULES.channels)
    assert counted(done) == {
        ("trigger_list_health_total", "email", "unsubscribed"): 1,
        ("trigger_list_health_total", "email", "bounced"): 1,
        ("trigger_list_health_total", "", "bounced"): 1,
        ("trigger_list_health_total", "", "complained"): 1,
    }
