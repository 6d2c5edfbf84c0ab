"""What the tally makes of decisions."""

from typing import Any

from app.backtest.report.tally import LimitCost, Tally
from app.core.decisions import Check, Decision, Outcome, Reason
from app.core.gates.registry import Gate
from app.core.outcome_kind import Kind
from app.core.outcomes import SendOutcome
from app.core.recorded import Cause, SendRequest
from app.core.time.instants import DAY_MS, HOUR_MS

CAP: Check = ("cap", False, "email", 2, 2, DAY_MS, None, None, None)
FREE: Check = ("cap", True, "email", 1, 2, DAY_MS, None, None, None)
SMS_CAP: Check = ("cap", False, "sms", 1, 1, 7 * DAY_MS, "sms", None, None)
NIGHT: Check = ("quiet", False, "push", 1300, "UTC")
REQUEST = SendRequest("send", "ann@example.com", None, {})


def decided(
    outcome: Outcome,
    reason: Reason,
    *gates: Check,
    at_ms: int = 0,
    identity: str = "one",
    customer: str = "ann",
    is_dispatched: bool = False,
    experiment: tuple[str, str] | None = None,
) -> Decision:
    """A decision on a marketing step that was due at 0."""
    return Decision(
        request_id=identity,
        customer_id=customer,
        trigger="cart",
        key="",
        step=0,
        category="marketing",
        priority=50,
        outcome=outcome,
        reason=reason,
        channel="email",
        template="t",
        anchor_ms=0,
        due_ms=0,
        decided_ms=at_ms,
        expires_ms=DAY_MS,
        gates=gates,
        cause=Cause("orders", None, 0, "e"),
        rules_version="v",
        experiment=experiment,
        dispatch=REQUEST if is_dispatched else None,
    )


def taken(*decisions: Decision) -> Tally:
    """The tally of these."""
    tally = Tally()
    for decision in decisions:
        tally.take(decision)
    return tally


def test_a_step_is_held_up_once_however_often_it_is_deferred() -> None:
    """Each limit that stood in its way counts it; when it goes out, the delay is kept."""
    tally = taken(
        decided(Outcome.DEFER, Reason.CAP, CAP),
        decided(Outcome.DEFER, Reason.QUIET, CAP, NIGHT, at_ms=HOUR_MS),
        decided(Outcome.SEND, Reason.PASSED, FREE, at_ms=2 * HOUR_MS, is_dispatched=True),
    )
    assert tally.costs == {
        (86400, None): LimitCost(held_up=1, deferrals=2, sent_later=1),
        Gate.QUIET: LimitCost(held_up=1, deferrals=1, sent_later=1),
    }
    assert tally.delays_min == {120: 1}


def test_lost_later_lost_at_once_and_still_waiting_are_counted_apart() -> None:
    """The first was deferred, the second never was, the third has no end yet."""
    tally = taken(
        decided(Outcome.DEFER, Reason.CAP, SMS_CAP, identity="a"),
        decided(Outcome.SUPPRESS, Reason.CANCELLED, identity="a"),
        decided(Outcome.SUPPRESS, Reason.CAP, SMS_CAP, identity="b"),
        decided(Outcome.DEFER, Reason.CAP, SMS_CAP, identity="c"),
        decided(Outcome.SUPPRESS, Reason.CONSENT, SMS_CAP, identity="d"),
    )
    (cost,) = tally.costs.values()
    assert (cost.lost_later, cost.lost_at_once, cost.waiting) == (1, 1, 1)


def test_a_send_that_found_another_channel_counts_as_moved() -> None:
    """The limit changed the channel, not the time."""
    tally = taken(decided(Outcome.SEND, Reason.PASSED, NIGHT, FREE, is_dispatched=True))
    assert tally.costs == {Gate.QUIET: LimitCost(moved=1)}
    assert tally.delays_min == {}


def test_a_reason_to_wait_that_is_no_limit_goes_by_its_name() -> None:
    """Such as a step that waits for the customer's best hour."""
    tally = taken(decided(Outcome.DEFER, Reason.SEND_TIME, FREE))
    assert tally.costs == {"send_time": LimitCost(held_up=1, deferrals=1)}


def test_messages_are_sends_less_recalls_and_ghosts_stand_apart() -> None:
    """A recalled ghost never was a message either."""
    tally = taken(
        decided(Outcome.SEND, Reason.PASSED, identity="a", is_dispatched=True),
        decided(Outcome.SEND, Reason.PASSED, identity="b", is_dispatched=True),
        decided(Outcome.RECALL, Reason.CANCELLED, identity="b", is_dispatched=True),
        decided(Outcome.HOLDOUT, Reason.HOLDOUT, identity="c", customer="bob"),
    )
    assert (tally.messages, tally.marketing, tally.ghosts) == ({"ann": 1}, {"ann": 1}, {"bob": 1})
    assert tally.outcomes == {"send": 2, "recall": 1, "holdout": 1}


def test_arms_count_what_went_out_and_what_would_have() -> None:
    """Sends and ghost sends are counted; a recall takes one out; other outcomes do not count."""
    tally = taken(
        decided(Outcome.SEND, Reason.PASSED, is_dispatched=True, experiment=("e", "a")),
        decided(Outcome.RECALL, Reason.CANCELLED, is_dispatched=True, experiment=("e", "a")),
        decided(Outcome.HOLDOUT, Reason.HOLDOUT, customer="bob", experiment=("e", "b")),
        decided(Outcome.SUPPRESS, Reason.REACH, customer="cy", experiment=("e", "b")),
    )
    assert tally.arms == {("e", "a"): {"ann": 0}, ("e", "b"): {"bob": 1}}


def led_to(kind: Kind, **more: Any) -> SendOutcome:
    """Something that a send of the cart trigger led to."""
    usual: dict[str, Any] = {
        "request_id": "one",
        "customer_id": "ann",
        "trigger": "cart",
        "step": 0,
        "channel": "email",
        "experiment": None,
        "is_ghost": False,
        "latency_ms": 0,
        "occurred_ms": 0,
        "cause": Cause("orders", None, 0, "e"),
    }
    return SendOutcome(**usual | {"kind": kind} | more)


def test_outcomes_are_counted_and_only_direct_conversions_bring_revenue() -> None:
    """By currency; an assist is a kind of its own, what ghosts came to is apart."""
    tally = Tally()
    for outcome in (
        led_to(Kind.OPENED),
        led_to(Kind.CONVERSION, role="direct", value=10.5, currency="EUR"),
        led_to(Kind.CONVERSION, role="direct", value=3, currency="USD"),
        led_to(Kind.CONVERSION, role="assisted", value=10.5, currency="EUR"),
        led_to(Kind.CONVERSION, role="direct", value=99, currency="EUR", is_ghost=True),
        led_to(Kind.RECOVERY, value=10.5, currency="EUR"),
    ):
        tally.take_outcome(outcome)
    assert tally.led_to == {
        ("cart", False, "opened"): 1,
        ("cart", False, "conversion"): 2,
        ("cart", False, "assisted"): 1,
        ("cart", True, "conversion"): 1,
        ("cart", False, "recovery"): 1,
    }
    assert tally.revenue == {("cart", "EUR"): 10.5, ("cart", "USD"): 3}
    assert tally.kinds_led_to["conversion"] == 3
