"""Two customers become one: examples by hand."""

from typing import Any

import pytest

from tests.examples.test_triggers import HOUR, MINUTE, START, Line, Run, cart, rules, welcome

DAY = 24 * HOUR


def line(customer: str, name: str, at: int, *, topic: str = "orders", **data: Any) -> Line:
    """An event of a customer; its id is told by what, whose and when it is."""
    return {
        "topic": topic,
        "event_id": f"{name}-{customer}-{at}",
        "type": name,
        "customer_id": customer,
        "occurred_at": at,
        "data": data,
    }


def profile(customer: str, at: int, **data: Any) -> Line:
    """A profile update."""
    return line(customer, "profile_updated", at, topic="profiles", **data)


def merged(customer: str, into: str, at: int) -> Line:
    """The customer turns out to be another one."""
    return line(customer, "customer_merged", at, topic="profiles", into=into)


def test_the_same_merge_again_changes_nothing(run: Run) -> None:
    """Three orders of two customers are three, however often the merge is read."""
    lines = [
        profile("b", START - DAY, email="b@x"),
        line("g", "order_placed", START),
        line("g", "order_placed", START + 1),
        line("b", "order_placed", START + 2),
        merged("g", "b", START + 3),
        merged("g", "b", START + 3),
        merged("g", "b", START + 4),
        line("g", "order_placed", START + MINUTE),
    ]
    thanks = welcome(on=["order_placed"], when={"field": "customer.orders", "op": "eq", "value": 4})
    made = run(rules(thanks=thanks), lines)
    assert [(one["customer_id"], one["due_ms"] - START) for one in made] == [("b", MINUTE)]


def test_a_circle_of_merges_ends_at_its_newest_member(run: Run) -> None:
    """After a into b and b into a, what comes for either is a's."""
    lines = [
        profile("a", START - DAY, email="a@x"),
        profile("b", START - DAY, email="b@x"),
        merged("a", "b", START),
        merged("b", "a", START + 1),
        line("a", "subscribed", START + 2),
        line("b", "subscribed", START + 3),
    ]
    made = run(rules(hello=welcome()), lines)
    assert [one["customer_id"] for one in made] == ["a", "a"]


def test_the_newer_anchor_stays_and_a_withdrawal_of_either_holds(run: Run) -> None:
    """One cart of both is reminded of once, by the later touch, not on what the guest left."""
    lines = [
        profile("g", START - DAY, email="g@x"),
        profile("b", START - DAY, email="b@x", phone="+1"),
        line("g", "unsubscribed", START - HOUR, topic="engagement", channel="email"),
        line("b", "cart_updated", START, cart_id="k"),
        line("g", "cart_updated", START + MINUTE, cart_id="k"),
        merged("g", "b", START + 2 * MINUTE),
    ]
    channels = {"email": {"requires": "email"}, "call": {"requires": "phone"}}
    ruled = rules(cart=cart(channels=["email", "call"]), top={"channels": channels})
    made = run(ruled, lines, until_ms=START + HOUR)
    assert [(one["customer_id"], one["channel"], one["due_ms"] - START) for one in made] == [
        ("b", "call", 31 * MINUTE)
    ]


def test_forwarding_ends_after_thirty_days(run: Run) -> None:
    """What arrives later for the guest is the guest's again."""
    lines = [
        profile("b", START - DAY, email="b@x"),
        merged("g", "b", START),
        profile("g", START + 31 * DAY, email="g@x"),
        line("g", "subscribed", START + 31 * DAY),
    ]
    made = run(rules(hello=welcome()), lines)
    assert [one["customer_id"] for one in made] == ["g"]


def test_the_event_ids_of_both_stay_known(run: Run) -> None:
    """After a merge neither the guest's oldest id nor the member's counts twice."""
    orders = [line(who, "order_placed", START + n) for n in range(32) for who in ("g", "b")]
    lines = [
        profile("b", START - DAY, email="b@x"),
        *orders,
        merged("g", "b", START + MINUTE),
        line("b", "order_placed", START + 2 * MINUTE),
        orders[2],
        orders[3],
        line("b", "order_placed", START + 3 * MINUTE),
    ]
    thanks = welcome(
        on=["order_placed"], when={"field": "customer.orders", "op": "gte", "value": 65}
    )
    made = run(rules(thanks=thanks), lines)
    assert [one["due_ms"] - START for one in made] == [2 * MINUTE, 3 * MINUTE]


FACTS: dict[str, dict[str, Any]] = {
    "baskets": {"count": "order_placed"},
    "paid": {"sum": "order_placed.value"},
    "dearest": {"max": "order_placed.value"},
    "usual": {"mean": "order_placed.value", "within": "30d"},
    "latest": {"last": "order_placed.sku"},
    "earliest": {"first": "order_placed.sku"},
    "kinds": {"distinct": "order_placed.category"},
}
MERGED_FACTS = {
    "baskets": 3,
    "paid": 90,
    "dearest": 60,
    "usual": 30,
    "latest": "g2",
    "earliest": "g1",
    "kinds": 2,
}


def test_declared_facts_add_up(run: Run) -> None:
    """Counts and sums of both together, newest and oldest by event time."""
    lines = [
        profile("b", START - DAY, email="b@x"),
        line("g", "order_placed", START + 1, value=10, sku="g1", category="x"),
        line("b", "order_placed", START + 2, value=20, sku="b1", category="x"),
        line("g", "order_placed", START + 3, value=60, sku="g2", category="y"),
        merged("g", "b", START + 4),
        line("b", "subscribed", START + 5),
    ]
    all_known = {
        "all": [
            {"field": f"customer.{name}", "op": "eq", "value": value}
            for name, value in MERGED_FACTS.items()
        ]
    }
    made = run(rules(hello=welcome(when=all_known), top={"facts": FACTS}), lines)
    assert [(one["customer_id"], one["outcome"]) for one in made] == [("b", "send")]


THIRD: dict[str, Any] = {
    "kind": "milestone",
    "count": "order_placed",
    "reaches": 3,
    "after": "1d",
    "template": "third-order",
    "channels": ["email"],
}


@pytest.mark.parametrize("buyer", ["g", "b"])
def test_a_mark_that_waits_can_be_taken_back_after_a_merge(run: Run, buyer: str) -> None:
    """A merge decides nothing: the pending thanks still end when an order is cancelled, and the
    order that makes three again brings them.
    """
    lines = [
        profile("b", START - DAY, email="b@x"),
        *(line(buyer, "order_placed", START + n, order_id=f"o{n}") for n in range(3)),
        merged("g", "b", START + HOUR),
        line("b", "order_cancelled", START + 2 * HOUR, order_id="o0"),
        line("b", "order_placed", START + 3 * HOUR, order_id="o3"),
    ]
    made = run(rules(third=THIRD), lines, until_ms=START + 9 * DAY)
    assert [(one["outcome"], one["due_ms"] - START) for one in made] == [("send", DAY + 3 * HOUR)]


def test_a_merged_customer_cannot_be_merged_into_itself(run: Run) -> None:
    """After a into b, a into a says nothing new: what comes for either is b's."""
    lines = [
        profile("b", START - DAY, email="b@x"),
        merged("a", "b", START),
        merged("a", "a", START + 1),
        line("a", "subscribed", START + 2),
        line("b", "subscribed", START + 3),
    ]
    made = run(rules(hello=welcome()), lines)
    assert [one["customer_id"] for one in made] == ["b", "b"]
