"""Records as bytes: after any history a record that was read and written with each event is the one
that never left memory.
"""

import orjson
from hypothesis import given

from app.backtest.clock import Outage
from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.customer.codec import decode, encode
from app.core.customer.record import Customer
from app.core.decisions import Decision
from tests.effort import examples
from tests.oracle.engine import compiled_rules
from tests.oracle.strategies import Scenario, scenarios, with_merges

SETTINGS = examples(60)


def compare(scenario: Scenario) -> None:
    """The same history, once with records in memory and once with records that become bytes after
    each event, as in a worker whose commit units have one.
    """
    outage = Outage(*scenario.outage) if scenario.outage else None
    rules = compiled_rules(scenario.rules)
    made, expected = list[Decision](), list[Decision]()
    in_memory = Replay(rules, expected.append, outage=outage)
    stored = Replay(rules, made.append, outage=outage)
    in_memory.run(read_arrivals(map(orjson.dumps, scenario.lines)), until_ms=scenario.until_ms)
    for arrival in read_arrivals(map(orjson.dumps, scenario.lines)):
        stored.take(arrival)
        write_all(stored)
    stored.finish(scenario.until_ms)
    write_all(stored)
    assert made == expected
    assert {each.customer_id: encoded_anew(each) for each in stored.customers} == {
        each.customer_id: encoded_anew(each) for each in in_memory.customers
    }


def write_all(replay: Replay) -> None:
    """Write and read each record; what was encoded again is what all columns encoded again are."""
    records = replay.customers._records
    for customer_id, customer in records.items():
        read = decode(encode(customer))
        assert encoded_anew(read) == encoded_anew(customer)
        records[customer_id] = read


def encoded_anew(customer: Customer) -> bytes:
    """All columns of it; an amount that came as an integer is one with a point once it was read."""
    return encode(decode(encode(customer.copy())).copy())


@SETTINGS
@given(scenario=scenarios())
def test_a_record_is_the_same_in_memory_and_as_bytes(scenario: Scenario) -> None:
    """Each decision and each column, whichever columns the events asked for."""
    compare(scenario)


@SETTINGS
@given(scenario=with_merges())
def test_a_merged_record_is_the_same_in_memory_and_as_bytes(scenario: Scenario) -> None:
    """The same where records go into one another."""
    compare(scenario)
