"""Nothing is decided behind the customer's back: catching up, with kills, under both guarantees."""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from app.rules_file.load import parse_rules
from tests.unit.live.commit.one_partition import CrashAt
from tests.unit.live.partition.one_worker import Worker, World

T0: Final = 1_767_225_600_000
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
RULES: Final = parse_rules(b"""
version: 1
profile_patience: 0s
channels: {email: {requires: email}}
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         after: 30m, template: cart, channels: [email]}
  hello: {kind: event, on: [subscribed], template: hello, channels: [email]}
  thanks: {kind: event, on: [order_placed], category: transactional, template: thanks,
           channels: [email]}
""")


def backlog(world: World, customers: int, records: int) -> set[str]:
    """Carts that a worker has read, then a backlog of two hours in which most of them are bought,
    from right after the cart to right before the worker is back; returns whose are not.
    """
    ids = [f"c{number}" for number in range(customers)]
    for each in ids:
        world.publish("profiles", each, "profile_updated", T0, {"email": f"{each}@example.com"})
        world.publish("orders", each, "cart_updated", T0, {"cart_id": "k"})
    world.now_ms = T0 + 1_000
    Worker(world, RULES).run(Worker.is_at_rest)
    buyers = [each for number, each in enumerate(ids) if number % 10]
    every = records // len(buyers)
    for number in range(records):
        at_ms = T0 + 2_000 + number * 2 * HOUR // records
        bought, is_last = divmod(number, every)
        if is_last == every - 1 and bought < len(buyers):
            world.publish("orders", buyers[bought], "order_placed", at_ms, {"cart_id": "k"})
        else:
            world.publish("orders", f"v{number % 97}", "product_viewed", at_ms, {})
    world.now_ms = T0 + 2 * HOUR + 10_000
    return set(ids) - set(buyers)


def catch_up(folder: Path, customers: int, records: int, *, is_exactly_once: bool) -> None:
    """A worker comes back to the backlog, is killed in it, and another one goes on."""
    world = World(folder, T0)
    others = backlog(world, customers, records)
    killed = Worker(
        world,
        RULES,
        is_exactly_once=is_exactly_once,
        hook=CrashAt("before 6", records // 1_000 // 2),
        loop_ms=200,
    ).run(Worker.is_at_rest)
    assert killed.failure is not None
    reminders = [each for each in world.decisions() if each["trigger"] == "cart"]
    assert [each for each in reminders if each["outcome"] == "send"] == []

    def is_through(worker: Worker) -> bool:
        return worker.is_at_rest() and worker.is_current() and sent() >= others

    def sent() -> set[str]:
        return {each["customer_id"] for each in world.requests() if each["trigger"] == "cart"}

    second = Worker(world, RULES, is_exactly_once=is_exactly_once, loop_ms=200).run(is_through)
    assert second.failure is None
    assert sent() == others
    ids = Counter(each["request_id"] for each in world.requests())
    assert is_exactly_once is False or set(ids.values()) == {1}
    recalled = [each for each in world.decisions() if each["outcome"] == "recall"]
    assert recalled == []


@pytest.mark.parametrize("is_exactly_once", [False, True])
def test_no_reminder_goes_out_after_a_purchase_in_the_backlog(
    tmp_path: Path, is_exactly_once: bool
) -> None:
    """Also when the purchase came after the reminder was due, and the worker dies on its way."""
    catch_up(tmp_path / "state", 100, 6_000, is_exactly_once=is_exactly_once)


@pytest.mark.soak
@pytest.mark.parametrize("is_exactly_once", [False, True])
def test_no_reminder_goes_out_after_a_purchase_in_a_large_backlog(
    tmp_path: Path, is_exactly_once: bool
) -> None:
    """120,000 records of one partition."""
    catch_up(tmp_path / "state", 5_000, 120_000, is_exactly_once=is_exactly_once)


def pairs(folder: Path, customers: int) -> None:
    """Each profile is published 1 ms before its order, and profiles are read more slowly."""
    world = World(folder, T0)
    for number in range(customers):
        each = f"c{number}"
        at_ms = T0 + number * 2
        world.publish("profiles", each, "profile_updated", at_ms, {"email": f"{each}@example.com"})
        world.publish("orders", each, "order_placed", at_ms + 1, {"order_id": f"o{number}"})
    world.now_ms = T0 + customers * 2
    worker = Worker(world, RULES, speeds={"profiles": 50}).run(Worker.is_at_rest)
    assert worker.failure is None
    verdicts = Counter((each["outcome"], each["reason"]) for each in world.decisions())
    assert verdicts == {("send", "passed"): customers}


def test_an_order_is_not_handled_before_the_profile_that_came_before_it(tmp_path: Path) -> None:
    """However slowly the profiles are read: no confirmation is lost for want of an address."""
    pairs(tmp_path / "state", 2_000)


@pytest.mark.soak
def test_no_order_overtakes_its_profile_among_many(tmp_path: Path) -> None:
    """40,000 pairs, 1 ms apart."""
    pairs(tmp_path / "state", 40_000)


def test_a_step_without_delay_waits_until_the_partition_is_current(tmp_path: Path) -> None:
    """It leaves no record meanwhile; transactional steps do not wait."""
    world = World(tmp_path / "state", T0)
    world.publish("profiles", "ann", "profile_updated", T0, {"email": "a@example.com"})
    world.publish("orders", "ann", "subscribed", T0 + 1_000, {})
    world.publish("orders", "ann", "order_placed", T0 + 2_000, {})
    for number in range(4_000):
        world.publish("orders", "bob", "product_viewed", T0 + 3_000 + number, {})
    world.now_ms = T0 + HOUR
    slow = {"orders": 100}

    def has_thanked(worker: Worker) -> bool:
        return bool(worker.world.requests())

    first = Worker(world, RULES, loop_ms=500, speeds=slow).run(has_thanked)
    assert not first.is_at_rest()
    assert [each["trigger"] for each in world.decisions()] == ["thanks"]
    Worker(world, RULES, loop_ms=500, speeds=slow).run(lambda _: len(world.requests()) == 2)
    hello = world.decisions()[1]
    assert (hello["trigger"], hello["outcome"]) == ("hello", "send")
    assert hello["due_at"] == "2026-01-01T00:00:01.000Z"


def test_publishers_that_are_late_stop_nothing(tmp_path: Path) -> None:
    """What counts is how far the partition was read, not what its records say of their time."""
    world = World(tmp_path / "state", T0)
    world.publish("profiles", "ann", "profile_updated", T0 - HOUR, {"email": "a@example.com"})
    world.publish("orders", "ann", "subscribed", T0 - HOUR, {})
    Worker(world, RULES).run(lambda _: bool(world.requests()))
