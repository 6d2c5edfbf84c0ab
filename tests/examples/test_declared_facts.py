"""Facts of a rules file, told as tokens in the message of another trigger, worked out by hand."""

from typing import Any

import pytest

from app.rules_file.load import find_problems
from tests.examples.test_triggers import HOUR, PROFILE, START, Line, Run, event, rules
from tests.oracle.engine import run_engine
from tests.oracle.test_facts import run_with_swaps

DAY = 24 * HOUR
NOON = START + 10 * DAY

BRANDS = {"events": {"orders": {"order_placed": {"brand": "text", "gift": "flag"}}}}


def tell(**tokens: str) -> dict[str, Any]:
    """A message at each ``subscribed`` that says these facts."""
    return {
        "kind": "event",
        "on": ["subscribed"],
        "category": "transactional",
        "template": "t",
        "channels": ["email"],
        "tokens": {name: f"customer.{fact}" for name, fact in tokens.items()},
    }


def told(run: Run, facts: dict[str, Any], lines: list[Line], **top: Any) -> dict[str, Any]:
    """What the facts are at noon of the tenth day."""
    declared = rules(
        top={**BRANDS, "facts": facts, **top}, tell=tell(**{name: name for name in facts})
    )
    (made,) = run(declared, [PROFILE, *lines, event("subscribed", NOON)])
    tokens: dict[str, Any] = made["tokens"]
    return tokens


def order(days: float, **data: Any) -> Line:
    """An order so many days before noon."""
    return event("order_placed", NOON - int(days * DAY), **data)


def viewed(days: float, sku: str, **more: Any) -> Line:
    """A product viewed so many days before noon."""
    return event("product_viewed", NOON - int(days * DAY), sku=sku, **more)


def items(*skus: str, **data: Any) -> dict[str, Any]:
    """Data of an order of these products."""
    return {"items": [{"sku": sku} for sku in skus], **data}


def test_the_last_product_is_the_last_item_of_the_newest_order(run: Run) -> None:
    """By event time: an order that arrives late stands in its place."""
    lines = [
        order(3, **items("shoe", "sock")),
        order(5, **items("hat")) | {"arrived_at": NOON - 2 * DAY},
        order(2),
    ]
    facts = {
        "last_product": {"last": "order_placed.items.sku"},
        "first_product": {"first": "order_placed.items.sku"},
    }
    assert told(run, facts, lines) == {"last_product": "sock", "first_product": "hat"}


def test_recent_views_are_each_once_and_the_newest_first(run: Run) -> None:
    """Seen again, a product moves to the front; the oldest beyond the number go."""
    lines = [viewed(day, sku) for day, sku in ((6, "a"), (5, "b"), (4, "c"), (3, "a"), (2, "d"))]
    facts = {
        "recent_views": {"last": "product_viewed.sku", "keep": 3},
        "this_week": {"last": "product_viewed.sku", "keep": 3, "within": "60h"},
    }
    assert told(run, facts, lines) == {"recent_views": ["d", "a", "c"], "this_week": ["d"]}


def test_the_favourite_brand_is_the_most_frequent_and_of_a_tie_the_newer(run: Run) -> None:
    """Two of each: the brand that was bought last."""
    lines = [order(day, brand=b) for day, b in ((6, "x"), (5, "y"), (4, "x"), (3, "y"), (2, "z"))]
    facts = {"favourite_brand": {"most": "order_placed.brand"}}
    assert told(run, facts, lines) == {"favourite_brand": "y"}


def test_count_sum_mean_min_max_distinct(run: Run) -> None:
    """Of three orders, one without a value; a sum has no more than six decimal places."""
    lines = [order(4, value=0.1, brand="x"), order(3, value=0.2, brand="x"), order(2, brand="y")]
    facts: dict[str, Any] = {
        "times": {"count": "order_placed"},
        "values": {"count": "order_placed.value"},
        "spent": {"sum": "order_placed.value"},
        "usual": {"mean": "order_placed.value"},
        "least": {"min": "order_placed.value"},
        "most_spent": {"max": "order_placed.value"},
        "brands": {"distinct": "order_placed.brand"},
    }
    assert told(run, facts, lines) == {
        "times": 3,
        "values": 2,
        "spent": 0.3,
        "usual": 0.15,
        "least": 0.1,
        "most_spent": 0.2,
        "brands": 2,
    }


def test_without_a_value_counts_are_nought_and_the_rest_is_missing(run: Run) -> None:
    """An order without brand or value has none of them."""
    facts = {
        "brands": {"distinct": "order_placed.brand"},
        "big": {"count": "order_placed.value"},
        "spent": {"sum": "order_placed.value"},
        "brand": {"most": "order_placed.brand"},
        "seen": {"last": "product_viewed.sku", "keep": 2},
    }
    nothing = {"brands": 0, "big": 0, "spent": None, "brand": None, "seen": None}
    assert told(run, facts, [order(1)]) == nothing


def test_within_is_rolling_at_now_and_its_end_is_exact(run: Run) -> None:
    """An order exactly so long ago is out, one a millisecond later is in."""
    lines = [
        order(3, value=1),
        event("order_placed", NOON - 2 * DAY, value=2),
        event("order_placed", NOON - 2 * DAY + 1, value=4),
        order(1, value=8),
    ]
    facts = {
        name: {name: "order_placed.value", "within": "2d"}
        for name in ("count", "sum", "mean", "min", "max", "first", "last")
    }
    expected = {"count": 2, "sum": 12, "mean": 6, "min": 4, "max": 8, "first": 4, "last": 8}
    assert told(run, facts, lines) == expected


def test_when_chooses_events_by_what_they_say(run: Run) -> None:
    """A hundred is enough; a cancelled order still counts in a declared fact."""
    when = {"field": "event.value", "op": "gte", "value": 100}
    lines = [
        order(4, value=99.99),
        order(3, value=100, order_id="o"),
        event("order_cancelled", NOON - 2 * DAY, order_id="o"),
    ]
    facts = {"big_orders": {"count": "order_placed", "when": when}}
    assert told(run, facts, lines) == {"big_orders": 1}


def test_net_figures_and_last_order_leave_out_cancelled_purchases(run: Run) -> None:
    """The built-in figures are net of cancellations; instants are written in RFC 3339."""
    lines = [
        order(4, value=30, order_id="1"),
        order(3, value=50, order_id="2"),
        event("order_cancelled", NOON - 2 * DAY, order_id="2"),
    ]
    names = ("orders", "spend", "average_order_value", "last_order_at", "lifecycle")
    declared = rules(tell=tell(**{name: name for name in names}))
    (made,) = run(declared, [PROFILE, *lines, event("subscribed", START + 9 * DAY)])
    assert made["tokens"] == {
        "orders": 1,
        "spend": 30,
        "average_order_value": 30,
        "last_order_at": "2024-06-16T06:13:20.000Z",
        "lifecycle": "new",
    }


def test_a_value_of_another_type_counts_as_missing(run: Run) -> None:
    """A number is its digits where text is declared; text is no flag, and true no number."""
    lines = [order(3, brand=7, gift=True), order(2, brand=True, gift="no", value=True)]
    facts = {
        "brand": {"last": "order_placed.brand"},
        "gift": {"last": "order_placed.gift"},
        "spent": {"sum": "order_placed.value"},
    }
    assert told(run, facts, lines) == {"brand": "7", "gift": True, "spent": None}


def test_money_in_another_currency_does_not_count(run: Run) -> None:
    """Of an order and of its items; what is no money does."""
    lines = [
        order(3, value=10, currency="EUR", items=[{"sku": "a", "price": 10}]),
        order(2, value=99, currency="USD", items=[{"sku": "b", "price": 99}]),
    ]
    facts = {
        "spent": {"sum": "order_placed.value"},
        "dearest": {"max": "order_placed.items.price"},
        "last_product": {"last": "order_placed.items.sku"},
    }
    found = told(run, facts, lines, currency="EUR")
    assert found == {"spent": 10, "dearest": 10, "last_product": "b"}


def test_an_event_is_in_its_own_facts(run: Run) -> None:
    """The third view is the third already when conditions are asked."""
    hooked = tell(views="views") | {
        "on": ["product_viewed"],
        "when": {"field": "customer.views", "op": "gte", "value": 3},
    }
    top = {"facts": {"views": {"count": "product_viewed"}}}
    made = run(rules(top=top, hooked=hooked), [PROFILE, *[viewed(day, "a") for day in (3, 2, 1)]])
    assert [(d["decided_ms"], d["tokens"]) for d in made] == [(NOON - DAY, {"views": 3})]


def test_facts_of_a_further_topic(run: Run) -> None:
    """Support tickets come on a topic of their own and count like the rest."""
    closed = {"ticket_id": "text", "satisfaction": "number"}
    top = {
        "events": {"support": {"ticket_closed": closed}},
        "facts": {"mood": {"mean": "ticket_closed.satisfaction"}},
    }
    lines = [
        event("ticket_closed", NOON - DAY + at, topic="support", ticket_id=at, satisfaction=score)
        for at, score in ((1, 5), (2, 2), (3, "good"))
    ]
    (made,) = run(
        rules(top=top, tell=tell(mood="mood")), [PROFILE, *lines, event("subscribed", NOON)]
    )
    assert made["tokens"] == {"mood": 3.5}


@pytest.mark.parametrize("fires", ["subscribed", "timer"])
def test_a_fact_that_is_defined_otherwise_starts_empty(fires: str) -> None:
    """With the new rules, also for a step that was waiting when they came; the others go on."""
    kept: dict[str, Any] = {"views": {"count": "product_viewed"}}
    before = {**kept, "spent": {"sum": "order_placed.value"}}
    after = {**kept, "spent": {"sum": "order_placed.value", "within": "30d"}}
    hello = tell(views="views", spent="spent") | {"after": "2h"}
    old, new = (rules(top={"facts": facts}, hello=hello) for facts in (before, after))
    lines = [PROFILE, viewed(4, "a"), order(3, value=10), event("subscribed", NOON)]
    swap = 4
    if fires == "subscribed":
        lines += [order(-1 / 48, value=4)]
    made = run_with_swaps(old, [*lines, viewed(-1, "b", topic="orders")], NOON + DAY, {swap: new})
    spent = 4 if fires == "subscribed" else None
    assert [one["tokens"] for one in made] == [{"views": 1, "spent": spent}]


def test_beyond_64_values_old_ones_count_by_whole_days() -> None:
    """The newest 64 are exact; an older one counts as long as any of its day is inside."""
    lines = [event("order_placed", NOON - 3 * DAY - HOUR, value=1)]
    lines += [event("order_placed", NOON - 2 * DAY + n, value=1) for n in range(64)]
    declared = rules(
        top={"facts": {"n": {"count": "order_placed", "within": "3d"}}}, tell=tell(n="n")
    )
    first, second = (
        run_engine(declared, [PROFILE, *lines, event("subscribed", at)])[0][0]["tokens"]["n"]
        for at in (NOON, NOON + DAY - HOUR)
    )
    assert (first, second) == (65, 64)


@pytest.mark.parametrize(("sku", "is_told"), [("b", True), ("a", True), ("x", False)])
def test_a_list_of_facts_may_contain_what_an_event_says(run: Run, sku: str, is_told: bool) -> None:
    """Back in stock: for those who viewed it."""
    top = {
        "events": {"orders": {"product_restocked": {"sku": "text"}}},
        "facts": {"recent_views": {"last": "product_viewed.sku", "keep": 2}},
    }
    when = {"field": "customer.recent_views", "op": "contains", "value": {"field": "event.sku"}}
    back = tell() | {"on": ["product_restocked"], "when": when}
    lines = [viewed(4, "x"), viewed(3, "a"), viewed(2, "b")]
    made = run(
        rules(top=top, back=back), [PROFILE, *lines, event("product_restocked", NOON, sku=sku)]
    )
    assert [one["outcome"] for one in made] == (["send"] if is_told else [])


def test_a_fact_of_engagement_knows_the_send_that_it_names(run: Run) -> None:
    """Trigger, template, step and channel are the send's; without a known send they are missing."""
    hello = {"kind": "event", "on": ["cart_updated"], "template": "h", "channels": ["email"]}
    lines = [PROFILE, event("cart_updated", NOON - HOUR)]
    named = run(rules(hello=hello), lines)[0]["request_id"]

    def clicked(at: int, request_id: str) -> Line:
        says: dict[str, Any] = {"channel": "sms", "request_id": request_id}
        return event("message_clicked", at, topic="engagement", **says)

    lines += [clicked(NOON - 3000, named), clicked(NOON - 2000, "of another")]
    lines.append(event("subscribed", NOON))
    about = {"field": "event.trigger", "op": "eq", "value": "hello"}
    facts: dict[str, Any] = {
        "all": {"count": "message_clicked"},
        "of_hello": {"count": "message_clicked", "when": about},
        "channel": {"last": "message_clicked.channel"},
        "template": {"last": "message_clicked.template"},
        "step": {"max": "message_clicked.step"},
    }
    declared = rules(top={"facts": facts}, hello=hello, tell=tell(**{name: name for name in facts}))
    assert find_problems(declared) == []
    assert run(declared, lines)[-1]["tokens"] == {
        "all": 2,
        "of_hello": 1,
        "channel": "email",
        "template": "h",
        "step": 0,
    }


def test_the_condition_of_a_fact_compares_instants(run: Run) -> None:
    """With RFC 3339 text, as every other condition does."""
    since = {"field": "event.departs_at", "op": "gte", "value": "2030-01-01T00:00:00Z"}
    facts = {"late_trips": {"count": "booking_confirmed", "when": since}}
    events = {"bookings": {"booking_confirmed": {"departs_at": "time"}}}
    lines = [
        event("booking_confirmed", NOON - n, topic="bookings", departs_at=f"{year}-01-01T00:00:00Z")
        for n, year in enumerate((2029, 2030, 2031), 1)
    ]
    assert told(run, facts, lines, events=events) == {"late_trips": 2}
