"""Fatigue, arbitration and send time worked out by hand, one rule a test."""

from typing import Any

from tests.examples.test_triggers import (
    HOUR,
    MINUTE,
    PROFILE,
    START,
    Line,
    Run,
    event,
    ms,
    rules,
    updated,
    verdicts,
    welcome,
)

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


def test_a_customer_without_opens_gets_a_longer_cooldown_and_lower_caps(run: Run) -> None:
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


def test_sends_outside_of_the_window_do_not_count_for_fatigue(run: Run) -> None:
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


EVENING = ms("2024-06-15T19:40:00+00:00")
MORNING = ms("2024-06-16T07:15:00+00:00")
BERLIN = updated(EVENING - HOUR, email="ann@x", timezone="Europe/Berlin")


def patient(**more: Any) -> dict[str, Any]:
    """A message that waits for a good hour."""
    return welcome(send_time={"horizon": "24h", "min_opens": 3}) | more


def reads(*times: int) -> list[Line]:
    """Opens, of whatever message."""
    return [opened(at, "some message") for at in times]


def test_a_message_waits_for_the_best_local_hour(run: Run) -> None:
    """Two of three opens were at 21 h in Berlin, so that on Sunday a message waits until then."""
    lines = [BERLIN, *reads(EVENING - MINUTE, EVENING, MORNING), event("subscribed", MORNING)]
    made = run(rules(hello=patient()), lines, until_ms=MORNING + 24 * HOUR)
    at = ms("2024-06-16T19:00:00+00:00")
    assert [(d["outcome"], d["reason"], d["decided_ms"]) for d in made] == [
        ("defer", "send_time", MORNING),
        ("send", "passed", at + 5000),
    ]
    assert made[0]["next_eligible_ms"] == at


def test_of_equal_hours_the_earliest_of_the_day_is_the_best(run: Run) -> None:
    """09 h and 21 h with two opens each: at 21 h it waits for 09 h."""
    times = (EVENING, EVENING + 1, MORNING, MORNING + 1)
    lines = [BERLIN, *reads(*times), event("subscribed", EVENING + 24 * HOUR)]
    made = run(rules(hello=patient()), lines)
    assert made[0]["next_eligible_ms"] == ms("2024-06-17T07:00:00+00:00")


def test_inside_the_best_hour_a_message_goes_at_once(run: Run) -> None:
    """It is 21:40 in Berlin."""
    lines = [BERLIN, *reads(EVENING - 2, EVENING - 1, EVENING), event("subscribed", EVENING)]
    assert [d["outcome"] for d in run(rules(hello=patient()), lines)] == ["send"]


def test_the_best_hour_moves_with_the_customer(run: Run) -> None:
    """What was read at 21:40 in Berlin was 15:40 in New York, where the customer lives now."""
    moved = updated(EVENING, timezone="America/New_York")
    lines = [BERLIN, *reads(EVENING - 2, EVENING - 1, EVENING), moved, event("subscribed", MORNING)]
    made = run(rules(hello=patient()), lines)
    assert made[0]["next_eligible_ms"] == ms("2024-06-16T19:00:00+00:00")


def test_too_few_opens_too_far_or_too_late_is_not_waited_for(run: Run) -> None:
    """Then a message goes as any other does."""
    few = [BERLIN, *reads(EVENING - 1, EVENING), event("subscribed", MORNING)]
    assert [d["outcome"] for d in run(rules(hello=patient()), few)] == ["send"]
    enough = [BERLIN, *reads(EVENING - 2, EVENING - 1, EVENING), event("subscribed", MORNING)]
    far = patient(send_time={"horizon": "11h", "min_opens": 3})
    assert [d["outcome"] for d in run(rules(hello=far), enough)] == ["send"]
    assert [d["outcome"] for d in run(rules(hello=patient(expires="11h")), enough)] == ["send"]


def test_quiet_hours_around_the_best_hour_do_not_make_it_wait_for_ever(run: Run) -> None:
    """The horizon counts from the due time: after one night it goes when the quiet ends."""
    top = {"throttle": {"quiet_hours": {"from": "20:00", "to": "08:00", "channels": ["email"]}}}
    lines = [BERLIN, *reads(EVENING - 2, EVENING - 1, EVENING), event("subscribed", MORNING)]
    hello = patient(expires="9d")
    made = run(rules(top=top, hello=hello), lines, until_ms=MORNING + 9 * 24 * HOUR)
    assert [d["reason"] for d in made] == ["send_time", "quiet", "passed"]


def test_transactional_messages_wait_for_no_hour(run: Run) -> None:
    """A receipt is read at any time."""
    lines = [BERLIN, *reads(EVENING - 2, EVENING - 1, EVENING), event("subscribed", MORNING)]
    made = run(rules(hello=patient(category="transactional")), lines)
    assert [d["outcome"] for d in made] == ["send"]
