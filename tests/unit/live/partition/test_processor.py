"""One partition from its input to its output: records, dead letters, erasures, timers, batches."""

import asyncio
import gc
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from app.core.errors import EventError, InfrastructureError
from app.kafka.types import TopicPartition
from app.live.commit.record_outcome import RecordOutcome
from app.live.input.record_batch import RecordBatch
from app.live.partition.context import Pace
from app.rules_file.load import parse_rules
from tests.poison import poison
from tests.unit.live.commit.recording_broker import group_key
from tests.unit.live.partition.one_worker import Worker, World

T0: Final = 1_767_225_600_000
MINUTE: Final = 60_000
ORDERS: Final = TopicPartition("orders", 0)
RULES: Final = parse_rules(b"""
version: 1
profile_patience: 0s
channels: {email: {requires: email}}
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         after: 30m, template: cart, channels: [email]}
  thanks: {kind: event, on: [order_placed], category: transactional, template: thanks,
           channels: [email]}
""")


def world(folder: Path) -> World:
    """A customer with an address, and a minute later."""
    made = World(folder / "state", T0)
    made.publish("profiles", "ann", "profile_updated", T0, {"email": "ann@example.com"})
    made.now_ms = T0 + MINUTE
    return made


def verdicts(made: World) -> list[tuple[Any, ...]]:
    return [(each["trigger"], each["outcome"], each["reason"]) for each in made.decisions()]


def counted(worker: Worker, topic: str, outcome: RecordOutcome) -> float:
    """How many records of a topic came to that, by the metrics."""
    labels = {"topic": topic, "outcome": outcome}
    return worker.metrics.registry.get_sample_value("trigger_events_total", labels) or 0


def test_a_timer_fires_when_the_watermark_passes_it(tmp_path: Path) -> None:
    """Neither before it, nor for lack of records."""
    made = world(tmp_path)
    made.publish("orders", "ann", "cart_updated", T0, {"cart_id": "k"})
    made.now_ms = T0 + 29 * MINUTE
    assert Worker(made, RULES).run(Worker.is_at_rest).failure is None
    assert verdicts(made) == []
    Worker(made, RULES, loop_ms=1_000).run(lambda _: bool(made.requests()))
    assert verdicts(made) == [("cart", "send", "passed")]
    assert T0 + 30 * MINUTE <= made.now_ms < T0 + 31 * MINUTE


def test_a_record_that_cannot_be_understood_becomes_a_dead_letter(tmp_path: Path) -> None:
    """With its bytes, while the records around it are handled."""
    made = world(tmp_path)
    made.publish_raw("orders", b"ann", b"{not json", T0 + 1)
    made.publish("orders", "ann", "order_placed", T0 + 2, {"order_id": "o"})

    worker = Worker(made, RULES).run(Worker.is_at_rest)

    assert worker.failure is None
    assert [each.value for each in made.broker.of("dead-letters")] == [b"{not json"]
    assert verdicts(made) == [("thanks", "send", "passed")]
    assert counted(worker, "orders", RecordOutcome.DEAD) == 1


def living_errors() -> int:
    """How many errors of events are in memory."""
    return sum(type(each) is EventError for each in gc.get_objects())


def test_records_that_cannot_be_understood_leave_no_garbage(tmp_path: Path) -> None:
    """A worker collects cycles rarely: what dead letters hold must go without that, but for those
    of a few units, which are made or committed.
    """
    made = world(tmp_path)
    for seed in range(300):
        record = poison(seed, T0)
        made.publish_raw(record.topic, record.key, record.value, T0 + seed)
    gc.collect()
    gc.disable()
    try:
        before = living_errors()
        worker = Worker(made, RULES, pace=Pace(unit_records=10)).run(Worker.is_at_rest)
        kept = living_errors() - before
    finally:
        gc.enable()
    assert worker.failure is None
    assert len(made.broker.of("dead-letters")) > 100
    assert kept <= 50


@pytest.mark.parametrize(
    ("pace", "most_units"),
    [
        (Pace(), 3),
        (Pace(slice_records=9, unit_s=60.0), 4),
        (Pace(slice_records=9, unit_s=0.0), 9),
        (Pace(slice_records=9, unit_s=60.0, commit_s=0.0), 9),
    ],
)
def test_a_customer_who_comes_again_is_written_once_a_unit(
    tmp_path: Path, pace: Pace, most_units: int
) -> None:
    """Which goes on for some slices, unless it, or the commit before, takes too long."""
    made = world(tmp_path)
    for number in range(60):
        made.publish("orders", "ann", "cart_updated", T0 + number, {"cart_id": "k"})
    assert Worker(made, RULES, pace=pace).run(Worker.is_at_rest).failure is None
    written = [each for each in made.broker.of("changelog") if each.key == b"ann"]
    assert most_units - 3 < len(written) <= most_units
    assert made.customer("ann").counts["cart_updated"] == 60


def test_an_erased_customer_has_no_record_and_no_timers(tmp_path: Path) -> None:
    """What was decided before the erasure went out before it."""
    made = world(tmp_path)
    made.publish("orders", "ann", "order_placed", T0 + 1, {"order_id": "o"})
    made.publish("orders", "ann", "cart_updated", T0 + 2, {"cart_id": "k"})
    made.publish_raw("profiles", b"ann", None, T0 + 3)
    worker = Worker(made, RULES).run(Worker.is_at_rest)
    assert worker.failure is None
    assert [each["trigger"] for each in made.requests()] == ["thanks"]
    made.now_ms = T0 + 60 * MINUTE
    worker = Worker(made, RULES).run(lambda each: each.is_at_rest() and each.is_current())
    assert verdicts(made) == [("thanks", "send", "passed")]
    (figures,) = worker.last_figures
    assert (figures.customers, figures.timers_pending) == (0, 0)


def test_customers_are_read_in_portions_without_those_who_were_erased(tmp_path: Path) -> None:
    """Each portion names the id to go on after; a partition of another worker has none."""
    made = world(tmp_path)
    for customer_id in ("ann", "bob", "cid"):
        made.publish("orders", customer_id, "order_placed", T0 + 1, {"order_id": customer_id})
    made.publish_raw("profiles", b"bob", None, T0 + 3)
    portions = []

    def read(worker: Worker) -> bool:
        if not worker.is_at_rest():
            return False
        after: str | None = ""
        while after is not None:
            portion = worker.assigned.profiles_after(0, after, 2)
            assert portion is not None
            customers, after = portion
            portions.append([each.customer_id for each in customers])
        assert worker.assigned.profiles_after(1, "", 2) is None
        return True

    assert Worker(made, RULES).run(read).failure is None
    assert portions == [["ann"], ["cid"]]


def test_an_event_that_is_read_twice_counts_once(tmp_path: Path) -> None:
    """The same offset after a crash, and the same event id at another offset."""
    made = world(tmp_path)
    made.publish("orders", "ann", "order_placed", T0 + 1, {"order_id": "o"})
    value = made.input["orders", 0][0].value
    made.publish_raw("orders", b"ann", value, T0 + 2)
    Worker(made, RULES).run(Worker.is_at_rest)
    made.broker.committed.clear()
    worker = Worker(made, RULES).run(Worker.is_at_rest)
    assert verdicts(made) == [("thanks", "send", "passed")]
    assert counted(worker, "orders", RecordOutcome.SKIPPED) == 2


def test_a_record_without_a_key_is_handled_on_the_partition_of_its_customer(
    tmp_path: Path,
) -> None:
    """With one partition that is this one."""
    made = world(tmp_path)
    envelope = json.loads(made.input["profiles", 0][0].value or b"")
    envelope |= {"event_id": "x", "type": "order_placed", "data": {"order_id": "o"}}
    made.publish_raw("orders", None, json.dumps(envelope).encode(), T0 + 1)
    Worker(made, RULES).run(Worker.is_at_rest)
    assert verdicts(made) == [("thanks", "send", "passed")]


def test_a_batch_that_was_lost_on_the_way_stops_the_worker(tmp_path: Path) -> None:
    """It is read again after a restart."""
    made = world(tmp_path)
    found: list[InfrastructureError] = []

    def lose_one(worker: Worker) -> bool:
        made.publish_raw("orders", b"ann", b"{}", T0)
        batch = RecordBatch(made.input["orders", 0][-1:], number=7, after=3)
        with pytest.raises(InfrastructureError, match=r"orders\[0\]: got batch 7.*expected 0") as e:
            worker.assigned.take(ORDERS, batch)
        found.append(e.value)
        made.input["orders", 0].clear()
        return True

    Worker(made, RULES).run(lose_one)
    assert len(found) == 1


def test_a_batch_of_a_partition_that_is_not_worked_on_is_not_handled(tmp_path: Path) -> None:
    """It was given up meanwhile, and is read again by the partition's next worker: for this one the
    partition is not read up to its end.
    """
    made = world(tmp_path)
    other = TopicPartition("orders", 1)

    def hand_over(worker: Worker) -> bool:
        worker.progress.fetched({other: 1}, {})
        made.publish_raw("orders", b"ann", b"{}", T0)
        worker.assigned.take(other, RecordBatch(made.input["orders", 0], number=0, after=-1))
        made.input["orders", 0].clear()
        assert worker.progress.buffered.waiting(other) == 1
        worker.progress.revoked([other])
        return worker.progress.buffered.waiting(other) == 0

    worker = Worker(made, RULES).run(hand_over)
    assert worker.failure is None


def test_a_revoked_partition_ends_its_unit_and_is_worked_on_no_more(tmp_path: Path) -> None:
    """What it had decided by then is committed."""
    made = world(tmp_path)
    made.publish("orders", "ann", "order_placed", T0 + 1, {"order_id": "o"})
    worker = Worker(made, RULES).run(Worker.is_at_rest)
    assert worker.assigned.partitions == set()
    assert worker.assigned.snapshot(0, "ann") is None
    assert made.broker.committed == {"orders": 1, "profiles": 1}


def test_what_a_processor_raises_stops_the_worker(tmp_path: Path) -> None:
    """Nothing of the unit is released for commit."""
    made = world(tmp_path)
    made.publish("orders", "ann", "order_placed", T0 + 1, {"order_id": "o"})

    def fail(point: str) -> None:
        raise InfrastructureError(f"no disk at {point}")

    worker = Worker(made, RULES, hook=fail).run(Worker.is_at_rest)
    assert str(worker.failure) == "no disk at before 1"
    assert made.broker.committed == {}


def test_the_listener_counts_commits_that_failed_and_reports_a_lost_group(tmp_path: Path) -> None:
    """The latter from the consumer's thread, into the worker's loop."""
    lost = InfrastructureError("no member any more")

    def lose(worker: Worker) -> bool:
        worker.assigned.commit_failed()
        worker.assigned.group_lost(lost)
        return False

    worker = Worker(world(tmp_path), RULES).run(lose)
    assert worker.failure is lost
    errors = worker.metrics.registry.get_sample_value("trigger_commit_errors_total")
    assert errors is not None
    assert errors >= 1


@pytest.mark.parametrize("is_exactly_once", [False, True])
def test_markers_at_the_end_are_committed_with_the_records_or_alone(
    tmp_path: Path, is_exactly_once: bool
) -> None:
    """Once the partition is quiet, also those that came later; where nothing was read, none."""
    made = world(tmp_path)
    made.publish("orders", "ann", "order_placed", T0 + 1, {"order_id": "o"})
    made.markers = defaultdict(int, {("orders", 0): 1, ("engagement", 0): 2})
    first = Worker(made, RULES, is_exactly_once=is_exactly_once).run(Worker.has_passed_markers)
    assert first.failure is None
    made.markers["orders", 0] = 3
    again = Worker(made, RULES, is_exactly_once=is_exactly_once).run(Worker.has_passed_markers)
    assert again.failure is None
    assert made.broker.committed[group_key("orders", 0)] == 1 + 3
    assert made.broker.committed.get(group_key("engagement", 0), 0) == 0
    assert len(made.requests()) == 1


def test_what_comes_after_a_partition_was_given_up_is_not_committed(tmp_path: Path) -> None:
    """Its processor is at its last unit, which may not commit past a batch without a processor."""
    pace = Pace(quiet_s=0.0)
    made = world(tmp_path)
    made.publish("orders", "ann", "order_placed", T0 + 1, {"order_id": "o"})
    Worker(made, RULES, is_exactly_once=True, pace=pace).run(Worker.is_at_rest)
    releases = []

    async def give_up() -> None:
        releases.append(asyncio.ensure_future(worker.assigned.release_all()))
        await asyncio.sleep(0)
        made.publish("orders", "ann", "order_placed", T0 + 2, {"order_id": "p"})
        worker.hand_over()

    def hook(at: str) -> None:
        if at == "before 4" and not releases:
            asyncio.run_coroutine_threadsafe(give_up(), worker.loop).result(60)

    worker = Worker(made, RULES, is_exactly_once=True, hook=hook, pace=pace)
    worker.run(lambda _: bool(releases) and releases[0].done())
    assert made.broker.committed[group_key("orders", 0)] == 1
    Worker(made, RULES, is_exactly_once=True, pace=pace).run(Worker.is_at_rest)
    assert len(made.requests()) == 2
