"""Fatigue, arbitration and send time worked out by hand, one rule a test."""

from typing import Any

from .test_oracle_by_hand import MINUTE, PROFILE, START, Line, Run, event, rules, verdicts, welcome

FATIGUE = {
    "window": "1d",
    "min_sends": 2,
    "open_rate_below": 0.5,
    "cooldown_factor": 3,
    "cap_factor": 0.5,
}
TIRING: dict[str, Any] = {
    "throttle": {"cooldown": "10m", "caps": [{"limit": 5, "per": "1d"}], "fatigue": FATIGUE}
}


def opened(at: int, request_id: str, name: str = "message_opened") -> Line:
    """The customer opens, or clicks in, a message."""
    return event(name, at, topic="engagement", request_id=request_id)


def signed_up(*minutes: int) -> list[Line]:
    """One sign-up, hence one message, at each of the minutes."""
    return [event("subscribed", START + minute * MINUTE) for minute in minutes]


def test_who_opens_nothing_gets_a_longer_cooldown_and_lower_caps(run: Run) -> None:
    """After two unopened messages the cooldown is three times 10 min, the limit half of 5."""
    made = run(rules(top=TIRING, hello=welcome()), [PROFILE, *signed_up(0, 10, 20, 40)])
    assert verdicts(made) == [
        ("send", "passed", 0),
        ("send", "passed", 10 * MINUTE),
        ("suppress", "cooldown", 20 * MINUTE),
        ("defer", "cap", 40 * MINUTE),
    ]
    assert made[3]["next_eligible_ms"] == START + 24 * 60 * MINUTE


def test_an_open_or_a_click_of_half_of_them_is_enough(run: Run) -> None:
    """One of two is not fewer than a half; it counts for the message that it names."""
    one = rules(top=TIRING, hello=welcome())
    request_id = run(one, [PROFILE, *signed_up(0)])[0]["request_id"]
    for name in ("message_opened", "message_clicked"):
        read = opened(START + 15 * MINUTE, request_id, name)
        made = run(one, [PROFILE, *signed_up(0, 10), read, *signed_up(20)])
        assert verdicts(made)[2] == ("send", "passed", 20 * MINUTE)
    stranger = opened(START + 15 * MINUTE, "another")
    made = run(one, [PROFILE, *signed_up(0, 10), stranger, *signed_up(20)])
    assert verdicts(made)[2] == ("suppress", "cooldown", 20 * MINUTE)


def test_sends_that_left_the_window_tire_nobody(run: Run) -> None:
    """A window of 20 min holds the messages at t > now - 20 min."""
    top = {"throttle": TIRING["throttle"] | {"fatigue": FATIGUE | {"window": "20m"}}}
    made = run(rules(top=top, hello=welcome()), [PROFILE, *signed_up(0, 10, 20)])
    assert verdicts(made)[2] == ("send", "passed", 20 * MINUTE)


def test_a_cap_of_one_stays_one(run: Run) -> None:
    """Scaled limits are rounded down and never under one."""
    top = {"throttle": {"caps": [{"limit": 1, "per": "10m"}], "fatigue": FATIGUE}}
    made = run(rules(top=top, hello=welcome()), [PROFILE, *signed_up(0, 10, 20)])
    assert [verdict[0] for verdict in verdicts(made)] == ["send", "send", "send"]


#: A multiple of five minutes: a bucket begins here.
BUCKET = START - START % (5 * MINUTE) + 5 * MINUTE
ONE_AN_HOUR = {"throttle": {"arbitration": "5m", "caps": [{"limit": 1, "per": "1h"}]}}


def test_the_most_important_of_a_bucket_gets_the_last_place(run: Run) -> None:
    """The lesser is due first, and both are decided at the end of their bucket."""
    lesser = welcome(priority=10)
    better = welcome(priority=90, on=["delivered"])
    lines = [
        PROFILE,
        event("subscribed", BUCKET),
        event("delivered", BUCKET + 5 * MINUTE - 1),
        event("product_viewed", BUCKET + 7 * MINUTE),
    ]
    made = run(rules(top=ONE_AN_HOUR, lesser=lesser, better=better), lines)
    end = BUCKET + 5 * MINUTE + 5000
    assert [(d["trigger"], d["reason"], d["decided_ms"]) for d in made] == [
        ("better", "passed", end),
        ("lesser", "cap", end),
    ]
    assert made[1]["next_eligible_ms"] == end + 60 * MINUTE


def test_a_step_due_on_a_boundary_belongs_to_the_bucket_that_begins_there(run: Run) -> None:
    """Buckets are half open; the deferred step is decided at the end of its next time's bucket."""
    lines = [PROFILE, event("subscribed", BUCKET), event("subscribed", BUCKET + 5 * MINUTE)]
    made = run(rules(top=ONE_AN_HOUR, hello=welcome()), lines, until_ms=BUCKET + 90 * MINUTE)
    assert [(d["reason"], d["decided_ms"] - BUCKET) for d in made] == [
        ("passed", 5 * MINUTE + 5000),
        ("cap", 10 * MINUTE + 5000),
        ("passed", 70 * MINUTE + 5000),
    ]


def test_transactional_steps_do_not_wait_for_a_bucket(run: Run) -> None:
    """A receipt is decided with its event."""
    receipt = welcome(category="transactional")
    made = run(rules(top=ONE_AN_HOUR, receipt=receipt), [PROFILE, event("subscribed", BUCKET)])
    assert [d["decided_ms"] for d in made] == [BUCKET]


def test_expiry_counts_from_the_due_time_and_not_from_the_bucket(run: Run) -> None:
    """What expires before its bucket ends is not sent."""
    lines = [PROFILE, event("subscribed", BUCKET)]
    made = run(rules(top=ONE_AN_HOUR, hello=welcome(expires="4m")), lines, until_ms=BUCKET + 10**6)
    assert [d["reason"] for d in made] == ["expired"]
