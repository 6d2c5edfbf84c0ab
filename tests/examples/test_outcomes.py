"""What sends lead to, worked out by hand from the contract: for oracle and engine alike."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.examples.test_triggers import (
    GRACE,
    HOUR,
    MINUTE,
    PROFILE,
    START,
    Line,
    cart,
    event,
    rules,
)
from tests.oracle import oracle
from tests.oracle.engine import run_whole_engine
from tests.oracle.triggers import request_id

Run = Callable[..., list[dict[str, Any]]]

DAY = 24 * HOUR
#: A subscriber is greeted with the event itself.
HELLO: Line = {"kind": "event", "on": ["subscribed"], "template": "hello", "channels": ["email"]}
NEWS: Line = HELLO | {"on": ["onboarding_completed"], "template": "news"}


def run_engine(*args: Any, **options: Any) -> list[dict[str, Any]]:
    """The engine's outcomes alone."""
    return run_whole_engine(*args, **options)[1]


@pytest.fixture(params=[oracle.outcomes, run_engine], ids=["oracle", "engine"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both must say what the contract says."""
    record: Run = request.param
    return record


def asked(name: str, at: int, sent_by: Line, *, trigger: str = "hello", **more: Any) -> Line:
    """An engagement event that names the request which an event trigger made of an event."""
    instance = {"trigger": trigger, "key": sent_by["event_id"], "anchor": sent_by["occurred_at"]}
    named = request_id({"name": "ann"}, instance, 0)
    return event(name, at, topic="engagement", request_id=named, **more)


def story(outcomes: list[dict[str, Any]]) -> list[tuple[str, str, str | None, int]]:
    """Trigger, kind, role and latency of each."""
    return [(o["trigger"], o["kind"], o["role"], o["latency_ms"]) for o in outcomes]


HI = event("subscribed", START + MINUTE)
READ_ON = event("onboarding_completed", START + HOUR)


def test_an_outcome_says_whose_it_is_and_what_it_was_worth(run: Run) -> None:
    """Every field, of a purchase an hour after the greeting."""
    bought = event("order_placed", HI["occurred_at"] + HOUR, value=50, margin=-1.5, currency="EUR")
    assert run(rules(hello=HELLO), [PROFILE, HI, bought]) == [
        {
            "request_id": asked("x", 0, HI)["data"]["request_id"],
            "customer_id": "ann",
            "trigger": "hello",
            "step": 0,
            "channel": "email",
            "experiment": None,
            "segments": [],
            "ghost": False,
            "kind": "conversion",
            "role": "direct",
            "value": 50,
            "margin": -1.5,
            "currency": "EUR",
            "score": None,
            "latency_ms": HOUR,
            "occurred_ms": bought["occurred_at"],
            "event_id": bought["event_id"],
            "merged_from": None,
        }
    ]


@pytest.mark.parametrize(
    ("after", "counts"), [(-1, False), (0, True), (7 * DAY, True), (7 * DAY + 1, False)]
)
def test_the_window_is_seven_days_with_both_ends(run: Run, after: int, counts: bool) -> None:
    """By event time, whenever it arrives: here a day late."""
    at = HI["occurred_at"] + after
    bought = event("order_placed", at, arrived=max(at, HI["occurred_at"]) + DAY)
    assert bool(run(rules(hello=HELLO), [PROFILE, HI, bought])) is counts


def test_the_window_is_a_setting(run: Run) -> None:
    """Within two minutes purchases are conversions; one after three minutes is none."""
    short = rules(top={"attribution_window": "2m"}, hello=HELLO)
    at = HI["occurred_at"]
    lines = [PROFILE, HI, *(event("order_placed", at + n * MINUTE) for n in (1, 2, 3))]
    assert [o["latency_ms"] for o in run(short, lines)] == [MINUTE, 2 * MINUTE]


@pytest.mark.parametrize(
    ("touches", "direct"),
    [
        ([], "news"),
        ([("message_opened", "hello", 2)], "hello"),
        ([("message_opened", "hello", 2), ("message_opened", "news", 3)], "news"),
        ([("message_clicked", "hello", 2), ("message_opened", "news", 3)], "hello"),
        ([("message_clicked", "news", 2), ("message_clicked", "hello", 3)], "hello"),
        ([("message_clicked", "news", 2), ("message_clicked", "hello", 5)], "news"),
    ],
    ids=["last sent", "opened", "last opened", "clicked", "last clicked", "clicked too late"],
)
def test_one_send_gets_the_purchase(
    run: Run, touches: list[tuple[str, str, int]], direct: str
) -> None:
    """The last clicked before it, else the last opened, else the last sent; others assist."""
    by = {"hello": HI, "news": READ_ON}
    engaged = [asked(t, START + h * HOUR, by[name], trigger=name) for t, name, h in touches]
    bought = event("order_placed", START + 4 * HOUR, arrived=START + 6 * HOUR)
    lines = [PROFILE, HI, READ_ON, *engaged, bought]
    roles = {
        o["trigger"]: o["role"] for o in run(rules(hello=HELLO, news=NEWS), lines) if o["role"]
    }
    assert roles == {"hello": "assisted", "news": "assisted"} | {direct: "direct"}


def test_every_purchase_counts(run: Run) -> None:
    """Orders and bookings; the same event twice is one."""
    order = event("order_placed", START + HOUR, value=1)
    booking = event("booking_confirmed", START + 2 * HOUR, topic="bookings", value=2)
    made = run(rules(hello=HELLO), [PROFILE, HI, order, order, booking, order])
    assert [(o["kind"], o["value"]) for o in made] == [("conversion", 1), ("conversion", 2)]


def test_engagement_counts_once_a_kind(run: Run) -> None:
    """Seven kinds; of each the first that arrives."""
    names = (
        "message_delivered",
        "message_opened",
        "message_clicked",
        "message_bounced",
        "message_complained",
        "unsubscribed",
        "survey_answered",
    )
    lines = [asked(name, START + HOUR + n * MINUTE, HI) for n, name in enumerate([*names, *names])]
    made = run(rules(hello=HELLO), [PROFILE, HI, *lines])
    kinds = ["delivered", "opened", "clicked", "bounced", "complained", "unsubscribed", "surveyed"]
    assert [o["kind"] for o in made] == kinds
    assert {(o["role"], o["value"], o["currency"]) for o in made} == {(None, None, None)}


def test_engagement_may_be_before_its_send_by_a_clock_that_is_off(run: Run) -> None:
    """It names the request, so it came after; no latency is under zero."""
    early = asked("message_opened", HI["occurred_at"] - 5, HI, arrived=START + HOUR)
    assert story(run(rules(hello=HELLO), [PROFILE, HI, early])) == [("hello", "opened", None, 0)]


def test_engagement_after_the_window_is_no_outcome(run: Run) -> None:
    """Eight days later."""
    late = asked("message_opened", HI["occurred_at"] + 8 * DAY, HI)
    assert run(rules(hello=HELLO), [PROFILE, HI, late]) == []


def test_a_transactional_message_has_no_outcomes(run: Run) -> None:
    """The contract speaks of marketing sends."""
    owed = HELLO | {"category": "transactional", "cancel": ["cart_emptied"]}
    lines = [
        PROFILE,
        HI,
        asked("message_opened", START + HOUR, HI),
        event("order_placed", START + HOUR),
    ]
    assert run(rules(hello=owed), lines) == []


def test_a_ghost_send_has_conversions_and_no_opens(run: Run) -> None:
    """What happens without the message is what the message is compared with."""
    ghost = rules(top={"holdout": {"percent": 100, "salt": "s"}}, hello=HELLO, news=NEWS)
    lines = [
        PROFILE,
        HI,
        READ_ON,
        asked("message_clicked", START + 2 * HOUR, HI),
        event("order_placed", START + 3 * HOUR),
    ]
    made = run(ghost, lines)
    assert [(o["trigger"], o["role"], o["ghost"]) for o in made] == [
        ("hello", "assisted", True),
        ("news", "direct", True),
    ]


def test_a_variant_is_named(run: Run) -> None:
    """As on the decision; a ghost of an experiment is a ghost."""
    variants = {"none": {"ghost": True, "weight": 1}, "some": {"weight": 0.0001}}
    x = {"trigger": "hello", "salt": "s", "start": "2020-01-01", "variants": variants}
    made = run(
        rules(top={"experiments": {"x": x}}, hello=HELLO),
        [PROFILE, HI, event("order_placed", START + HOUR)],
    )
    assert [(o["experiment"], o["ghost"]) for o in made] == [(("x", "none"), True)]


#: The cart is left at the start, written about after 30 min and after a day.
TWICE = cart(
    cancel=[],
    steps=[
        {"after": "30m", "template": "t", "channels": ["email"]},
        {"after": "1d", "template": "t", "channels": ["email"]},
    ],
)
TWICE = {
    name: value for name, value in TWICE.items() if name not in ("after", "template", "channels")
}
LEFT = event("cart_updated", START, cart_id="c1")


def test_a_cart_that_was_written_about_is_recovered_once(run: Run) -> None:
    """By the first purchase with its key; the second one is a conversion and no recovery."""
    lines = [
        PROFILE,
        LEFT,
        event("order_placed", START + 2 * DAY, cart_id="c1", value=9, currency="USD"),
        event("order_placed", START + 3 * DAY, cart_id="c1"),
    ]
    made = run(rules(top={"currency": "EUR"}, cart=TWICE), lines)
    assert [(o["step"], o["kind"], o["role"]) for o in made] == [
        (0, "conversion", "assisted"),
        (1, "conversion", "direct"),
        (1, "recovery", None),
        (0, "conversion", "assisted"),
        (1, "conversion", "direct"),
    ]
    assert {(o["value"], o["currency"]) for o in made} == {(9, "USD"), (None, "EUR")}


def test_a_purchase_of_something_else_recovers_nothing(run: Run) -> None:
    """Another key, or none."""
    lines = [
        PROFILE,
        LEFT,
        event("order_placed", START + HOUR, cart_id="c2"),
        event("order_placed", START + 2 * HOUR),
    ]
    assert [o["kind"] for o in run(rules(cart=cart(cancel=[])), lines)] == ["conversion"] * 2


def test_each_instance_that_was_written_about_is_recovered(run: Run) -> None:
    """The cart was left twice, and each time there was a reminder."""
    again = event("cart_updated", START + 2 * HOUR, cart_id="c1")
    bought = event("order_placed", START + 3 * HOUR, cart_id="c1")
    made = run(rules(cart=cart()), [PROFILE, LEFT, again, bought])
    latencies = [o["latency_ms"] for o in made if o["kind"] == "recovery"]
    assert latencies == [150 * MINUTE - GRACE, 30 * MINUTE - GRACE]


def test_a_cart_bought_before_its_reminder_is_not_recovered(run: Run) -> None:
    """The purchase was there first; its event came too late to stop the reminder, which is taken
    back, and attracts nothing after that.
    """
    sent = START + 30 * MINUTE + GRACE
    lines = [
        PROFILE,
        LEFT,
        event("order_placed", sent - 1, arrived=sent + MINUTE, cart_id="c1"),
        event("order_placed", sent + HOUR, cart_id="c1"),
    ]
    assert run(rules(cart=cart()), lines) == []


def test_reviews_and_calls_for_help_follow_a_delivery(run: Run) -> None:
    """Of the same order when both name one; every event counts."""
    came = event("delivered", START + MINUTE, order_id="o1")
    ask = HELLO | {"on": ["delivered", "shipped"]}
    lines = [
        PROFILE,
        event("shipped", START, order_id="o1"),
        came,
        event("review_completed", START + HOUR, order_id="o1", score=5),
        event("review_completed", START + HOUR, arrived=START + HOUR, order_id="o2"),
        event("support_contacted", START + 2 * HOUR),
        event("support_contacted", START + 3 * HOUR),
    ]
    made = run(rules(ask=ask), lines)
    assert [(o["kind"], o["latency_ms"], o["value"]) for o in made] == [
        ("review", 59 * MINUTE, None),
        ("support", 119 * MINUTE, None),
        ("support", 179 * MINUTE, None),
    ]


def test_an_erased_customer_has_no_more_outcomes(run: Run) -> None:
    """The send is forgotten with the rest."""
    erasure = {"topic": "profiles", "key": "ann", "value": None, "arrived_at": START + HOUR}
    lines = [PROFILE, HI, erasure, event("order_placed", START + 2 * HOUR)]
    assert run(rules(hello=HELLO), lines) == []


def test_what_was_done_during_an_outage_finds_its_send(run: Run) -> None:
    """Even a long one, at whose end new sends come before older purchases are read."""
    at = HI["occurred_at"]
    lines = [
        PROFILE,
        HI,
        event("onboarding_completed", at + 2 * DAY),
        event("order_placed", at + 6 * DAY),
        event("order_placed", at + 29 * DAY),
    ]
    outage = (at + DAY, at + 30 * DAY)
    made = run(rules(hello=HELLO, news=NEWS), lines, outage=outage)
    assert story(made) == [("hello", "conversion", "direct", 6 * DAY)]


def test_list_health_is_recorded_whenever_it_comes(run: Run) -> None:
    """An opening on day 8 is not one of the message, a complaint on day 20 is; once a kind."""
    lines = [
        PROFILE,
        HI,
        asked("message_opened", START + 8 * DAY, HI),
        asked("message_complained", START + 20 * DAY, HI, channel="email"),
        asked("message_complained", START + 21 * DAY, HI, channel="email"),
        asked("unsubscribed", START + 29 * DAY, HI, channel="email"),
    ]
    found = run(rules(hello=HELLO), lines)
    assert [outcome["kind"] for outcome in found] == ["complained", "unsubscribed"]


def test_a_survey_has_its_score(run: Run) -> None:
    """A number as it was answered; text is none."""
    for answered, expected in ((9, 9), ("nine", None)):
        lines = [PROFILE, HI, asked("survey_answered", START + HOUR, HI, score=answered)]
        (outcome,) = run(rules(hello=HELLO), lines)
        assert (outcome["kind"], outcome["score"]) == ("surveyed", expected)
