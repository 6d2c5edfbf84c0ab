"""Assignment at scale: the shares are right and experiments do not know of each other."""

from collections import Counter
from hashlib import sha256
from typing import Any

import orjson
import pytest

from app.core.compile import compile_rules
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.events import Event
from app.core.rules.compile_steps import design_of
from app.core.rules.model import Trigger
from app.core.rules.rates import single_partition
from app.core.rules.variants import variant_at
from app.core.transitions import handle_event
from app.formats.encode import written

CUSTOMERS = 1_000_000
#: The 0.999 quantile of chi-square with one degree of freedom.
CHI_SQUARE_LIMIT = 10.83


def _trigger(name: str) -> dict[str, Any]:
    return {"kind": "event", "on": "subscribed", "template": name, "channels": ["email"]}


def _experiment(trigger: str, *weights: int) -> dict[str, Any]:
    variants = {f"v{number}": {"weight": weight} for number, weight in enumerate(weights)}
    return {"trigger": trigger, "salt": "2026", "start": "2026-01-01", "variants": variants}


@pytest.fixture(scope="module")
def triggers() -> dict[str, Trigger]:
    """Two triggers with a fair experiment each, under one salt, and one with uneven shares."""
    document: dict[str, Any] = {
        "version": 1,
        "triggers": {name: _trigger(name) for name in ("one", "other", "uneven")},
        "experiments": {
            "a": _experiment("one", 1, 1),
            "b": _experiment("other", 1, 1),
            "c": _experiment("uneven", 1, 2, 7),
        },
    }
    return compile_rules(document, version="x").triggers


def _name(trigger: Trigger, customer_id: str) -> str:
    assert trigger.experiment is not None
    variant = variant_at(trigger.experiment, customer_id, 1 << 50)
    assert variant is not None
    return variant.name


@pytest.mark.slow
def test_a_million_customers_fall_evenly_and_independently(triggers: dict[str, Trigger]) -> None:
    """Each 50/50 split is within 3 standard deviations; the two are independent (chi-square)."""
    one, other = triggers["one"], triggers["other"]
    cells = Counter(
        (_name(one, customer_id), _name(other, customer_id))
        for customer_id in (f"customer-{number}" for number in range(CUSTOMERS))
    )
    deviation = (CUSTOMERS * 0.25) ** 0.5
    rows = {v: sum(n for cell, n in cells.items() if cell[0] == v) for v in ("v0", "v1")}
    columns = {v: sum(n for cell, n in cells.items() if cell[1] == v) for v in ("v0", "v1")}
    assert abs(rows["v0"] - CUSTOMERS / 2) < 3 * deviation
    assert abs(columns["v0"] - CUSTOMERS / 2) < 3 * deviation
    chi_square = 0.0
    for row, row_total in rows.items():
        for column, column_total in columns.items():
            expected = row_total * column_total / CUSTOMERS
            chi_square += (cells[row, column] - expected) ** 2 / expected
    assert chi_square < CHI_SQUARE_LIMIT


def test_weights_are_shares(triggers: dict[str, Trigger]) -> None:
    """Weights 1, 2 and 7 give a tenth, a fifth and seven tenths."""
    customers = 50_000
    found = Counter(_name(triggers["uneven"], f"c{number}") for number in range(customers))
    for name, share in (("v0", 0.1), ("v1", 0.2), ("v2", 0.7)):
        deviation = (customers * share * (1 - share)) ** 0.5
        assert abs(found[name] - customers * share) < 3 * deviation


def test_decision_and_send_request_say_the_variant() -> None:
    """As an object with name and variant; null without an experiment."""
    document: dict[str, Any] = {"version": 1, "triggers": {"one": _trigger("t")}}
    with_trial = document | {"experiments": {"a": _experiment("one", 1, 1)}}
    event = Event(
        topic="orders",
        event_id="1",
        type="subscribed",
        customer_id="ann",
        occurred_ms=1_780_000_000_000,
        data={},
    )
    for rules, is_in in ((document, False), (with_trial, True)):
        made: list[Decision] = []
        customer = Customer("ann", profile={"email": "a@example.com"})
        compiled = compile_rules(rules, version="x")
        handle_event(customer, event, compiled, event.occurred_ms, made.append, single_partition())
        variant = made[0].experiment
        assert (variant is not None) is is_in
        expected = None if variant is None else {"name": "a", "variant": variant[1]}
        for value in written(made[0]):
            assert value is not None
            assert orjson.loads(value)["experiment"] == expected
        assert customer.sends[0].experiment == variant


def test_the_design_is_the_hash_of_the_entry_as_it_is_written() -> None:
    """Sorted keys, no blanks, without the name: the example of the documentation, by hand."""
    body = {"variants": {"b": {}, "a": {"weight": 0.5}}, "trigger": "one", "salt": "\u00fc"}
    text = '{"salt":"\u00fc","trigger":"one","variants":{"a":{"weight":0.5},"b":{}}}'
    assert design_of(body) == sha256(text.encode()).hexdigest()[:16]
