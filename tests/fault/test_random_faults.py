"""All faults at once, at random, for as long as it is told to; the requests are the oracle.

``TRIGGER_SOAK_S`` is how long harm is done, three minutes by default; another ``TRIGGER_SOAK_SEED``
makes other choices, which are the same by default, so that a failure belongs to the change that is
tested. What is expected follows from what was published alone: a request for each order and one for
each customer's third, under ids that occur once.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings.load import load_settings
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka
from tests.process.conftest import Instance
from tests.process.fleet import PARTITIONS, SESSION_S, Fleet

SOAK_S = float(os.environ.get("TRIGGER_SOAK_S") or 180)
pytestmark = [pytest.mark.soak, pytest.mark.timeout(SOAK_S + 1800)]
SEED = int(os.environ.get("TRIGGER_SOAK_SEED") or 1)
NAMES = "abcd"


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    require_kafka()
    with KafkaCluster(1) as cluster:
        yield cluster


@pytest.fixture
def settings(cluster: KafkaCluster) -> Settings:
    return load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": "soak.",
            "TRIGGER_APP_ID": "soak",
            "TRIGGER_PARTITIONS": str(PARTITIONS),
        }
    )


class Chaos:
    """Does one harm after the other to workers and broker."""

    def __init__(self, fleet: Fleet, cluster: KafkaCluster, dice: random.Random) -> None:
        self._fleet = fleet
        self._cluster = cluster
        self._dice = dice
        self.done: Counter[str] = Counter()

    def tend(self) -> None:
        """Start again what ended by itself, as Kubernetes does."""
        for name, worker in list(self._fleet.workers.items()):
            code = worker.process.poll()
            if code is not None:
                assert code == 1, worker.log[-2000:]
                self.done["ended by itself"] += 1
                self._fleet.start(name)

    def harm(self) -> None:
        """One harm, chosen at random from those that are possible now."""
        running = sorted(self._fleet.workers)
        absent = sorted(set(NAMES) - set(running))
        harms = ["freeze a broker", "kill the broker"]
        if absent:
            harms += 3 * ["join"]
        harms += (
            ["leave", "kill", "kill, volume lost", "freeze past the session"] * 2 * bool(running)
        )
        harm = self._dice.choice(harms)
        self.done[harm] += 1
        name = self._dice.choice((absent if harm == "join" else running) or NAMES)
        match harm:
            case "join":
                self._fleet.start(name, is_static=self._dice.random() < 0.5)
            case "leave":
                self._fleet.leave(name)
            case "kill" | "kill, volume lost":
                self._fleet.kill(name)
                if harm == "kill, volume lost":
                    shutil.rmtree(self._fleet.data_dir(name), ignore_errors=True)
            case "freeze past the session":
                process = self._fleet.workers[name].process
                process.send_signal(signal.SIGSTOP)
                time.sleep(SESSION_S + self._dice.uniform(0, 4))
                process.send_signal(signal.SIGCONT)
            case "freeze a broker":
                (node,) = self._cluster.nodes
                node.freeze()
                time.sleep(self._dice.uniform(0.5, 8))
                node.thaw()
            case "kill the broker":
                (node,) = self._cluster.nodes
                node.kill()
                time.sleep(self._dice.uniform(0, 3))
                node.start()
                self._cluster.wait_until_ready()


def test_no_request_is_lost_repeated_or_wrong(
    cluster: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    """Exactly once, whatever happens to workers, volumes and the broker."""
    print(f"TRIGGER_SOAK_SEED={SEED} TRIGGER_SOAK_S={SOAK_S:g}")
    dice = random.Random(SEED)  # repeatable, not secret
    with ExitStack() as stack:
        fleet = Fleet(Instance(settings, tmp_path), tmp_path, stack)
        chaos = Chaos(fleet, cluster, dice)
        fleet.start("a")
        thread = fleet.publishing()
        end_s = time.monotonic() + SOAK_S
        try:
            while time.monotonic() < end_s:
                time.sleep(dice.uniform(0, 6))
                chaos.tend()
                chaos.harm()
        finally:
            fleet.hush(thread)
        for name in NAMES[:2]:
            if name not in fleet.workers:
                fleet.start(name)
        requests = fleet.requests(chaos.tend)
        print(dict(chaos.done), f"orders={sum(fleet.orders.values())} requests={len(requests)}")
        assert len({each["request_id"] for each in requests}) == len(requests)
