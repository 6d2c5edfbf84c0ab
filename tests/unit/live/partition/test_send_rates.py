"""Send rates of a running worker: what waits for a slot waits in the timer index, and neither a
crash nor a rebalance loses or repeats a slot.
"""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from app.core.time.instants import parse_rfc3339
from app.kafka.partitioning import partition_for
from app.rules_file.load import parse_rules
from tables.partition import PartitionStore
from tests.unit.live.commit.one_partition import CrashAt
from tests.unit.live.partition.one_worker import Worker, World

T0: Final = 1_767_225_600_000
PARTITIONS: Final = 3
#: 60 a minute over three partitions: each has one slot in three seconds.
SPACE_MS: Final = 3_000
RULES: Final = parse_rules(b"""
version: 1
profile_patience: 0s
channels: {sms: {requires: phone}}
throttle: {rate: [{limit: 60, per: 1m, channel: sms}]}
triggers:
  hello: {kind: event, on: [subscribed], template: hello, channels: [sms], expires: 10d}
""")


def burst(world: World, customers: int) -> None:
    """All of them subscribe in one instant, and may be reached."""
    for number in range(customers):
        who = f"c{number}"
        data = {"phone": f"+{number}", "consent": {"sms": True}}
        world.publish("profiles", who, "profile_updated", T0, data)
        world.publish("orders", who, "subscribed", T0 + 1, {})
    world.now_ms = T0 + 1_000


def verdicts(world: World) -> dict[int, dict[str, list[int]]]:
    """By partition: the slots that steps were deferred to, and when steps were sent; once each,
    also what was published again.
    """
    found: dict[int, dict[str, list[int]]] = {
        number: {"defer": [], "send": []} for number in range(world.partitions)
    }
    told: set[tuple[Any, ...]] = set()
    for made in world.decisions():
        at = made["next_eligible_at"] or made["decided_at"]
        identity = made["request_id"], made["outcome"], at
        if identity not in told:
            told.add(identity)
            partition = partition_for(made["customer_id"].encode(), world.partitions)
            found[partition][made["outcome"]].append(parse_rfc3339(at))
    return found


def are_all_sent(world: World, customers: int) -> bool:
    """Whether each has the message."""
    return len({each["request_id"] for each in world.requests()}) == customers


def assert_every_slot_is_used_once(world: World, customers: int) -> None:
    """Slots follow each other without a gap or a second use, and each step went in its own."""
    for found in verdicts(world).values():
        first = min(found["send"])
        steps = len(found["send"])
        assert sorted(found["defer"]) == [first + SPACE_MS * n for n in range(1, steps)]
        sent = sorted(found["send"])
        assert [(at - first) // SPACE_MS for at in sent] == list(range(steps))
    assert sum(len(found["send"]) for found in verdicts(world).values()) == customers


@pytest.mark.parametrize("is_exactly_once", [False, True])
def test_a_burst_goes_out_at_the_rate_over_all_partitions(
    tmp_path: Path, is_exactly_once: bool
) -> None:
    """Evenly spaced in each partition, and at most 60 in any minute of all of them together."""
    world = World(tmp_path, T0, PARTITIONS)
    burst(world, 75)
    worker = Worker(world, RULES, is_exactly_once=is_exactly_once, loop_ms=100)
    worker.run(lambda _: are_all_sent(world, 75))
    assert worker.failure is None
    assert_every_slot_is_used_once(world, 75)
    slots = sorted(at for found in verdicts(world).values() for at in found["defer"])
    assert max(sum(at - 60_000 < other <= at for other in slots) for at in slots) <= 60


@pytest.mark.parametrize("is_exactly_once", [False, True])
@pytest.mark.parametrize(
    ("point", "passes"),
    [("before 1", 12), ("after 2", 1), ("before 4", 12), ("after 4", 1), ("before 6", 12)],
)
def test_a_crash_neither_loses_nor_repeats_a_slot(
    tmp_path: Path, is_exactly_once: bool, point: str, passes: int
) -> None:
    """While the burst is taken in, or later while steps go out one by one."""
    world = World(tmp_path, T0, PARTITIONS)
    burst(world, 45)
    crash = CrashAt(point, passes)
    killed = Worker(world, RULES, is_exactly_once=is_exactly_once, hook=crash, loop_ms=100)
    killed.run(lambda _: are_all_sent(world, 45))
    assert killed.failure is not None
    second = Worker(world, RULES, is_exactly_once=is_exactly_once, loop_ms=100)
    second.run(lambda _: are_all_sent(world, 45))
    assert second.failure is None
    assert_every_slot_is_used_once(world, 45)
    requests = Counter(each["request_id"] for each in world.requests())
    assert not is_exactly_once or set(requests.values()) == {1}


def test_another_worker_goes_on_with_the_slots_of_the_changelog(tmp_path: Path) -> None:
    """It has none of the databases: a rebalance onto a new machine. What it comes too late for
    takes new slots, behind all that are taken.
    """
    world = World(tmp_path / "first", T0, PARTITIONS)
    burst(world, 45)
    Worker(world, RULES, loop_ms=100).run(lambda _: len(world.requests()) >= 12)
    before = verdicts(world)
    world.folder = tmp_path / "second"
    world.now_ms += 10_000
    Worker(world, RULES, loop_ms=100).run(lambda _: are_all_sent(world, 45))
    for number, found in verdicts(world).items():
        slots = found["defer"]
        assert len(set(slots)) == len(slots)
        again = sorted(slots[len(before[number]["defer"]) :])
        assert again
        assert again[0] == max(before[number]["defer"]) + SPACE_MS
        assert all((at - slots[0]) % SPACE_MS == 0 for at in slots)
        used = [(at - slots[0]) // SPACE_MS for at in found["send"]]
        assert len(set(used)) == len(used)


def wait_in_the_index(folder: Path, customers: int) -> None:
    """All due at once: one goes, the others are timers in the database, one slot after another."""
    world = World(folder, T0)
    burst(world, customers)
    worker = Worker(world, RULES, loop_ms=0).run(
        lambda each: each.is_at_rest() and len(world.decisions()) >= customers
    )
    (figures,) = worker.last_figures
    assert figures.timers_pending == customers - 1
    assert Counter(each["reason"] for each in world.decisions()) == {
        "passed": 1,
        "rate": customers - 1,
    }
    store = PartitionStore(world.folder_of(0))
    try:
        times = [due_ms for due_ms, _ in store.timers_from(0)]
    finally:
        store.close()
    assert len(times) == customers - 1
    assert {b - a for a, b in pairwise(times)} == {1_000}


def test_what_waits_for_a_slot_waits_in_the_timer_index(tmp_path: Path) -> None:
    """Two thousand, at one a second."""
    wait_in_the_index(tmp_path / "state", 2_000)


@pytest.mark.soak
def test_a_hundred_thousand_wait_in_the_timer_index(tmp_path: Path) -> None:
    """More than a day of sends."""
    wait_in_the_index(tmp_path / "state", 100_000)
