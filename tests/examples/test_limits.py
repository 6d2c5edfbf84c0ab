"""Quiet windows, delivery windows, send rates and bounces worked out by hand, one rule a test."""

from typing import Any

from tests.examples.test_triggers import Line, Run, event, ms, rules, updated, welcome

SECOND = 1000
#: Friday 18:00 to Monday 09:00, in the customer's time zone.
WEEKEND = [
    {"days": ["fri"], "from": "18:00", "to": "24:00"},
    {"days": ["sat", "sun"], "from": "00:00", "to": "24:00"},
    {"days": ["mon"], "from": "00:00", "to": "09:00"},
]
VIENNA = updated(ms("2024-06-01T00:00:00+02:00"), email="ann@x", timezone="Europe/Vienna")


def told(made: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Outcome, reason and instant of each decision."""
    return [(d["outcome"], d["reason"], d["decided_ms"]) for d in made]


def subscribed(*times: str) -> list[Line]:
    """A sign-up at each time."""
    return [event("subscribed", ms(time)) for time in times]


def test_friday_evening_to_monday_morning_is_quiet(run: Run) -> None:
    """At 17:59:59 it is not yet; from 18:00 on Friday until 09:00 on Monday a step waits."""
    quiet = {"throttle": {"quiet_hours": WEEKEND}}
    times = (
        "2024-06-14T17:59:59+02:00",
        "2024-06-14T18:00:00+02:00",
        "2024-06-16T12:00:00+02:00",
        "2024-06-17T09:00:00+02:00",
    )
    one = rules(top=quiet, hello=welcome(expires="4d"))
    made = run(one, [VIENNA, *subscribed(*times)], until_ms=ms("2024-06-18T00:00:00Z"))
    monday = ms("2024-06-17T09:00:00+02:00")
    assert told(made) == [
        ("send", "passed", ms(times[0])),
        ("defer", "quiet", ms(times[1])),
        ("defer", "quiet", ms(times[2])),
        ("send", "passed", monday),
        ("send", "passed", monday + 5 * SECOND),
        ("send", "passed", monday + 5 * SECOND),
    ]
    assert [d["next_eligible_ms"] for d in made[1:3]] == [monday, monday]


def test_six_hundred_a_minute_are_one_in_1200_ms_in_each_of_twelve_partitions(run: Run) -> None:
    """600 / 12 = 50 a minute; slots are nows, so neither grace nor arbitration moves a send."""
    rate = {"rate": [{"limit": 600, "per": "1m", "channel": "email"}], "arbitration": "1m"}
    bucket = ms("2024-06-14T10:01:00Z")
    ten = [event("subscribed", bucket - 30 * SECOND + n) for n in range(3)]
    made = run(rules(top={"throttle": rate}, hello=welcome()), [VIENNA, *ten], until_ms=bucket * 2)
    first = bucket + 5 * SECOND
    assert told(made) == [
        ("send", "passed", first),
        ("defer", "rate", first),
        ("defer", "rate", first),
        ("send", "passed", first + 1200),
        ("send", "passed", first + 2400),
    ]


def test_a_step_that_a_cap_held_beyond_its_hour_is_not_put_off_to_the_next_day(run: Run) -> None:
    """Due at 09:00 for 10:00, the cap is free at 11:00: then it goes."""
    top = {"throttle": {"caps": [{"limit": 1, "per": "1h"}]}}
    both = rules(
        top=top,
        first=welcome(on=["delivered"]),
        hello=welcome(deliver={"at": "10:00"}),
    )
    lines = [
        VIENNA,
        event("subscribed", ms("2024-06-14T09:00:00+02:00")),
        event("delivered", ms("2024-06-14T10:00:00+02:00")),
    ]
    made = run(both, lines, until_ms=ms("2024-06-15T00:00:00Z"))
    ten, eleven = ms("2024-06-14T10:00:00+02:00"), ms("2024-06-14T11:00:00+02:00")
    assert told(made) == [
        ("defer", "window", ms("2024-06-14T09:00:00+02:00")),
        ("send", "passed", ten),
        ("defer", "cap", ten + 5 * SECOND),
        ("send", "passed", eleven + 5 * SECOND),
    ]


def test_soft_bounces_count_anew_once_the_mailbox_takes_mail(run: Run) -> None:
    """Two within a day close the channel, but not with a delivery in between."""
    top = {"throttle": {"soft_bounces": {"limit": 2, "within": "1d"}}}
    start = ms("2024-06-14T10:00:00Z")

    def soft(minute: int) -> Line:
        at = start + minute * 60 * SECOND
        return event("message_bounced", at, topic="engagement", channel="EMAIL ", hard=False)

    taken = event("message_delivered", start + 90 * SECOND, topic="engagement", channel="email")
    asked = event("subscribed", start + 3600 * SECOND)
    one = rules(top=top, hello=welcome())
    made = run(one, [VIENNA, soft(1), taken, soft(2), asked])
    assert [d["reason"] for d in made] == ["passed"]
    made = run(one, [VIENNA, soft(1), soft(2), asked])
    assert [d["reason"] for d in made] == ["suppressed"]


def test_quiet_hours_over_midnight_belong_to_the_day_on_which_they_begin(run: Run) -> None:
    """Saturday 21:00 to 08:00 covers Sunday 03:00, and neither Saturday nor Monday 03:00."""
    quiet = {"days": ["sat"], "from": "21:00", "to": "08:00"}
    times = [f"2024-06-{day}T03:00:00+02:00" for day in (15, 16, 17)]
    one = rules(top={"throttle": {"quiet_hours": quiet}}, hello=welcome())
    made = run(one, [VIENNA, *subscribed(*times)])
    assert [d["reason"] for d in made] == ["passed", "quiet", "passed", "passed"]


def test_unsubscriptions_from_what_is_no_channel_are_from_all(run: Run) -> None:
    """1,500 of one customer, each with a thousand characters in place of a channel."""
    start = ms("2024-06-14T10:00:00Z")
    left = [
        event("unsubscribed", start + n * SECOND, topic="engagement", channel=f"{n:04}" * 250)
        for n in range(1500)
    ]
    asked = event("subscribed", start + 3600 * SECOND)
    made = run(rules(hello=welcome()), [VIENNA, *left, asked])
    assert told(made) == [("suppress", "suppressed", start + 3600 * SECOND)]
