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
