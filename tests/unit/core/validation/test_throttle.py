"""Limits that contradict each other or can never hold are refused with their path."""

from typing import Any

import pytest

from app.rules_file.load import find_problems


def document(throttle: dict[str, Any] | None = None, **trigger: Any) -> dict[str, Any]:
    """A rules file with one trigger, which is right but for what is given."""
    usual = {"kind": "event", "on": ["subscribed"], "template": "t", "channels": ["email"]}
    return {
        "version": 1,
        "throttle": throttle or {},
        "triggers": {"t": usual | trigger},
    }


CAP = {"limit": 1, "per": "1d"}
RATE = {"limit": 600, "per": "1m", "channel": "sms"}


@pytest.mark.parametrize(
    ("refused", "path"),
    [
        (document({"caps": [CAP | {"channel": "sms", "family": "t"}]}), "throttle.caps[0].family"),
        (document({"caps": [CAP | {"trigger": "nope"}]}), "throttle.caps[0].trigger"),
        (document({"caps": [CAP | {"family": "nope"}]}), "throttle.caps[0].family"),
        (document({"rate": [RATE | {"channel": "fax"}]}), "throttle.rate[0].channel"),
        (document({"rate": [{"limit": 600, "per": "1m"}]}), "throttle.rate[0].channel"),
        (document({"rate": [RATE | {"per": "0s"}]}), "throttle.rate[0].per"),
        (
            document({"quiet_hours": [{"from": "08:00", "to": "08:00"}]}),
            "throttle.quiet_hours[0].to",
        ),
        (document({"quiet_hours": {"from": "24:00", "to": "08:00"}}), "throttle.quiet_hours.from"),
        (document({"arbitration": "2d"}), "throttle.arbitration"),
        (document({"arbitration": "2h"}, expires="1h"), "throttle.arbitration"),
        (document(deliver={"at": "10:00"}, send_time={}), "triggers.t.send_time"),
        (document(deliver={"at": "10:00", "from": "09:00"}), "triggers.t.deliver.from"),
        (document(deliver={"from": "09:00"}), "triggers.t.deliver.to"),
        (
            document(deliver={"at": "10:00", "except": ["2026-02-30"]}),
            "triggers.t.deliver.except[0]",
        ),
        (document(category="transactional", deliver={"at": "10:00"}), "triggers.t.deliver"),
        (document(category="transactional", caps=[CAP]), "triggers.t.caps"),
        (document(category="transactional", cooldown="1h"), "triggers.t.cooldown"),
        (document(category="transactional", holdout={"percent": 5}), "triggers.t.holdout"),
        (document(caps=[CAP | {"channel": "sms"}]), "triggers.t.caps[0].channel"),
        (document(once="key"), "triggers.t.once"),
        (document(once="yes"), "triggers.t.once"),
        (document(limit={"times": 1, "per": "1d", "each": "key"}), "triggers.t.limit.each"),
    ],
)
def test_what_cannot_be_is_refused(refused: dict[str, Any], path: str) -> None:
    """Each with the path of the value that is wrong."""
    assert path in {problem.path for problem in find_problems(refused)}


@pytest.mark.parametrize(
    "right",
    [
        document({"quiet_hours": [{"from": "00:00", "to": "24:00", "days": ["sun"]}]}),
        document({"rate": [RATE], "arbitration": "5m"}),
        document({"caps": [CAP | {"family": "t"}]}, cooldown=0, holdout={"percent": 5}),
        document(
            deliver={"days": ["mon"], "from": "22:00", "to": "06:00", "except": ["2026-12-25"]}
        ),
    ],
)
def test_what_can_be_is_not(right: dict[str, Any]) -> None:
    """These limits are in the contract."""
    assert find_problems(right) == []


def test_channels_that_differ_in_case_alone_are_refused() -> None:
    """Feedback and profiles name channels in any case."""
    two = {"email": {"requires": "email"}, "Email": {"requires": "email"}}
    problems = find_problems(document() | {"channels": two})
    assert [problem.path for problem in problems] == ["channels.Email"]
