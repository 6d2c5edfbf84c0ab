"""Anniversaries of two customers who become one: no year twice (details.md, M3 and E3)."""

from typing import Any

from tests.oracle.engine import run_engine

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


def test_a_year_that_the_guest_used_is_used() -> None:
    """The guest's birthday was on the second; the member's, on the fifth, is not told again."""
    lines = [
        line(1, 1, "guest", "profile_updated", {"email": "g@x.test", "birthday": "1990-03-02"}),
        line(2, 1, "member", "profile_updated", {"email": "m@x.test", "birthday": "1990-03-05"}),
        line(3, 3, "guest", "customer_merged", {"into": "member"}),
        line(4, 9, "member", "profile_updated", {"first_name": "Ann"}),
    ]
    made, _ = run_engine(RULES, lines)
    assert [(one["customer_id"], one["key"]) for one in made] == [("guest", "2026")]


def test_another_case_of_an_address_is_no_change() -> None:
    """``changed: profile.email`` compares addresses as bounces do."""
    body = {"kind": "event", "on": "profile_updated", "changed": "profile.email"}
    rules = RULES | {"triggers": {"new": body | {"template": "t", "channels": ["email"]}}}
    lines = [
        line(1, 1, "ann", "profile_updated", {"email": "ann@x.test"}),
        line(2, 4, "ann", "profile_updated", {"email": "Ann@X.test"}),
        line(3, 7, "ann", "profile_updated", {"email": "other@x.test"}),
    ]
    made, _ = run_engine(rules, lines)
    assert [one["key"] for one in made] == ["e1", "e3"]
