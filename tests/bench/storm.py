"""How long partitions stand still while workers join and leave, one every few seconds.

Twelve partitions of one Apache Kafka node on the same machine, one to three workers with a standby
each. A gap is the time from one send request of a partition to the next, by the broker's clock,
while orders of all customers are published all the time.
"""

import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from app.kafka.partitioning import partition_for
from app.settings.load import load_settings
from tests.kafka.cluster import KafkaCluster
from tests.process.conftest import Instance
from tests.process.fleet import PARTITIONS, Fleet

_EVERY_S: Final = 10.0
#: What a partition stands still for, beyond which its time counts as lost.
_LONG_S: Final = 2.0
#: Who joins (+) or leaves (-), again and again.
_CHANGES: Final = ("+b", "+c", "-b", "-c")


class _Change(NamedTuple):
    """One worker has joined or left: when it began, and the owners before and after."""

    at_ms: int
    before: dict[int, str]
    after: dict[int, str]


def storm(changes: int) -> dict[str, float]:
    """The longest gaps of partitions that stay with their worker and of those that move."""
    with KafkaCluster(1) as cluster, tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        settings = load_settings(
            {
                "TRIGGER_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
                "TRIGGER_TOPIC_PREFIX": "storm.",
                "TRIGGER_APP_ID": "storm",
                "TRIGGER_PARTITIONS": str(PARTITIONS),
            }
        )
        fleet = Fleet(Instance(settings, Path(name)), Path(name), stack)
        fleet.start("a", is_static=False)
        fleet.wait_until_shared()
        thread = fleet.publishing()
        try:
            made = [_change(fleet, _CHANGES[number % len(_CHANGES)]) for number in range(changes)]
        finally:
            fleet.hush(thread)
        fleet.requests()
        return _figures(made, _request_times(fleet))


def _change(fleet: Fleet, what: str) -> _Change:
    began, at_ms, before = time.monotonic(), int(time.time() * 1000), _owners(fleet)
    name = what[1:]
    if what.startswith("+"):
        fleet.start(name, is_static=False)
    else:
        fleet.stop(name)
    fleet.wait_until_shared()
    change = _Change(at_ms, before, _owners(fleet))
    time.sleep(max(0.0, _EVERY_S - (time.monotonic() - began)))
    return change


def _owners(fleet: Fleet) -> dict[int, str]:
    return {number: name for name, owned in fleet.owned().items() for number in owned}


def _request_times(fleet: Fleet) -> dict[int, list[int]]:
    """Partition -> the broker's timestamps of its send requests, in order."""
    times: dict[int, list[int]] = {number: [] for number in range(PARTITIONS)}
    for message in fleet.wire.read("dispatch"):
        times[partition_for(message.key() or b"", PARTITIONS)].append(message.timestamp()[1])
    return {number: sorted(each) for number, each in times.items()}


def _figures(changes: list[_Change], times: dict[int, list[int]]) -> dict[str, float]:
    stayed: list[float] = []
    moved: list[float] = []
    ends = [each.at_ms for each in changes[1:]] + [max(map(max, times.values()))]
    for change, end_ms in zip(changes, ends, strict=True):
        for number in range(PARTITIONS):
            stays = change.before.get(number) == change.after.get(number)
            (stayed if stays else moved).append(_longest_s(times[number], change.at_ms, end_ms))
    total_s = sum(each[-1] - each[0] for each in times.values()) / 1000
    lost_s = sum(gap for each in times.values() for gap in _gaps_s(each) if gap > _LONG_S)
    return {
        "changes": len(changes),
        "stayed_median_s": _at(stayed, 0.5),
        "stayed_longest_s": _at(stayed, 1.0),
        "moved_median_s": _at(moved, 0.5),
        "moved_longest_s": _at(moved, 1.0),
        "share_of_time_in_gaps_over_2s": round(lost_s / total_s, 3),
    }


def _gaps_s(times: list[int]) -> list[float]:
    return [(after - before) / 1000 for before, after in pairwise(times)]


def _longest_s(times: list[int], start_ms: int, end_ms: int) -> float:
    """The longest gap that begins in the time given."""
    gaps = [
        (after - before) / 1000 for before, after in pairwise(times) if start_ms <= before < end_ms
    ]
    return max(gaps, default=0.0)


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0
