"""Experiments worked out by hand: who takes part, what a variant changes, what is recorded."""

from hashlib import sha256
from typing import Any

import pytest

from tests.examples.test_triggers import (
    HOUR,
    MINUTE,
    PROFILE,
    START,
    Line,
    Run,
    cart,
    event,
    ms,
    rules,
    updated,
    verdicts,
    welcome,
)

CUSTOMER = "ann"


def share_of(salt: str, name: str) -> float:
    """Where in [0, 1) the documented hash puts ann."""
    digest = sha256(f"{salt}|{name}|{CUSTOMER}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10_000 / 10_000


def experiment(**more: Any) -> dict[str, Any]:
    """Two variants of which ann, whose share for salt s is 0.939, gets the second."""
    usual = {
        "trigger": "hello",
        "salt": "s",
        "start": "2024-01-01",
        "variants": {
            "short": {"weight": 0.05},
            "long": {"weight": 0.95, "after": "10m"},
        },
    }
    return usual | more


def trial(**more: Any) -> dict[str, Any]:
    """The top of a rules file with that experiment, named x."""
    return {"experiments": {"x": experiment(**more)}}


LINES: list[Line] = [PROFILE, event("subscribed", START)]


def test_the_hash_decides_and_weights_share_the_buckets(run: Run) -> None:
    """Ann is on one side of a weight just under her share, and on the other of one just over."""
    share = share_of("s", "x")
    for weight, expected in ((share - 0.0005, "long"), (share + 0.0005, "short")):
        variants = {"short": {"weight": weight}, "long": {"weight": 1 - weight}}
        made = run(rules(top=trial(variants=variants), hello=welcome()), LINES)
        assert [d["experiment"] for d in made] == [("x", expected)]


def test_a_variant_changes_the_first_step_alone(run: Run) -> None:
    """Later, on another channel; the second step stays as it was."""
    step: dict[str, Any] = {"template": "t", "channels": ["email"]}
    two: dict[str, Any] = {"kind": "event", "on": ["subscribed"]}
    two |= {"steps": [step | {"after": "0s"}, step | {"after": "1h"}]}
    made = run(rules(top=trial(), hello=two), LINES, until_ms=START + 2 * HOUR)
    assert verdicts(made) == [
        ("send", "passed", 10 * MINUTE + 5000),
        ("send", "passed", HOUR + 5000),
    ]
    assert {d["experiment"] for d in made} == {("x", "long")}


def test_a_ghost_variant_is_held_out(run: Run) -> None:
    """It is decided, counts for the cap, and goes nowhere."""
    variants = {"short": {"weight": 0.01}, "nothing": {"weight": 0.99, "ghost": True}}
    top = trial(variants=variants) | {"throttle": {"caps": [{"limit": 1, "per": "48h"}]}}
    lines = [*LINES, event("subscribed", START + MINUTE)]
    made = run(rules(top=top, hello=welcome()), lines)
    assert [(d["outcome"], d["reason"]) for d in made] == [
        ("holdout", "holdout"),
        ("suppress", "cap"),
    ]
    assert {d["experiment"] for d in made} == {("x", "nothing")}


@pytest.mark.parametrize(
    ("anchor", "is_in"),
    [
        ("2024-06-14T21:59:59.999+00:00", False),
        ("2024-06-14T22:00:00+00:00", True),
        ("2024-06-21T21:59:59.999+00:00", True),
        ("2024-06-21T22:00:00+00:00", False),
    ],
)
def test_instances_anchored_while_it_runs_take_part(run: Run, anchor: str, is_in: bool) -> None:
    """A date begins in the rules' zone; the end is not part of it."""
    top = trial(start="2024-06-15", max_duration="7d") | {"timezone": "Europe/Berlin"}
    at = ms(anchor) + (999 if ".999" in anchor else 0)
    lines = [updated(at, email="ann@x"), event("subscribed", at)]
    made = run(rules(top=top, hello=welcome()), lines, until_ms=at + HOUR)
    assert [d["experiment"] for d in made] == [("x", "long") if is_in else None]
    assert made[0]["due_ms"] - at == (10 * MINUTE if is_in else 0)


def test_an_anniversary_takes_part_by_its_day_and_not_by_when_it_was_scheduled(run: Run) -> None:
    """The birthday is known long before the experiment starts."""
    party: dict[str, Any] = {"kind": "anniversary", "of": "profile.birthday", "at": "09:00"}
    party |= {"template": "t", "channels": ["email"]}
    born = updated(ms("2023-01-01T00:00:00+00:00"), email="ann@x", birthday="1990-06-01")
    made = run(rules(top=trial(), hello=party), [born], until_ms=ms("2024-12-31T00:00:00+00:00"))
    assert [d["experiment"] for d in made] == [None, ("x", "long")]


def test_a_recall_and_a_cancelled_step_name_the_variant_too(run: Run) -> None:
    """Whatever is decided about a step of the experiment says so."""
    late = event("order_placed", START + MINUTE, arrived=START + 15 * MINUTE, cart_id="c1")
    lines = [PROFILE, event("cart_updated", START, cart_id="c1"), late]
    made = run(rules(top=trial(), hello=cart()), lines)
    assert [(d["outcome"], d["experiment"]) for d in made] == [
        ("send", ("x", "long")),
        ("recall", ("x", "long")),
    ]


def test_the_audience_is_asked_when_the_instance_opens(run: Run) -> None:
    """Joining the audience before the message is due changes nothing, nor does leaving it."""
    audience = {"field": "profile.locale", "op": "eq", "value": "de"}
    top = trial(when=audience)
    for at_start, later, expected in (("de", "en", ("x", "long")), ("en", "de", None)):
        lines = [
            updated(START, email="ann@x", locale=at_start),
            event("subscribed", START),
            updated(START + MINUTE, locale=later),
        ]
        made = run(rules(top=top, hello=welcome(after="5m")), lines, until_ms=START + HOUR)
        assert [d["experiment"] for d in made] == [expected]
        assert made[0]["due_ms"] - START == (10 if expected else 5) * MINUTE


def test_a_variant_may_have_steps_of_its_own(run: Run) -> None:
    """More of them than the trigger, each with its own template."""
    step: dict[str, Any] = {"channels": ["email"]}
    own = [step | {"after": f"{n}m", "template": f"own-{n}"} for n in (1, 2, 3)]
    variants = {"short": {"weight": 0.05}, "long": {"weight": 0.95, "steps": own}}
    made = run(rules(top=trial(variants=variants), hello=welcome()), LINES, until_ms=START + HOUR)
    assert [(d["step"], d["template"]) for d in made] == [
        (0, "own-1"),
        (1, "own-2"),
        (2, "own-3"),
    ]
    assert verdicts(made)[-1] == ("send", "passed", 3 * MINUTE + 5000)


def test_the_cooldown_of_a_variant_takes_the_place_of_the_files(run: Run) -> None:
    """Two hours instead of two days: the third subscription is answered, the second is not."""
    variants = {"short": {"weight": 0.05}, "long": {"weight": 0.95, "cooldown": "2h"}}
    top = trial(variants=variants) | {"throttle": {"cooldown": "48h"}}
    lines = [*LINES, *(event("subscribed", START + hours * HOUR) for hours in (1, 3))]
    made = run(rules(top=top, hello=welcome()), lines)
    assert [d["outcome"] for d in made] == ["send", "suppress", "send"]
