"""How many instances of one customer may be open, and which one goes when there are more."""

from typing import Any

from tests.examples.test_merge import merged
from tests.examples.test_triggers import HOUR, PROFILE, START, Line, cart, event, rules, welcome
from tests.oracle.engine import run_engine

MAX_OPEN = 256
RULES = rules(
    news=welcome(after="1d"),
    receipt=welcome(on=["support_contacted"], category="transactional", after="1d"),
    cart=cart(after="1d"),
)


def decided_of(lines: list[Line]) -> list[tuple[Any, ...]]:
    """Trigger, verdict and anchor of what is decided before any step is due."""
    made, _ = run_engine(RULES, [PROFILE, *lines], until_ms=START + HOUR)
    return [
        (one["trigger"], one["outcome"], one["reason"], one["anchor_ms"] - START) for one in made
    ]


def many(name: str, number: int) -> list[Line]:
    """So many events, a millisecond apart."""
    return [event(name, START + at) for at in range(number)]


def test_the_oldest_marketing_instance_goes_first() -> None:
    """Before all transactional ones, older ones too."""
    lines = [*many("support_contacted", 2), *many("subscribed", MAX_OPEN - 2)]
    assert decided_of(lines) == []
    assert decided_of([*lines, event("support_contacted", START + 500)]) == [
        ("news", "suppress", "superseded", 0)
    ]


def test_a_marketing_instance_ends_no_transactional_one() -> None:
    """Among transactional ones alone it is the one that goes, although it is the newest."""
    lines = many("support_contacted", MAX_OPEN)
    assert decided_of([*lines, event("subscribed", START + 500)]) == [
        ("news", "suppress", "superseded", 500)
    ]
    assert decided_of([*lines, event("support_contacted", START + 500)]) == [
        ("receipt", "suppress", "superseded", 0)
    ]


def test_a_cart_without_room_is_decided_once() -> None:
    """Its start was taken, so the same cart and time open no second time."""
    touched = event("cart_updated", START + 500, cart_id="k")
    again = touched | {"event_id": "again"}
    lines = [*many("support_contacted", MAX_OPEN), touched, again]
    assert decided_of(lines) == [("cart", "suppress", "superseded", 500)]


def test_a_merge_keeps_as_many() -> None:
    """Of both customers the oldest anchors go."""
    guest = [one | {"customer_id": "guest"} for one in many("subscribed", 3)]
    log_in = merged("guest", "ann", START + 501)
    lines = [event("subscribed", START + 10 + at) for at in range(MAX_OPEN - 2)]
    assert decided_of([*lines, *guest, log_in]) == [("news", "suppress", "superseded", 0)]
