"""Net figures, built-in facts and what conditions say of them, worked out by hand."""

from typing import Any

import pytest

from tests.examples.test_triggers import HOUR, START, Line, Run, event, rules

DAY = 24 * HOUR


def told(run: Run, lines: list[Line], **conditions: dict[str, Any]) -> set[str]:
    """The names of the conditions that hold at a ``subscribed``, the last event."""
    triggers = {
        name: {
            "kind": "event",
            "on": ["subscribed"],
            "category": "transactional",
            "when": condition,
            "template": "t",
            "channels": ["email"],
        }
        for name, condition in conditions.items()
    }
    made = run(rules(**triggers), [profile(), *lines])
    return {decision["trigger"] for decision in made if decision["outcome"] == "send"}


def profile(**data: Any) -> Line:
    """Ann gets an address."""
    return event("profile_updated", START - 300 * DAY, topic="profiles", email="a@x", **data)


def order(days: float, name: str, **data: Any) -> Line:
    """An order so many days before the ``subscribed``."""
    return event("order_placed", START - int(days * DAY), order_id=name, **data)


def cancelled(days: float, name: str) -> Line:
    """The cancellation of an order."""
    return event("order_cancelled", START - int(days * DAY), order_id=name)


ASKED = event("subscribed", START)


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    """A condition of one leaf."""
    return {"field": field, "op": op, "value": value}


def test_a_cancelled_order_counts_nowhere(run: Run) -> None:
    """Orders, spend, average, discount share and lifecycle are net."""
    lines = [
        order(9, "1", value=10, old_price=12, price=10),
        order(5, "2", value=0.1),
        order(4, "3", value=0.2),
        cancelled(3, "1"),
        ASKED,
    ]
    assert told(
        run,
        lines,
        orders=leaf("customer.orders", "eq", 2),
        spend=leaf("customer.spend", "eq", 0.3),
        average=leaf("customer.average_order_value", "eq", 0.15),
        discount=leaf("customer.discount_share", "eq", 0),
        first=leaf("customer.first_order_at", "eq", START - 5 * DAY),
        new=leaf("customer.lifecycle", "eq", "new"),
    ) == {"orders", "spend", "average", "discount", "first"}


def test_an_order_read_after_its_cancellation_counts_nowhere(run: Run) -> None:
    """The order of arrival does not matter, and one placed after the cancellation counts."""
    lines = [
        cancelled(3, "1"),
        order(3.5, "1", value=10) | {"arrived_at": START - 2 * DAY},
        order(1, "1", value=20),
        ASKED,
    ]
    assert told(
        run,
        lines,
        orders=leaf("customer.orders", "eq", 1),
        spend=leaf("customer.spend", "eq", 20),
    ) == {"orders", "spend"}


def test_a_cancellation_that_names_nothing_or_comes_twice_changes_nothing(run: Run) -> None:
    """Orders without an id stay, and one is taken out once."""
    lines = [
        event("order_placed", START - 5 * DAY, value=1),
        order(4, "2", value=2),
        order(3, "3", value=4),
        event("order_cancelled", START - 2 * DAY),
        cancelled(2, "2"),
        cancelled(1, "2"),
        ASKED,
    ]
    assert told(run, lines, spend=leaf("customer.spend", "eq", 5)) == {"spend"}


def milestone(**more: Any) -> dict[str, Any]:
    """A mark of the orders that is told three hours later."""
    return {
        "kind": "milestone",
        "count": "order_placed",
        "reaches": 2,
        "after": "3h",
        "template": "t",
        "channels": ["email"],
    } | more


def test_a_mark_that_was_taken_back_is_reached_again(run: Run) -> None:
    """The pending instance goes silently; the next order reaches the mark anew."""
    lines = [
        profile(),
        order(5, "1"),
        order(4, "2"),
        event("order_cancelled", START - 4 * DAY + HOUR, order_id="1"),
        order(2, "3"),
    ]
    made = run(rules(second=milestone()), lines, until_ms=START)
    assert [(d["outcome"], d["due_ms"]) for d in made] == [("send", START - 2 * DAY + 3 * HOUR)]


def test_a_mark_that_was_decided_stays_reached(run: Run) -> None:
    """Its message went out, so the counter may fall and rise again."""
    lines = [profile(), order(5, "1"), order(4, "2"), cancelled(3, "1"), order(2, "3")]
    made = run(rules(second=milestone()), lines, until_ms=START)
    assert [(d["outcome"], d["due_ms"]) for d in made] == [("send", START - 4 * DAY + 3 * HOUR)]


@pytest.mark.parametrize(("age", "holds"), [("1d", True), ("2d", False), ("3d", False)])
def test_older_than_means_further_back(run: Run, age: str, holds: bool) -> None:
    """Exactly two days is not older than two days; what never was is older than nothing."""
    lines = [order(2, "1"), ASKED]
    asked = leaf("customer.last_order_at", "older_than", age)
    opened = leaf("customer.last_open_at", "older_than", age)
    assert told(run, lines, asked=asked, opened=opened) == ({"asked"} if holds else set())


def test_a_price_drop_of_five_percent(run: Run) -> None:
    """Another field, scaled: rounded to a millionth on both sides."""
    drop = {
        "kind": "event",
        "on": ["price_drop_detected"],
        "category": "transactional",
        "when": leaf("event.new_price", "lte", {"field": "event.old_price", "times": 0.95}),
        "template": "t",
        "channels": ["email"],
    }
    prices = [28.52, 28.5, 27.095, 27.094, 27.0941]
    lines = [
        event("price_drop_detected", START + at, topic="bookings", old_price=28.52, new_price=price)
        for at, price in enumerate(prices)
    ]
    made = run(rules(drop=drop), [profile(), *lines])
    assert [d["due_ms"] - START for d in made] == [3]


def test_last_seen_is_any_event_but_profile_and_engagement(run: Run) -> None:
    """An update of the profile is not a visit."""
    lines = [
        event("product_viewed", START - 9 * DAY, sku="k"),
        event("profile_updated", START - DAY, topic="profiles", locale="de"),
        event("message_opened", START - DAY, topic="engagement", request_id="r"),
        ASKED,
    ]
    seen = leaf("customer.last_seen_at", "older_than", "7d")
    wait = {
        "kind": "event",
        "on": ["profile_updated", "message_opened"],
        "category": "transactional",
        "when": seen,
        "template": "t",
        "channels": ["email"],
    }
    made = run(rules(wait=wait), [profile(), *lines])
    assert len(made) == 2


def test_a_birthday_may_be_without_a_year(run: Run) -> None:
    """It comes each year, and is neither before nor after any date."""
    greeting = {
        "kind": "anniversary",
        "of": "profile.birthday",
        "at": "09:00",
        "template": "t",
        "channels": ["email"],
    }
    born_before = greeting | {"when": leaf("profile.birthday", "lt", "2030-01-01")}
    given = event("profile_updated", START, topic="profiles", email="a@x", birthday="--03-05")
    end = START + 2 * 365 * DAY
    made = run(rules(hello=greeting, old=born_before), [given], until_ms=end)
    assert [(d["trigger"], d["key"], d["outcome"]) for d in made] == [
        ("hello", "2025", "send"),
        ("old", "2025", "suppress"),
        ("hello", "2026", "send"),
        ("old", "2026", "suppress"),
    ]


def test_a_sum_that_is_no_number_any_more_is_missing(run: Run) -> None:
    """Two orders over the range of a double leave no spend, and harm nothing else."""
    lines = [order(3, "1", value=1e308), order(2, "2", value=1e308), order(1, "3", value=5), ASKED]
    assert told(
        run,
        lines,
        rich=leaf("customer.spend", "gte", 1000),
        some=leaf("customer.spend", "exists", True),
        orders=leaf("customer.orders", "eq", 3),
    ) == {"orders"}


def test_a_decision_says_the_segments_that_held_before_it(run: Run) -> None:
    """Sorted names; what the decision itself changes is not in them; the outcome has its send's."""
    top = {
        "segments": {
            "written_to": leaf("customer.messages_7d", "gte", 1),
            "buyer": leaf("customer.orders", "gte", 1),
            "all": leaf("customer.orders", "lt", 99),
        }
    }
    hello = {"kind": "event", "on": ["subscribed"], "template": "t", "channels": ["email"]}
    lines = [profile(), event("subscribed", START), order(-1, "1"), event("subscribed", START + 1)]
    lines[3] = event("subscribed", START + 2 * DAY)
    made = run(rules(top=top, hello=hello), lines)
    assert [decision["segments"] for decision in made] == [["all"], ["all", "buyer", "written_to"]]
