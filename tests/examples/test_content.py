"""Branches in a series, templates to choose from, fallbacks and segments, worked out by hand."""

from typing import Any

import orjson
import pytest

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.compile import compile_rules
from app.core.decisions import Decision
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
    welcome,
)

BOUGHT = {"field": "customer.orders", "op": "gte", "value": 1}
LOYAL = {"field": "customer.segments", "op": "contains", "value": "loyal"}
SEGMENTS = {"segments": {"loyal": {"field": "customer.orders", "op": "gte", "value": 2}}}


def test_a_step_whose_condition_fails_is_skipped_and_the_next_one_comes(run: Run) -> None:
    """A welcome series: the second message is for those who bought."""
    step: dict[str, Any] = {"template": "t", "channels": ["email"]}
    series: dict[str, Any] = {"kind": "event", "on": ["subscribed"]}
    series["steps"] = [
        step | {"after": "0s"},
        step | {"after": "10m", "when": BOUGHT},
        step | {"after": "20m", "when": {"not": BOUGHT}},
    ]
    made = run(rules(hello=series), [PROFILE, event("subscribed", START)], until_ms=START + HOUR)
    assert [(d["step"], d["outcome"], d["reason"]) for d in made] == [
        (0, "send", "passed"),
        (1, "suppress", "condition"),
        (2, "send", "passed"),
    ]


@pytest.mark.parametrize(("orders", "template"), [(0, "stranger"), (1, "buyer"), (2, "friend")])
def test_the_first_template_that_holds_wins(run: Run, orders: int, template: str) -> None:
    """Segments are conditions too; the last entry is for everybody else."""
    hello = welcome(
        template=[
            {"when": LOYAL, "template": "friend"},
            {"when": BOUGHT, "template": "buyer"},
            {"template": "stranger"},
        ]
    )
    bought = [event("order_placed", START + number) for number in range(orders)]
    made = run(rules(top=SEGMENTS, hello=hello), [PROFILE, *bought, event("subscribed", START + 9)])
    assert [(d["outcome"], d["template"]) for d in made] == [("send", template)]


def test_without_a_template_that_holds_nothing_goes_out(run: Run) -> None:
    """When no template of the list fits, the step is not sent: there is no default."""
    hello = welcome(template=[{"when": BOUGHT, "template": "buyer"}])
    made = run(rules(hello=hello), [PROFILE, event("subscribed", START)])
    assert [(d["outcome"], d["reason"], d["template"]) for d in made] == [
        ("suppress", "condition", None)
    ]


def test_a_recall_names_the_template_that_went_out(run: Run) -> None:
    """Not the one that would be chosen now: the purchase has changed that."""
    reminder = cart(template=[{"when": BOUGHT, "template": "buyer"}, {"template": "stranger"}])
    late = event("order_placed", START + MINUTE, arrived=START + 31 * MINUTE, cart_id="c1")
    made = run(rules(cart=reminder), [PROFILE, event("cart_updated", START, cart_id="c1"), late])
    assert [(d["outcome"], d["template"]) for d in made] == [
        ("send", "stranger"),
        ("recall", "stranger"),
    ]


@pytest.mark.parametrize(
    ("text", "profile", "expected"),
    [
        ('profile.first_name | default: "there"', {}, "there"),
        ('profile.first_name | default: "there"', {"first_name": ""}, "there"),
        ('profile.first_name|default:"there"', {"first_name": "Ann"}, "Ann"),
        (r'profile.first_name | default: "a \"b\" | c"', {}, 'a "b" | c'),
        ("profile.first_name | default: 'it \"is\" | you'", {}, 'it "is" | you'),
        ("profile.attributes.points | default: 10", {}, 10),
        ("profile.attributes.points | default: -0.5", {}, -0.5),
        ("profile.attributes.points | default: 10", {"attributes": {"points": 0}}, 0),
        ("customer.first_order_at | default: 'never'", {}, "never"),
        ("profile.first_name", {}, None),
    ],
)
def test_tokens_fall_back(text: str, profile: dict[str, Any], expected: object) -> None:
    """What is missing or empty takes the default; nought is something."""
    hello = welcome(tokens={"value": text})
    made: list[Decision] = []
    lines = [updated(START, email="ann@x", **profile), event("subscribed", START)]
    Replay(compile_rules(rules(hello=hello), version="x"), made.append).run(
        read_arrivals(orjson.dumps(line) for line in lines)
    )
    assert made[0].dispatch is not None
    assert made[0].dispatch.tokens == {"value": expected}


@pytest.mark.parametrize(
    ("field", "op", "other", "holds"),
    [
        ("profile.birthday", "lt", "event.returns_on", False),
        ("event.returns_on", "gt", "profile.birthday", False),
        ("profile.birthday", "ne", "event.returns_on", True),
        ("event.departs_at", "gt", "profile.attributes.before", True),
        ("profile.attributes.before", "lt", "event.departs_at", True),
        ("event.departs_at", "eq", "profile.attributes.same", True),
        ("event.departs_at", "gt", "profile.attributes.word", False),
        ("event.departs_at", "gt", "profile.attributes.number", False),
        ("profile.attributes.before", "lt", "profile.attributes.same", True),
    ],
)
def test_two_fields_are_compared_as_what_they_are(
    run: Run, field: str, op: str, other: str, holds: bool
) -> None:
    """A birthday without a year is neither before nor after a day; text that is compared with an
    instant is an instant.
    """
    hello = welcome(when={"field": field, "op": op, "value": {"field": other}})
    events = {"orders": {"subscribed": {"departs_at": "time", "returns_on": "date"}}}
    attributes = {
        "before": "2026-02-28T23:30:00-05:00",
        "same": "2026-03-01T10:00:00+01:00",
        "word": "soon",
        "number": 1 << 50,
    }
    ann = updated(START, email="ann@x", birthday="--03-01", attributes=attributes)
    says: dict[str, Any] = {"departs_at": "2026-03-01T09:00:00Z", "returns_on": "2026-03-02"}
    made = run(
        rules(top={"events": events}, hello=hello), [ann, event("subscribed", START, **says)]
    )
    assert bool(made) == holds
