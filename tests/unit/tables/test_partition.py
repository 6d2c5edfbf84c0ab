"""The partition's database and what the core sees of it, against a plain dict."""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.errors import InfrastructureError
from app.core.recorded import Cause
from app.core.time.instants import END_OF_TIME_MS
from tables import records
from tables.customers import TOMBSTONE_MS, PartitionCustomers
from tables.layout import EMITTED_KEY, Head, head_of, pack_offset, pack_value, record_of
from tables.partition import Change, PartitionStore
from tests.effort import examples

IDS = ["a", "b", "c", "ä" * 40, "x|y"]
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(IDS), st.none() | st.integers(-5, 20)),
        st.tuples(st.just("erase"), st.sampled_from(IDS), st.none()),
        st.tuples(st.just("forget"), st.sampled_from(IDS), st.none()),
        st.tuples(st.just("look"), st.sampled_from(IDS), st.none()),
        st.tuples(st.just("read ahead"), st.sampled_from(IDS), st.none()),
        st.tuples(st.just("commit"), st.just(""), st.none()),
        st.tuples(st.just("reopen"), st.just(""), st.none()),
    ),
    max_size=60,
)


class Entry(NamedTuple):
    """A changelog entry."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "partition"


def with_timer(customer: Customer, due_ms: int | None) -> None:
    """The customer has this one timer, or none."""
    customer.instances = (
        []
        if due_ms is None
        else [
            Instance(
                "t", "k", due_ms, {}, Cause("orders", 0, 0, "e"), [PendingStep(0, due_ms, due_ms)]
            )
        ]
    )
    customer.due_ms = None


@examples(150)
@given(OPERATIONS)
def test_any_history_of_units_is_a_dict_and_the_changelog_says_the_same(
    operations: list[tuple[str, str, int | None]],
) -> None:
    """Due customers, counts, and a second database rebuilt from the changelog alone."""
    root = Path(tempfile.mkdtemp())
    try:
        model: dict[str, int | None] = {}
        erased: set[str] = set()
        changelog: list[Entry] = []
        store = PartitionStore(root / "one")
        customers = PartitionCustomers(store)
        for name, customer_id, due_ms in [*operations, ("commit", "", None)]:
            if name == "set":
                customer = customers.get(customer_id)
                with_timer(customer, due_ms)
                customers.changed(customer)
                model[customer_id] = due_ms
                erased.discard(customer_id)
            elif name == "erase":
                customers.erase(customer_id)
                model.pop(customer_id, None)
                erased.add(customer_id)
            elif name == "forget":
                customers.forget(customer_id)
                model.pop(customer_id, None)
                erased.discard(customer_id)
            elif name == "look":
                found = customers.get(customer_id).next_due_ms()
                assert found == as_due(model.get(customer_id))
            elif name == "read ahead":
                customers.read_ahead([customer_id.encode(), b"not there", b"\xff", None])
            else:
                commit(customers, store, changelog)
            if name == "reopen":
                del customers
                store.close()
                store = PartitionStore(root / "one")
                customers = PartitionCustomers(store)
            check(customers, model)
        assert store.progress.customers == len(model)
        assert store.progress.pending == sum(due is not None for due in model.values())
        rebuilt = PartitionStore(root / "two")
        for at in range(0, len(changelog), 3):
            chunk = changelog[at : at + 3]
            rebuilt.apply(chunk, chunk[-1].offset)
        assert rebuilt.progress == store.progress
        assert list(rebuilt.timers_from(-100)) == list(store.timers_from(-100))
        for each in (rebuilt, store):
            assert sorted(each.tombstones(TOMBSTONE_MS, 100)) == sorted(erased)
            assert each.tombstones(TOMBSTONE_MS - 1, 100) == []
        check(PartitionCustomers(rebuilt), model)
        rebuilt.close()
        store.close()
    finally:
        shutil.rmtree(root)


def as_due(due_ms: int | None) -> int:
    return END_OF_TIME_MS if due_ms is None else due_ms


def check(customers: PartitionCustomers, model: dict[str, int | None]) -> None:
    earliest = min(map(as_due, model.values()), default=END_OF_TIME_MS)
    assert customers.earliest_due_ms() == earliest
    for watermark_ms in (-1, 3, 30):
        due = [each.customer_id for each in customers.due(watermark_ms)]
        assert sorted(due) == sorted(id for id, at in model.items() if as_due(at) <= watermark_ms)
    assert customers.earliest_due_ms() == earliest


def commit(customers: PartitionCustomers, store: PartitionStore, changelog: list[Entry]) -> None:
    changes = customers.changes()
    for change in changes:
        changelog.append(Entry(len(changelog), change.customer_id, change.value))
    if changes:
        store.write(changes, len(changelog) - 1)
    customers.reset()


def test_what_was_read_ahead_is_not_read_again(folder: Path) -> None:
    """One read gives all that a unit asks for, also that a customer is new."""
    store = PartitionStore(folder)
    customers = PartitionCustomers(store)
    for due_ms, customer_id in enumerate(IDS):
        customer = customers.get(customer_id)
        with_timer(customer, due_ms)
        customers.changed(customer)
    commit(customers, store, [])
    customers = PartitionCustomers(store)
    customers.read_ahead([*(each.encode() for each in IDS), b"new"])
    store.close()
    assert [customers.get(each).next_due_ms() for each in IDS] == list(range(len(IDS)))
    assert customers.get("new").next_due_ms() == END_OF_TIME_MS


def test_records_beyond_those_kept_are_read_again(folder: Path) -> None:
    """Memory is bounded, and forgetting a record changes nothing."""
    store = PartitionStore(folder)
    customers = PartitionCustomers(store, kept_bytes=1)
    for due_ms, customer_id in enumerate(IDS):
        customer = customers.get(customer_id)
        with_timer(customer, due_ms)
        customers.changed(customer)
    commit(customers, store, [])
    assert [customers.get(each).next_due_ms() for each in IDS] == list(range(len(IDS)))
    store.close()


def test_slots_of_send_rates_are_written_with_the_unit_and_counted_nowhere(folder: Path) -> None:
    """After a crash, and on a worker that has the changelog alone, no slot is lost or repeated."""
    store = PartitionStore(folder / "one")
    customers = PartitionCustomers(store)
    customers.changed(customers.get("a"))
    customers.rate_state.next_free_ms["sms/60000"] = 1200
    changelog: list[Entry] = []
    commit(customers, store, changelog)
    customers.rate_state.next_free_ms["sms/60000"] = 9999
    store.close()

    store = PartitionStore(folder / "one")
    assert PartitionCustomers(store).rate_state.next_free_ms == {"sms/60000": 1200}
    other = PartitionStore(folder / "two")
    other.apply(changelog, len(changelog) - 1)
    customers = PartitionCustomers(other)
    assert customers.rate_state.next_free_ms == {"sms/60000": 1200}
    assert other.progress == store.progress
    assert other.progress.customers == 1
    assert customers.due(END_OF_TIME_MS - 1) == []
    assert other.tombstones(END_OF_TIME_MS - 1, 10) == []
    assert customers.changes() == []
    store.close()
    other.close()


def test_outboxes_after_the_last_marker_are_unsent(folder: Path) -> None:
    """What the changelog does not say is sent is listed, once, until a unit clears it."""
    store = PartitionStore(folder)
    full = pack_value(Head(END_OF_TIME_MS, 0, True), b"record")
    empty = pack_value(Head(END_OF_TIME_MS, 0, False), b"record")
    store.apply([Entry(0, b"a", full), Entry(1, b"b", full)], 1)
    assert store.unsent() == ["a", "b"]
    store.apply([Entry(2, EMITTED_KEY, pack_offset(0)), Entry(3, b"c", full)], 3)
    assert store.unsent() == ["b", "c"]
    store.apply([Entry(4, b"c", full), Entry(5, b"d", empty), Entry(6, b"b", None)], 6)
    assert store.unsent() == ["b", "c"]
    store.write([], 6, clear_unsent=True)
    assert store.unsent() == []
    store.close()


def test_some_customers_are_those_after_an_id_in_its_order(folder: Path) -> None:
    """As bytes: an id that begins with another one comes after it; slots of rates are none."""
    store = PartitionStore(folder)
    entry = pack_value(Head(END_OF_TIME_MS, 0, False), b"record")
    keys = [b"a", b"a!", b"b", "ä".encode(), b"\xffrates"]
    store.apply([Entry(number, key, entry) for number, key in enumerate(keys)], 4)
    assert [key for key, _ in store.some(9)] == keys[:4]
    assert list(store.some(2)) == [(b"a", entry), (b"a!", entry)]
    assert [key for key, _ in store.some(2, b"a")] == [b"a!", b"b"]
    assert [key for key, _ in store.some(9, b"b")] == ["ä".encode()]
    assert list(store.some(9, "ä".encode())) == []
    store.close()


def test_changelog_applied_twice_changes_nothing(folder: Path) -> None:
    """Recovery reads the last entry it had once more."""
    store = PartitionStore(folder)
    value = pack_value(Head(5, 2, False), b"record")
    for _ in range(2):
        store.apply([Entry(0, b"a", value)], 0)
        assert store.progress == (0, 1, 2)
        assert list(store.timers_from(0)) == [(5, "a")]
    assert head_of(store.get(b"a") or b"") == Head(5, 2, False)
    store.write([Change(b"a", value, None)], 1)
    assert store.progress == (1, 0, 0)
    assert list(store.timers_from(0)) == []
    store.close()


def test_a_tombstone_has_the_id_and_the_offsets_and_nothing_else(folder: Path) -> None:
    """It is taken away when it ended, and then the files have nothing either."""
    store = PartitionStore(folder)
    customers = PartitionCustomers(store, now=lambda: 1_000)
    customer = customers.get("anna")
    customer.applied = {"orders": 7, "profiles/3": 9}
    customer.profile = {"email": "a secret"}
    with_timer(customer, 5)
    customers.changed(customer)
    commit(customers, store, [])
    customers.erase("anna")
    changelog: list[Entry] = []
    commit(customers, store, changelog)
    ((_, _, value, _),) = changelog
    assert value is not None
    expected = Customer(customer_id="anna", applied={"orders": 7, "profiles/3": 9})
    assert records.decode(record_of(value)) == expected
    assert head_of(value) == Head(1_000 + TOMBSTONE_MS, 0, False, True)
    assert store.progress.customers == 0
    assert customers.get("anna").applied == expected.applied
    assert customers.earliest_due_ms() == END_OF_TIME_MS
    customers.forget("anna")
    commit(customers, store, changelog)
    assert changelog[-1].value is None
    assert store.get(b"anna") is None
    store.compact()
    store.close()
    assert b"a secret" not in b"".join(
        file.read_bytes() for file in folder.iterdir() if file.suffix == ".sst"
    )


def test_a_record_of_another_partition_is_refused(folder: Path) -> None:
    """After a change of the partition count no decision is made without the customer's state."""
    store = PartitionStore(folder)
    customers = PartitionCustomers(store)
    with_timer(customers.get("anna"), 5)
    customers.changed(customers.get("anna"))
    commit(customers, store, [])
    with pytest.raises(InfrastructureError, match="number of partitions"):
        PartitionCustomers(store, lambda _: False).get("anna")
    with pytest.raises(InfrastructureError, match="number of partitions"):
        PartitionCustomers(store, lambda _: False).due(9)
    store.close()
