"""Anniversaries of two customers who become one: no year twice (details.md, M3 and E3)."""

from typing import Any

from app.core.time.instants import DAY_MS
from tests.examples.test_triggers import Run

RULES: dict[str, Any] = {
    "version": 1,
    "channels": {"email": {"requires": "email"}},
    "triggers": {
        "birthday": {
            "kind": "anniversary",
            "of": "profile.birthday",
            "at": "09:00",
            "template": "t",
            "channels": ["email"],
        }
    },
}

STEPS = [
    {"template": "t", "channels": ["email"]},
    {"after": "5d", "template": "t", "channels": ["email"]},
]
TWO_STEPS = RULES | {
    "triggers": {
        "birthday": {
            "kind": "anniversary",
            "of": "profile.birthday",
            "at": "09:00",
            "steps": STEPS,
        }
    }
}


def line(number: int, day: int, customer: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """At ten o'clock of that day of March 2026, UTC."""
    return {
        "topic": "profiles",
        "event_id": f"e{number}",
        "type": kind,
        "customer_id": customer,
        "occurred_at": f"2026-03-{day:02}T10:00:00Z",
        "data": data,
    }


#: A guest whose birthday was yesterday logs in as a member whose birthday is in two days.
LOGGED_IN = [
    line(1, 1, "guest", "profile_updated", {"email": "g@x.test", "birthday": "1990-03-02"}),
    line(2, 1, "member", "profile_updated", {"email": "m@x.test", "birthday": "1990-03-05"}),
    line(3, 3, "guest", "customer_merged", {"into": "member"}),
    line(4, 9, "member", "profile_updated", {"first_name": "Ann"}),
]


def test_a_year_that_the_guest_used_is_used(run: Run) -> None:
    """The guest's birthday was on the second; the member's, on the fifth, sends nothing more."""
    made = run(RULES, LOGGED_IN)
    assert [(one["customer_id"], one["key"]) for one in made] == [("guest", "2026")]


def test_later_steps_of_a_year_that_has_begun_go_on(run: Run) -> None:
    """Step 1 of the guest's birthday is due five days on, after the guest logged in."""
    made = run(TWO_STEPS, LOGGED_IN)
    told = [(one["customer_id"], one["step"], one["outcome"], one["merged_from"]) for one in made]
    assert told == [("guest", 0, "send", None), ("member", 1, "send", "guest")]
    assert made[1]["due_ms"] - made[0]["due_ms"] == 5 * DAY_MS


def test_a_year_begun_by_both_goes_on_once(run: Run) -> None:
    """Of two that have begun the newer anchor stays: the member's, of the third."""
    lines = [
        line(1, 1, "guest", "profile_updated", {"email": "g@x.test", "birthday": "1990-03-02"}),
        line(2, 1, "member", "profile_updated", {"email": "m@x.test", "birthday": "1990-03-03"}),
        line(3, 4, "guest", "customer_merged", {"into": "member"}),
        line(4, 9, "member", "profile_updated", {"first_name": "Ann"}),
    ]
    made = run(TWO_STEPS, lines)
    told = [(one["customer_id"], one["step"], one["merged_from"]) for one in made]
    assert told == [("guest", 0, None), ("member", 0, None), ("member", 1, None)]
    assert made[2]["due_ms"] - made[1]["due_ms"] == 5 * DAY_MS


def test_another_case_of_an_address_is_no_change(run: Run) -> None:
    """``changed: profile.email`` compares addresses as bounces do."""
    body = {"kind": "event", "on": "profile_updated", "changed": "profile.email"}
    rules = RULES | {"triggers": {"new": body | {"template": "t", "channels": ["email"]}}}
    lines = [
        line(1, 1, "ann", "profile_updated", {"email": "ann@x.test"}),
        line(2, 4, "ann", "profile_updated", {"email": "Ann@X.test"}),
        line(3, 7, "ann", "profile_updated", {"email": "other@x.test"}),
    ]
    made = run(rules, lines)
    assert [one["key"] for one in made] == ["e1", "e3"]


def test_another_case_of_the_address_of_any_channel_is_no_change(run: Run) -> None:
    """Also where a channel takes its address from an attribute; a token in another case is new."""
    channels = {"email": {"requires": "attributes.work"}, "push": {"requires": "push_token"}}
    body = {"kind": "event", "on": "profile_updated", "template": "t", "channels": ["email"]}
    triggers = {
        "address": body | {"changed": "profile.attributes.work"},
        "device": body | {"changed": "profile.push_token"},
    }
    rules = {"version": 1, "channels": channels, "triggers": triggers}
    data: list[dict[str, Any]] = [
        {"attributes": {"work": "ann@x.test"}, "push_token": "t"},
        {"attributes": {"work": " Ann@X.test "}, "push_token": " t "},
        {"attributes": {"work": "other@x.test"}, "push_token": "T"},
    ]
    lines = [line(n, n, "ann", "profile_updated", each) for n, each in enumerate(data, 1)]
    made = run(rules, lines)
    opened = [(one["trigger"], one["key"]) for one in made]
    assert opened == [("address", "e1"), ("device", "e1"), ("address", "e3"), ("device", "e3")]
