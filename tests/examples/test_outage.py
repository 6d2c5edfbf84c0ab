"""Worked out by hand: nothing is decided behind the customer's back (spec section 4)."""

from datetime import UTC, datetime

import pytest

from tests.examples.test_triggers import (
    HOUR,
    MINUTE,
    PROFILE,
    START,
    Run,
    cart,
    event,
    rules,
    updated,
    verdicts,
    welcome,
)

DAY = 24 * HOUR
#: down from ten minutes after the start to an hour after it
OUTAGE = (START + 10 * MINUTE, START + HOUR)


def test_a_purchase_after_the_reminder_was_due_stops_it_too(run: Run) -> None:
    """The reminder waited while the backlog was read, so the purchase decides it."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("order_placed", START + 50 * MINUTE, cart_id="c1"),
    ]
    made = run(rules(cart=cart()), lines, outage=OUTAGE, until_ms=START + 2 * HOUR)
    assert verdicts(made) == [("suppress", "cancelled", HOUR)]


def test_what_waited_is_decided_in_one_pass_in_timer_order(run: Run) -> None:
    """At the end of the outage, after its last record, also what falls due within the grace."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("subscribed", START + 20 * MINUTE),
        event("subscribed", START + HOUR - 2, arrived=START + HOUR - 1),
    ]
    file = rules(cart=cart(), hello=welcome())
    made = run(file, lines, outage=OUTAGE, until_ms=START + 2 * HOUR)
    assert [(d["trigger"], d["due_ms"] - START, d["decided_ms"] - START) for d in made] == [
        ("hello", 20 * MINUTE, HOUR),
        ("cart", 30 * MINUTE, HOUR),
        ("hello", HOUR - 2, HOUR),
    ]


def test_a_transactional_step_goes_by_the_watermark_in_an_outage(run: Run) -> None:
    """It is not held up by what else is in the backlog."""
    late = cart(category="transactional", cancel=[])
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("subscribed", START + 45 * MINUTE),
        event("subscribed", START + 50 * MINUTE),
    ]
    file = rules(cart=late, hello=welcome())
    made = run(file, lines, outage=OUTAGE, until_ms=START + 2 * HOUR)
    assert [d["trigger"] for d in made] == ["cart", "hello", "hello"]


def test_a_parked_step_expires_while_it_waits(run: Run) -> None:
    """Its due time stays what it was."""
    lines = [PROFILE, event("cart_updated", START, cart_id="c1")]
    made = run(rules(cart=cart(expires="5m")), lines, outage=OUTAGE, until_ms=START + 2 * HOUR)
    assert verdicts(made) == [("suppress", "expired", HOUR)]


def test_a_newer_start_supersedes_a_parked_step(run: Run) -> None:
    """It had come up, so it is decided; the new anchor has a step of its own."""
    lines = [
        PROFILE,
        event("cart_updated", START, cart_id="c1"),
        event("cart_updated", START + 45 * MINUTE, cart_id="c1"),
    ]
    made = run(rules(cart=cart()), lines, outage=OUTAGE, until_ms=START + 2 * HOUR)
    assert [(d["outcome"], d["reason"]) for d in made] == [
        ("suppress", "superseded"),
        ("send", "passed"),
    ]


@pytest.mark.parametrize("change", [{"timezone": "Asia/Tokyo"}, {"birthday": "1990-12-24"}])
def test_a_birthday_that_waits_is_kept_by_a_change_of_the_profile(
    run: Run, change: dict[str, str]
) -> None:
    """Its day has come, so the change is for the next year."""
    day = START - START % DAY + DAY
    birthday = {
        "kind": "anniversary",
        "of": "profile.birthday",
        "at": "09:00",
        "template": "birthday",
        "channels": ["email"],
    }
    born = datetime.fromtimestamp(day / 1000, UTC).strftime("1990-%m-%d")
    lines = [
        updated(START, email="ann@x", timezone="UTC", birthday=born),
        event("product_viewed", day + 10 * HOUR),
        updated(day + 11 * HOUR, **change),
    ]
    down = (day + 8 * HOUR, day + 20 * HOUR)
    made = run(rules(birthday=birthday), lines, outage=down, until_ms=day + 30 * DAY)
    assert [(one["outcome"], one["due_ms"] - day, one["decided_ms"] - day) for one in made] == [
        ("send", 9 * HOUR, 20 * HOUR)
    ]
