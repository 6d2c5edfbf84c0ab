"""Expectations worked out by hand from the contract, one rule a test: of oracle and engine."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.oracle import oracle
from tests.oracle.calendar import instants, next_clock_time

Line = dict[str, Any]
Run = Callable[..., list[dict[str, Any]]]

START = 1_718_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
GRACE = 5000


def ms(text: str) -> int:
    """An RFC 3339 text as epoch milliseconds."""
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def rules(*, top: dict[str, Any] | None = None, **triggers: dict[str, Any]) -> dict[str, Any]:
    """A rules file with an e-mail channel and these triggers."""
    base = {"version": 1, "channels": {"email": {"requires": "email"}}, "triggers": triggers}
    return base | (top or {})


def cart(**more: Any) -> dict[str, Any]:
    """The usual abandoned cart: one reminder after half an hour."""
    usual = {
        "kind": "abandonment",
        "start": ["cart_updated"],
        "key": "cart_id",
        "cancel": ["order_placed"],
        "after": "30m",
        "template": "reminder",
        "channels": ["email"],
    }
    return usual | more


def welcome(**data: Any) -> dict[str, Any]:
    """An event trigger that answers at once."""
    usual = {"kind": "event", "on": ["subscribed"], "template": "hello", "channels": ["email"]}
    return usual | data


def event(name: str, at: int, *, topic: str = "orders", arrived: int = 0, **data: Any) -> Line:
    """A line about ann; its id is told by what and when it is."""
    line = {
        "topic": topic,
        "event_id": f"{name}-{at}-{arrived}",
        "type": name,
        "customer_id": "ann",
        "occurred_at": at,
        "data": data,
    }
    return line | ({"arrived_at": arrived} if arrived else {})


def updated(at: int, **data: Any) -> Line:
    """A profile update."""
    return event("profile_updated", at, topic="profiles", **data)


PROFILE = updated(START, email="ann@x")


def verdicts(made: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Outcome, reason and time since the start of each decision."""
    return [(d["outcome"], d["reason"], d["decided_ms"] - START) for d in made]


def test_a_reminder_fires_grace_after_it_is_due(run: Run) -> None:
    """Live time waits the grace before it believes that nothing older comes."""
    lines = [PROFILE, event("cart_updated", START, cart_id="c1")]
    assert verdicts(run(rules(cart=cart()), lines, until_ms=START + HOUR)) == [
        ("send", "passed", 30 * MINUTE + GRACE)
    ]
    assert run(rules(cart=cart()), lines, until_ms=START + 30 * MINUTE + GRACE - 1) == []


def test_a_purchase_stops_the_reminder_without_a_decision(run: Run) -> None:
    """A step that is not yet due just goes."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + MINUTE, cart_id="c1"),
    ]
    assert run(rules(cart=cart()), lines, until_ms=START + HOUR) == []


def test_a_purchase_of_another_cart_stops_nothing(run: Run) -> None:
    """A cancel that carries the key field covers that key alone."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + MINUTE, cart_id="c2"),
    ]
    assert len(run(rules(cart=cart()), lines, until_ms=START + HOUR)) == 1


def test_a_purchase_without_a_cart_stops_them_all(run: Run) -> None:
    """A cancel without the key field covers every key."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("cart_updated", START, arrived=START + 1, cart_id="c2"),
        event("order_placed", START + MINUTE),
    ]
    assert run(rules(cart=cart()), lines, until_ms=START + HOUR) == []


def test_a_start_before_the_last_cancel_opens_nothing(run: Run) -> None:
    """An event older than what it would act on does not act."""
    lines = [
        PROFILE,
        event("order_placed", START + MINUTE, cart_id="c1"),
        event("cart_updated", START + MINUTE, arrived=START + 2 * MINUTE, cart_id="c1"),
    ]
    assert run(rules(cart=cart()), lines, until_ms=START + HOUR) == []


def test_a_later_start_replaces_the_anchor(run: Run) -> None:
    """The reminder counts from the last touch of the cart."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("cart_updated", START + 10 * MINUTE, cart_id="c1"),
    ]
    made = run(rules(cart=cart()), lines, until_ms=START + HOUR)
    assert verdicts(made) == [("send", "passed", 40 * MINUTE + GRACE)]


def test_a_late_purchase_recalls_the_reminder(run: Run) -> None:
    """A cancel that occurred before the decision and arrives after it takes the send back."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + MINUTE, arrived=START + 40 * MINUTE, cart_id="c1"),
    ]
    assert verdicts(run(rules(cart=cart()), lines)) == [
        ("send", "passed", 30 * MINUTE + GRACE),
        ("recall", "cancelled", 40 * MINUTE),
    ]


def test_a_purchase_after_the_recall_window_recalls_nothing(run: Run) -> None:
    """A quarter of an hour after the decision the message is on its way."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + MINUTE, arrived=START + 46 * MINUTE, cart_id="c1"),
    ]
    assert len(run(rules(cart=cart()), lines)) == 1


def test_a_purchase_in_the_backlog_stops_the_reminder(run: Run) -> None:
    """After an outage the backlog is read before anything that fell due in it is decided."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + 29 * MINUTE, arrived=START + 50 * MINUTE, cart_id="c1"),
    ]
    outage = (START + 10 * MINUTE, START + HOUR)
    assert run(rules(cart=cart()), lines, outage=outage) == []
    assert verdicts(run(rules(cart=cart()), lines[:2], outage=outage, until_ms=outage[1])) == [
        ("send", "passed", HOUR)
    ]


def test_an_event_step_without_after_is_decided_with_its_event(run: Run) -> None:
    """No waiting for the watermark."""
    made = run(rules(hello=welcome()), [PROFILE, event("subscribed", START)])
    assert verdicts(made) == [("send", "passed", 0)]
    assert made[0]["request_id"] == "a9281537-34f7-547f-bb1d-7cf78c4c2208"


def test_a_step_past_its_expiry_is_suppressed(run: Run) -> None:
    """What arrives a day and a bit late is not sent."""
    late = event("subscribed", START, arrived=START + 24 * HOUR + 1)
    made = run(rules(hello=welcome()), [PROFILE, late])
    assert [d["reason"] for d in made] == ["expired"]


def test_a_condition_is_asked_again_when_due(run: Run) -> None:
    """A reminder for prospects is not sent to a customer who has bought meanwhile."""
    when = {"field": "customer.orders", "op": "eq", "value": 0}
    one = cart(when=when, cancel=["cart_emptied"])
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + MINUTE, cart_id="c1"),
    ]
    made = run(rules(cart=one), lines, until_ms=START + HOUR)
    assert [d["reason"] for d in made] == ["condition"]


def test_a_cap_defers_until_enough_sends_have_left_the_window(run: Run) -> None:
    """With a limit of one a second message waits for the first to be an hour old."""
    top = {"throttle": {"caps": [{"limit": 1, "per": "1h"}]}}
    lines = [PROFILE, event("subscribed", START), event("subscribed", START + MINUTE)]
    made = run(rules(top=top, hello=welcome()), lines, until_ms=START + 2 * HOUR)
    assert verdicts(made) == [
        ("send", "passed", 0),
        ("defer", "cap", MINUTE),
        ("send", "passed", HOUR + GRACE),
    ]
    assert made[1]["next_eligible_ms"] == START + HOUR
    assert made[2]["due_ms"] == START + MINUTE


def test_a_cap_that_outlives_the_expiry_suppresses(run: Run) -> None:
    """No deferral past due + expires."""
    top = {"throttle": {"caps": [{"limit": 1, "per": "2h"}]}}
    lines = [PROFILE, event("subscribed", START), event("subscribed", START + MINUTE)]
    made = run(rules(top=top, hello=welcome(expires="1h")), lines)
    assert verdicts(made)[1] == ("suppress", "cap", MINUTE)


def test_the_cooldown_is_between_instances_of_a_family(run: Run) -> None:
    """Steps of one instance do not cool each other down, another trigger of the family does."""
    step = {"template": "t", "channels": ["email"]}
    two: dict[str, Any] = {"kind": "event", "on": ["subscribed"], "family": "f", "priority": 60}
    two |= {"steps": [step | {"after": "0s"}, step | {"after": "1m"}]}
    other = welcome(family="f", after="30s")
    top = {"throttle": {"cooldown": "1h"}}
    lines = [PROFILE, event("subscribed", START)]
    made = run(rules(top=top, two=two, other=other), lines, until_ms=START + HOUR)
    assert [(d["trigger"], d["reason"]) for d in made] == [
        ("two", "passed"),
        ("other", "cooldown"),
        ("two", "passed"),
    ]


def test_quiet_hours_are_local_and_cross_midnight(run: Run) -> None:
    """At half past ten in Berlin a message waits for eight in the morning there."""
    top = {"throttle": {"quiet_hours": {"from": "21:00", "to": "08:00", "channels": ["email"]}}}
    at = ms("2024-06-15T20:30:00+00:00")
    lines = [updated(at, email="ann@x", timezone="Europe/Berlin"), event("subscribed", at)]
    made = run(rules(top=top, hello=welcome()), lines)
    assert (made[0]["outcome"], made[0]["reason"]) == ("defer", "quiet")
    assert made[0]["next_eligible_ms"] == ms("2024-06-16T06:00:00+00:00")


def test_a_deferred_step_that_is_cancelled_says_so(run: Run) -> None:
    """A step that was announced as deferred ends with a decision of its own."""
    top = {"throttle": {"caps": [{"limit": 1, "per": "1h"}]}}
    lines = [
        PROFILE,
        event("subscribed", START),
        event("cart_updated", START, arrived=START + 1, cart_id="c1"),
        event("order_placed", START + 45 * MINUTE, cart_id="c1"),
    ]
    made = run(rules(top=top, cart=cart(), hello=welcome()), lines)
    assert [(d["outcome"], d["reason"]) for d in made][1:] == [
        ("defer", "cap"),
        ("suppress", "cancelled"),
    ]


def test_holdout_customers_get_ghost_sends_that_count(run: Run) -> None:
    """A ghost send fills the cap as a send would."""
    top = {
        "throttle": {"caps": [{"limit": 1, "per": "48h"}]},
        "holdout": {"percent": 100, "salt": "s"},
    }
    lines = [PROFILE, event("subscribed", START), event("subscribed", START + MINUTE)]
    made = run(rules(top=top, hello=welcome()), lines)
    assert [(d["outcome"], d["reason"]) for d in made] == [
        ("holdout", "holdout"),
        ("suppress", "cap"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (updated(START + 1, email=None), "reach"),
        (updated(START + 1, consent={"email": False}), "consent"),
        (event("unsubscribed", START + 1, topic="engagement"), "suppressed"),
        (event("message_complained", START + 1, topic="engagement"), "suppressed"),
        (event("message_bounced", START + 1, topic="engagement", channel="email"), "suppressed"),
    ],
)
def test_channels_that_cannot_be_used(run: Run, line: Line, reason: str) -> None:
    """Reach, consent and suppression stop the only channel, each under its own name."""
    lines = [PROFILE, line, event("subscribed", START + 2)]
    made = run(rules(hello=welcome()), lines)
    assert [(d["outcome"], d["reason"]) for d in made] == [("suppress", reason)]


def test_a_transactional_step_needs_no_consent(run: Run) -> None:
    """A receipt is sent to a customer who has unsubscribed from all channels."""
    lines = [
        PROFILE,
        updated(START + 1, consent={"email": False}),
        event("unsubscribed", START + 1, topic="engagement"),
        event("subscribed", START + 2),
    ]
    made = run(rules(hello=welcome(category="transactional")), lines)
    assert [d["outcome"] for d in made] == ["send"]


def test_a_milestone_fires_once_at_its_mark(run: Run) -> None:
    """The event that first reaches the sum opens it, no later one does."""
    big: dict[str, Any] = {"kind": "milestone", "sum": "order_placed.value", "reaches": 50.5}
    big |= {"template": "t", "channels": ["email"]}
    values = (50, 1, 100)
    orders = [event("order_placed", START + n, value=value) for n, value in enumerate(values)]
    made = run(rules(big=big), [PROFILE, *orders])
    assert [(d["key"], d["decided_ms"] - START) for d in made] == [("50.5", 1)]


def test_any_later_event_moves_an_inactivity(run: Run) -> None:
    """The inactive time counts from the customer's last event of any type."""
    quiet: dict[str, Any] = {"kind": "inactivity", "since": ["order_placed"], "after": "1h"}
    quiet |= {"template": "t", "channels": ["email"]}
    lines = [
        PROFILE,
        event("order_placed", START),
        event("itinerary_saved", START + 30 * MINUTE, topic="bookings", booking_id="b1"),
    ]
    made = run(rules(quiet=quiet), lines, until_ms=START + 9 * HOUR)
    assert verdicts(made) == [("send", "passed", 90 * MINUTE + GRACE)]


def test_a_frequency_counts_again_after_it_fired(run: Run) -> None:
    """Of five views in an hour, two by two, the second and the fourth open one."""
    often: dict[str, Any] = {
        "kind": "frequency",
        "on": "product_viewed",
        "key": "sku",
        "times": 2,
        "within": "1h",
    }
    often |= {"template": "t", "channels": ["email"]}
    views = [event("product_viewed", START + n * MINUTE, sku="k1") for n in range(5)]
    made = run(rules(often=often), [PROFILE, *views])
    assert [d["decided_ms"] - START for d in made] == [MINUTE, 3 * MINUTE]


def test_a_leap_day_birthday_falls_on_the_28th_in_other_years(run: Run) -> None:
    """One instance a year, each at nine in the customer's own morning."""
    party: dict[str, Any] = {"kind": "anniversary", "of": "profile.birthday", "at": "09:00"}
    party |= {"template": "t", "channels": ["email"]}
    born = updated(
        ms("2023-01-01T00:00:00+00:00"),
        email="ann@x",
        birthday="1996-02-29",
        timezone="Europe/Berlin",
    )
    made = run(rules(party=party), [born], until_ms=ms("2024-12-31T00:00:00+00:00"))
    assert [(d["key"], d["due_ms"]) for d in made] == [
        ("2023", ms("2023-02-28T08:00:00+00:00")),
        ("2024", ms("2024-02-29T08:00:00+00:00")),
    ]


def test_a_birthday_put_right_to_a_leap_day_is_tomorrow_not_next_year(run: Run) -> None:
    """Its 28 February is over and waits for 2025, where 29 February falls on the same day."""
    party: dict[str, Any] = {"kind": "anniversary", "of": "profile.birthday", "at": "09:00"}
    party |= {"template": "t", "channels": ["email"]}
    at = ms("2024-02-28T20:00:00+00:00")
    lines = [
        updated(at, email="ann@x", birthday="1996-02-28"),
        updated(at + MINUTE, birthday="1996-02-29"),
    ]
    made = run(rules(party=party), lines, until_ms=ms("2025-03-01T00:00:00+00:00"))
    assert [(d["key"], d["due_ms"]) for d in made] == [
        ("2024", ms("2024-02-29T09:00:00+00:00")),
        ("2025", ms("2025-02-28T09:00:00+00:00")),
    ]


def test_a_first_order_has_no_anniversary_in_its_own_year(run: Run) -> None:
    """The first that counts is a year later."""
    party: dict[str, Any] = {"kind": "anniversary", "of": "customer.first_order_at", "at": "23:00"}
    party |= {"template": "t", "channels": ["email"]}
    at = ms("2024-06-15T12:00:00+00:00")
    lines = [updated(at, email="ann@x"), event("order_placed", at)]
    made = run(rules(party=party), lines, until_ms=at + 400 * 24 * HOUR)
    assert [d["due_ms"] for d in made] == [ms("2025-06-15T23:00:00+00:00")]


def test_an_erased_customer_starts_afresh(run: Run) -> None:
    """Nothing that was pending or sent is left."""
    erasure = {"topic": "profiles", "key": "ann", "value": None, "arrived_at": START + MINUTE}
    lines = [PROFILE, event("cart_updated", START, cart_id="c1"), erasure]
    assert run(rules(cart=cart()), lines, until_ms=START + HOUR) == []


def test_a_start_without_its_key_is_a_dead_letter(run: Run) -> None:
    """It changes nothing, its counters included."""
    lines = [PROFILE, event("cart_updated", START)]
    assert oracle.dead_letters(rules(cart=cart()), lines) == 1
    assert run(rules(cart=cart()), lines, until_ms=START + HOUR) == []


@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        ("2024-03-31", "02:30", "Europe/Berlin", ["2024-03-31T01:00:00+00:00"]),
        (
            "2024-10-27",
            "02:30",
            "Europe/Berlin",
            ["2024-10-27T00:30:00+00:00", "2024-10-27T01:30:00+00:00"],
        ),
        ("2024-10-06", "02:15", "Australia/Lord_Howe", ["2024-10-05T15:30:00+00:00"]),
        ("2011-12-30", "12:00", "Pacific/Apia", ["2011-12-30T10:00:00+00:00"]),
    ],
)
def test_local_times_that_a_clock_change_skips_or_repeats(
    day: str, at: str, zone: str, expected: list[str]
) -> None:
    """Skipped: the first instant after. Repeated: both."""
    moment = datetime.fromisoformat(f"{day}T{at}")
    assert instants(moment.date(), moment.time(), zone) == [ms(text) for text in expected]


def test_quiet_hours_may_end_twice_in_a_night() -> None:
    """In the repeated hour the next end is the second one."""
    end = datetime.fromisoformat("2024-10-27T02:30")
    between = ms("2024-10-27T00:45:00+00:00")
    assert next_clock_time(between, end.time(), "Europe/Berlin") == ms("2024-10-27T01:30:00+00:00")
