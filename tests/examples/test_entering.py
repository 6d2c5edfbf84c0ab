"""Reported cases of who enters a trigger and what ends it, through the real backtest, and examples
by hand.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.examples.backtest import assert_decided, decisions_of, read_lines, run_backtest
from tests.examples.test_triggers import (
    GRACE,
    HOUR,
    MINUTE,
    START,
    Run,
    cart,
    event,
    ms,
    rules,
    updated,
    welcome,
)

CASES = Path(__file__).with_name("cases")
UNTIL = ("--until", "2026-04-01T00:00:00Z")
DAY = 24 * HOUR

SENT: dict[str, list[list[Any]]] = {
    "01-cart-touch-after-order": [],
    "duplicate-again": [["ada", "order", "order-1", 0, "2025-03-03T09:02:00.000Z"]],
    "identity-twice": [
        ["ada", "back", "", 0, f"2025-03-03T{hour}:05:05.000Z"] for hour in (10, 11, 12, 13, 14)
    ],
    "inactivity-again": [["ada", "idle", "", 0, "2025-03-04T10:00:05.000Z"]],
    "stale-start": [["ada", "cart", "k1", 0, "2025-03-03T10:40:05.000Z"]],
}


def test_a_price_drop_is_sent_once_a_booking(tmp_path: Path) -> None:
    """At least 5 %, and not of each cent that an exchange rate moves it."""
    folder, once = CASES / "29-price-drop-of-a-cent", tmp_path / "rules.yaml"
    text = (folder / "rules.yaml").read_text()
    old = "kind: event, on: [price_drop_detected]"
    new = "kind: abandonment, start: [price_drop_detected], key: booking_id, once: key"
    value = "value: {field: event.old_price, times: 0.95}"
    assert old in text
    once.write_text(text.replace(old, new).replace("op: lt, value: 1000", f"op: lte, {value}"))
    events = folder / "events.jsonl"
    lines = events.read_text().splitlines()
    again = [
        lines[-2].replace("e0027", f"again-{hour}").replace("T14", f"T{hour}") for hour in (15, 16)
    ]
    other = lines[-2].replace("e0027", "other").replace('"b1"', '"b2"').replace("T14", "T17")
    more = tmp_path / "events.jsonl"
    more.write_text("\n".join([*lines[:-1], *again, other, lines[-1]]))
    assert run_backtest(tmp_path / "out", once, more, *UNTIL) == 0
    found = [(row[2], row[-1]) for row in decisions_of(tmp_path / "out")]
    assert found == [("b1", "2026-03-01T14:00:00.000Z"), ("b2", "2026-03-01T17:00:00.000Z")]


@pytest.mark.parametrize("case", SENT)
def test_a_reported_case_sends_what_people_expect(case: str, tmp_path: Path) -> None:
    """These sends are the only decisions."""
    folder = CASES / case
    assert run_backtest(tmp_path, folder / "rules.yaml", folder / "events.jsonl", *UNTIL) == 0
    made = decisions_of(tmp_path)
    assert_decided(made, [[*row[:4], "send", "passed", "email", row[4]] for row in SENT[case]])


def test_a_limit_keeps_one_cart_from_being_mailed_again(tmp_path: Path) -> None:
    """One reminder a week, though the cart is touched again after each."""
    folder, limited = CASES / "28-same-cart-five-mails", tmp_path / "rules.yaml"
    text = (folder / "rules.yaml").read_text()
    limited.write_text(text.replace("after: 10m", "after: 10m, limit: {times: 1, per: 7d}"))
    assert run_backtest(tmp_path / "out", limited, folder / "events.jsonl", *UNTIL) == 0
    assert [row[-1] for row in decisions_of(tmp_path / "out")] == ["2026-03-01T10:10:05.000Z"]


def test_a_cart_of_sixty_items_arrives_whole(tmp_path: Path) -> None:
    """The tokens of a big cart's reminder have every item."""
    folder = CASES / "37-big-cart"
    assert run_backtest(tmp_path, folder / "rules.yaml", folder / "events.jsonl", *UNTIL) == 0
    requests = read_lines(tmp_path / "dispatch.jsonl")
    assert [len(request["tokens"]["items"]) for request in requests] == [5, 60]


def known() -> dict[str, Any]:
    """Ann can be reached."""
    return event("profile_updated", START - DAY, topic="profiles", email="a@x")


def test_a_cancel_that_carries_a_part_of_a_list_key_ends_what_agrees(run: Run) -> None:
    """The other session's cart is reminded of, under the JSON array of its key."""
    found = run(
        rules(cart=cart(key=["session_id", "sku"])),
        [
            known(),
            event("cart_updated", START, session_id="s1", sku="a"),
            event("cart_updated", START + 1, session_id="s1", sku="b"),
            event("cart_updated", START + 2, session_id="s2", sku="a"),
            event("order_placed", START + MINUTE, session_id="s1"),
        ],
        until_ms=START + HOUR,
    )
    assert [made["key"] for made in found] == ['["s2","a"]']


def test_an_unsent_cart_does_not_use_up_the_limit(run: Run) -> None:
    """A cart that was bought in time leaves room for the next."""
    found = run(
        rules(cart=cart(limit={"times": 1, "per": "7d"})),
        [
            known(),
            event("cart_updated", START, cart_id="k"),
            event("order_placed", START + MINUTE, cart_id="k"),
            event("cart_updated", START + HOUR, cart_id="l"),
        ],
        until_ms=START + 2 * HOUR,
    )
    assert [(made["key"], made["outcome"]) for made in found] == [("l", "send")]


@pytest.mark.parametrize(
    ("entry", "sent"),
    [
        ({"once": True}, [("b1", 0)]),
        ({"once": "key"}, [("b1", 0), ("b2", 2)]),
        ({"limit": {"times": 1, "per": "30d"}}, [("b1", 0), ("b1", 31)]),
        ({"limit": {"times": 1, "per": "30d", "each": "key"}}, [("b1", 0), ("b2", 2), ("b1", 31)]),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "abandonment", "start": ["price_drop_detected"]},
        {"kind": "frequency", "on": ["price_drop_detected"], "times": 1, "within": "1d"},
    ],
    ids=lambda kind: str(kind["kind"]),
)
def test_once_and_limit_count_each_key_by_itself_or_all_together(
    run: Run, kind: dict[str, Any], entry: dict[str, Any], sent: list[tuple[str, int]]
) -> None:
    """Two bookings whose prices fall on several days: a key is a booking."""
    drop = kind | {"key": "booking_id", "template": "d", "channels": ["email"]} | entry
    days = [("b1", 0), ("b1", 1), ("b2", 2), ("b2", 3), ("b1", 31)]
    lines = [
        event("price_drop_detected", START + day * DAY, topic="bookings", booking_id=booking)
        for booking, day in days
    ]
    found = run(rules(drop=drop), [known(), *lines])
    assert [(made["key"], (made["anchor_ms"] - START) // DAY) for made in found] == sent


def test_only_an_update_that_changes_the_field_opens(run: Run) -> None:
    """The first value is a change, the same again is none."""
    changed = {"on": ["profile_updated"], "changed": "profile.attributes.tier"}
    tiers = enumerate(["basic", "basic", "gold"])
    found = run(
        rules(tier=welcome(**changed)),
        [
            known(),
            *(
                event("profile_updated", START + n, topic="profiles", attributes={"tier": tier})
                for n, tier in tiers
            ),
        ],
    )
    assert [made["due_ms"] - START for made in found] == [0, 2]


def test_decisions_on_ended_instances_come_before_opened_ones_by_priority(run: Run) -> None:
    """A deferred step that the event ends comes first, then what the event brings."""
    top = {"throttle": {"caps": [{"limit": 1, "per": "1d"}]}}
    found = run(
        rules(
            a=welcome(category="transactional", on=["order_placed"]),
            b=welcome(on=["checkout_started"]),
            c=cart(priority=90, expires="10d"),
            top=top,
        ),
        [
            known(),
            event("checkout_started", START),
            event("cart_updated", START, cart_id="k"),
            event("order_placed", START + HOUR, cart_id="k"),
        ],
    )
    assert [(made["trigger"], made["outcome"], made["reason"]) for made in found] == [
        ("b", "send", "passed"),
        ("c", "defer", "cap"),
        ("c", "suppress", "cancelled"),
        ("a", "send", "passed"),
    ]


def test_the_cancel_of_an_anniversary_ends_the_one_that_lies_ahead(run: Run) -> None:
    """This year's birthday is not greeted, next year's is."""
    birthday = welcome(kind="anniversary", of="profile.birthday", at="09:00", cancel=["delivered"])
    del birthday["on"]
    found = run(
        rules(birthday=birthday),
        [
            event("profile_updated", START, topic="profiles", email="a@x", birthday="1990-12-24"),
            event("delivered", START + HOUR),
        ],
        until_ms=START + 600 * DAY,
    )
    assert [made["key"] for made in found] == ["2025"]


def test_a_click_without_an_open_has_opened(run: Run) -> None:
    """The step that asks whether the first was not opened stays out."""
    steps = [
        {"after": 0, "template": "t0", "channels": ["email"]},
        {
            "after": "1d",
            "when": {"field": "step.0.opened", "op": "eq", "value": False},
            "template": "t1",
            "channels": ["email"],
        },
    ]
    hello = {"kind": "event", "on": ["subscribed"], "steps": steps}
    first = run(rules(hello=hello), [known(), event("subscribed", START)])[0]
    found = run(
        rules(hello=hello),
        [
            known(),
            event("subscribed", START),
            event("message_clicked", START + 1, topic="engagement", request_id=first["request_id"]),
        ],
        until_ms=START + 2 * DAY,
    )
    assert [(made["step"], made["reason"]) for made in found] == [(0, "passed"), (1, "condition")]


JOURNEY = {
    "kind": "event",
    "on": ["subscribed"],
    "steps": [
        {"after": 0, "template": "t0", "channels": ["email"]},
        {
            "from": {"step": 0, "on": "opened"},
            "after": "1d",
            "template": "t1",
            "channels": ["push"],
        },
    ],
}


@pytest.mark.parametrize(
    ("first_read", "second_read", "due"),
    [
        (("message_opened", 3 * HOUR), ("message_clicked", HOUR), HOUR + DAY),
        (("message_clicked", HOUR), ("message_opened", 3 * HOUR), HOUR + DAY),
        (("message_opened", DAY + 3 * HOUR), ("message_opened", HOUR), HOUR + DAY),
    ],
    ids=["later-first", "earlier-first", "past-when-known"],
)
def test_a_step_counts_from_the_first_opening_by_its_own_time(
    run: Run, first_read: tuple[str, int], second_read: tuple[str, int], due: int
) -> None:
    """Also when an earlier opening is read after a later one; a due that is past then is at once
    decided.
    """
    top = {"channels": {"email": {"requires": "email"}, "push": {"requires": "phone"}}}
    both = updated(START - DAY, email="a@x", phone="1")
    begin = [both, event("subscribed", START)]
    named = run(rules(top=top, hello=JOURNEY), begin)[0]["request_id"]
    arrived = START + max(first_read[1], second_read[1])
    touches = [
        event(
            name,
            START + at,
            topic="engagement",
            arrived=arrived + number,
            request_id=named,
        )
        for number, (name, at) in enumerate((first_read, second_read))
    ]
    lines = [*begin, *touches]
    found = run(rules(top=top, hello=JOURNEY), lines, until_ms=START + 9 * DAY)
    assert [(made["step"], made["outcome"]) for made in found] == [(0, "send"), (1, "send")]
    assert found[1]["due_ms"] == START + due
    assert found[1]["decided_ms"] == max(START + due + GRACE, arrived + 1)


def test_an_earlier_opening_leaves_a_step_that_waits(run: Run) -> None:
    """It came up by the opening known then, and was deferred to the morning."""
    top = {
        "channels": {"email": {"requires": "email"}, "push": {"requires": "phone"}},
        "throttle": {"quiet_hours": {"from": "21:00", "to": "08:00", "channels": ["push"]}},
    }
    both = updated(START - DAY, email="a@x", phone="1")
    begin = [both, event("subscribed", START)]
    named = run(rules(top=top, hello=JOURNEY), begin)[0]["request_id"]
    night = ms("2024-06-10T23:00:00Z")
    opened = event("message_opened", night, topic="engagement", request_id=named)
    late = event(
        "message_clicked",
        night - HOUR,
        topic="engagement",
        arrived=night + DAY + HOUR,
        request_id=named,
    )
    found = run(rules(top=top, hello=JOURNEY), [*begin, opened, late], until_ms=night + 3 * DAY)
    verdicts = [(made["step"], made["outcome"], made["due_ms"]) for made in found]
    assert verdicts == [(0, "send", START), (1, "defer", night + DAY), (1, "send", night + DAY)]


@pytest.mark.parametrize(
    ("entry", "years"),
    [
        ({}, ["2026", "2027", "2028", "2029"]),
        ({"once": True}, ["2026"]),
        ({"limit": {"times": 1, "per": "800d"}}, ["2026", "2029"]),
        ({"limit": {"times": 2, "per": "800d"}}, ["2026", "2027", "2029"]),
    ],
)
def test_once_and_limit_are_asked_on_the_day_of_an_anniversary(
    run: Run, entry: dict[str, Any], years: list[str]
) -> None:
    """A year in which nothing could be sent does not count; a stopped customer enters in a later
    year.
    """
    hello = {"kind": "anniversary", "of": "profile.birthday", "at": "09:00"} | entry
    hello |= {"template": "t", "channels": ["email"]}
    lines = [updated(START, birthday="1990-03-05"), updated(START + 400 * DAY, email="ann@x")]
    made = run(rules(hello=hello), lines, until_ms=ms("2029-12-31T00:00:00Z"))
    assert [d["key"] for d in made if d["outcome"] == "suppress"] == ["2025"]
    assert [d["key"] for d in made if d["outcome"] == "send"] == years


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        ({"once": "key"}, ["a", "b", "c"]),
        ({"limit": {"times": 1, "per": "7d"}}, ["a", "c"]),
        ({"once": "key", "limit": {"times": 1, "per": "7d"}}, ["a", "c"]),
        ({"once": "key", "limit": {"times": 2, "per": "7d"}}, ["a", "b", "c"]),
        ({"once": True, "limit": {"times": 2, "per": "7d"}}, ["a"]),
    ],
)
def test_once_and_limit_together_are_both_asked(
    run: Run, more: dict[str, Any], keys: list[str]
) -> None:
    """Carts a, b and a again within three days, c and a once more ten days later."""
    starts = [(0, "a"), (1, "b"), (2, "a"), (10, "c"), (20, "a")]
    if "once" not in more:
        starts.pop()
    lines = [event("cart_updated", START + day * DAY, cart_id=key) for day, key in starts]
    limited = rules(cart=cart(**more))
    made = run(limited, [updated(START, email="ann@x"), *lines], until_ms=START + 30 * DAY)
    assert [one["key"] for one in made if one["outcome"] == "send"] == keys


@pytest.mark.parametrize("more", [{"once": True}, {"limit": {"times": 1, "per": "400d"}}, {}])
def test_a_step_right_after_the_first_of_an_anniversary_enters_no_second_time(
    run: Run, more: dict[str, Any]
) -> None:
    """The instance of the day is the customer's only one, and has all of its steps."""
    step: dict[str, Any] = {"template": "t", "channels": ["email"]}
    steps = [step, step | {"after": "1d"}, step | {"from": {"step": 0, "on": "sent"}}]
    birthday = {"kind": "anniversary", "of": "profile.birthday", "at": "09:00", "steps": steps}
    ann = updated(START, email="ann@x", birthday="1990-06-20")
    made = run(rules(birthday=birthday | more), [ann], until_ms=START + 30 * DAY)
    assert [(one["step"], one["outcome"]) for one in made] == [
        (0, "send"),
        (2, "send"),
        (1, "send"),
    ]
