"""The store of the customers table: databases follow the assignment of their partitions."""

import asyncio
import gc
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from faust.types import TP

from app.core.customer.record import Customer
from app.core.errors import InfrastructureError
from app.core.rules.rates import RateState
from tables import records
from tables.customers import PartitionCustomers
from tables.layout import RATES_HEAD, RATES_KEY, Head, pack_value
from tables.partition import Change, PartitionStore
from tables.store import TABLE_NAME, CustomersStore

CHANGELOG = "changelog"
TIMES = 20


@dataclass
class App:
    """The part of Faust's app that the store asks."""

    conf: SimpleNamespace


@dataclass
class Table:
    """The part of Faust's table that the store asks."""

    name: str = TABLE_NAME
    changelog_topic_name: str = CHANGELOG


@pytest.fixture
def store(tmp_path: Path) -> CustomersStore:
    return CustomersStore("customers://", App(SimpleNamespace(tabledir=tmp_path)), Table())


def assign(store: CustomersStore, *numbers: int) -> None:
    assigned = {TP(CHANGELOG, number) for number in numbers}
    asyncio.run(store.on_rebalance(assigned, set(), set()))


def change(number: int) -> Change:
    return Change(b"c%d" % number, None, pack_value(Head(number, 1, False), b"record"))


def test_a_partition_leaves_and_comes_back_while_its_customers_are_referenced(
    store: CustomersStore,
) -> None:
    """Twenty times, with scans in mid-way and without the garbage collector."""
    held = []
    gc.disable()
    try:
        for number in range(TIMES):
            database = store.partition(0)
            assert database.progress.offset == number - 1
            database.write([change(number), change(number + 100)], number)
            timers = database.timers_from(0)
            next(timers)
            held.append((PartitionCustomers(database), timers))
            assign(store)
    finally:
        gc.enable()
    assert store.partition(0).progress.customers == 2 * TIMES
    asyncio.run(store.on_stop())


def test_a_partition_that_stays_keeps_its_open_database(store: CustomersStore) -> None:
    """Only partitions that go to another worker are closed."""
    stays, goes = store.partition(0), store.partition(1)
    goes.write([change(1)], 0)

    assign(store, 0)

    assert store.partition(0) is stays
    assert store.partition(1) is not goes
    asyncio.run(store.on_stop())


def test_what_was_read_of_a_partition_shows_in_its_records(store: CustomersStore) -> None:
    """The largest offset by source; the state of the send rates is no record."""
    head = Head(1, 0, False)
    customers = [Customer("a", applied={"orders": 7}), Customer("b", applied={"orders": 4})]
    changes = [
        Change(each.customer_id.encode(), None, pack_value(head, records.encode(each)))
        for each in customers
    ]
    rates = pack_value(RATES_HEAD, records.encode_rates(RateState()))
    store.partition(0).write([*changes, Change(RATES_KEY, None, rates)], 0)

    assert store.applied(0) == {"orders": 7}
    assert store.applied(1) == {}
    asyncio.run(store.on_stop())


def test_a_scan_of_a_closed_database_ends(tmp_path: Path) -> None:
    """It holds nothing and yields nothing."""
    database = PartitionStore(tmp_path / "p")
    database.write([change(1), change(2)], 0)
    timers = database.timers_from(0)
    assert next(timers) == (1, "c1")

    database.close()

    assert list(timers) == []


def test_a_database_that_this_process_has_open_is_reported(tmp_path: Path) -> None:
    """Another process is not blamed."""
    database = PartitionStore(tmp_path / "p")
    with pytest.raises(InfrastructureError, match="still open in this process"):
        PartitionStore(tmp_path / "p")
    database.close()
