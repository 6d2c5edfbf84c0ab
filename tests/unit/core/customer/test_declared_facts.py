"""Values of declared facts at the edges of what a record holds."""

from typing import Any, Final

import pytest

from app.core.customer.codec import decode, encode
from app.core.customer.declared_facts import Rolling, Total
from app.core.customer.facts import spend
from app.core.customer.limits import MAX_FACT_VALUES
from app.core.customer.record import Customer
from app.core.time.instants import DAY_MS

NOW_MS: Final = 1_767_225_600_000
FACT: Final[dict[str, Any]] = {
    "name": "f",
    "type": "order_placed",
    "definition": "d",
    "values_of": lambda data, _: (data["value"],),
    "when": None,
}


def taken(fact: Total | Rolling, values: list[int]) -> Customer:
    customer = Customer("c")
    for number, value in enumerate(values):
        fact.take(customer, NOW_MS + number, {"value": value}, NOW_MS + number)
    return customer


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_of_integers_that_no_record_can_hold_is_a_float(sign: int) -> None:
    """As an integer it could not be written, and would stop the worker for ever."""
    fact = Total(**FACT, within_ms=None, op="sum")
    customer = taken(fact, [sign * 2**62] * 8)

    assert fact.value(decode(encode(customer)), NOW_MS) == sign * 2.0**65


def test_a_day_that_holds_older_values_keeps_integers() -> None:
    """5 stays 5, also compiled: what is written is the same."""
    fact = Rolling(**FACT, within_ms=30 * DAY_MS, op="sum")
    customer = taken(fact, list(range(MAX_FACT_VALUES + 2)))
    (day,) = customer.facts["f"].days

    assert (day.total, type(day.total)) == (1, int)
    total = fact.value(customer, NOW_MS + 100)
    assert (total, type(total)) == (sum(range(MAX_FACT_VALUES + 2)), int)


def test_who_bought_nothing_has_spent_the_integer_0() -> None:
    """Also when sums of other types are kept."""
    customer = Customer("c", sums={"cart_updated.value": 7.0})

    assert (spend(customer), type(spend(customer))) == (0, int)
