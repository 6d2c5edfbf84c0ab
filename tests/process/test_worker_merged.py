"""Guests who log in: their records go to another partition, also when the worker is killed."""

import time

import pytest

from app.kafka.partitioning import partition_for
from tests.process.conftest import Instance
from tests.process.running import Wire, wait_for

#: Two customers each: a guest, and a member of another partition.
PAIRS = 12


def pairs_of(wire: Wire, members: list[str]) -> dict[str, str]:
    """Guest -> member; never of one partition."""
    found = {}
    for number, member in enumerate(members):
        names = (f"g{number}-{n}" for n in range(100))
        home = partition_for(member.encode(), wire.partitions)
        guest = next(n for n in names if partition_for(n.encode(), wire.partitions) != home)
        found[guest] = member
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broker", "guarantee", "crash_at"),
    [
        ("embedded", "at_least_once", "after 3 skip 4"),
        ("kafka", "at_least_once", "after 5 skip 6"),
        ("kafka", "exactly_once", "before 6 skip 2"),
    ],
    indirect=["broker"],
)
def test_what_guests_did_and_do_is_their_members_once(
    instance: Instance, guarantee: str, crash_at: str
) -> None:
    """An order of the member, one of the guest before the merge and one after it are three."""
    wire = instance.wire
    members = instance.customers(PAIRS)
    pairs = pairs_of(wire, members)
    for guest, member in pairs.items():
        wire.event("orders", member, "order_placed", {"order_id": f"m-{member}"})
        wire.event("orders", guest, "order_placed", {"order_id": f"g-{guest}"})
    wire.flush()
    time.sleep(0.01)  # the broker's clock tells what came first
    for guest, member in pairs.items():
        wire.event("profiles", guest, "customer_merged", {"into": member})
    wire.flush()
    time.sleep(0.01)
    for guest in pairs:
        wire.event("orders", guest, "order_placed", {"order_id": f"g2-{guest}"})
    wire.flush()
    variables = {"TRIGGER_GUARANTEE": guarantee, "TRIGGER_MAX_POLL_RECORDS": "10"}
    with instance.worker(CRASH_AT=crash_at, **variables) as worker:
        assert worker.wait() == -9, worker.log

    def requests() -> dict[str, dict[str, object]]:
        return {each["request_id"]: each for each in wire.values("dispatch")}

    with instance.worker(**variables) as worker:
        worker.wait_until_ready()
        wait_for("requests", lambda: len(requests()) >= 4 * PAIRS)
        assert worker.stop() == 0, worker.log
    assert guarantee != "exactly_once" or len(wire.values("dispatch")) == 4 * PAIRS
    made = list(requests().values())
    assert {each["customer_id"] for each in made} == set(members)
    thirds = [each["customer_id"] for each in made if each["trigger"] == "third_order"]
    assert sorted(thirds) == sorted(members)  # type: ignore[type-var]
    moved = [each["merged_from"] for each in made if "merged_from" in each]
    assert sorted(moved) == sorted(pairs)  # type: ignore[type-var]
