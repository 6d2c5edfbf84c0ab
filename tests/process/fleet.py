"""Several workers of one engine, a publisher, and an account of the requests that must come."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.process.conftest import Instance
from tests.process.running import DEADLINE_S, RunningWorker, wait_for

PARTITIONS = 12
CUSTOMERS = 120
SESSION_S = 6.0


class Fleet:
    """Workers of one engine by name, each with a folder of its own, and a publisher."""

    def __init__(self, instance: Instance, folder: Path, stack: ExitStack) -> None:
        self.instance = instance
        self.wire = instance.wire
        self._folder = folder
        self._stack = stack
        self.workers: dict[str, RunningWorker] = {}
        self.ids = instance.customers(CUSTOMERS)
        self.orders: Counter[str] = Counter()
        self._is_publishing = threading.Event()

    def data_dir(self, name: str) -> Path:
        return self._folder / f"data-{name}"

    def start(
        self,
        name: str,
        *,
        is_static: bool = True,
        session_s: float = SESSION_S,
        standbys: int = 1,
    ) -> RunningWorker:
        """A worker; it takes up the name's files."""
        more = {
            "TRIGGER_DATA_DIR": str(self.data_dir(name)),
            "TRIGGER_INSTANCE_ID": f"worker-{name}" if is_static else "",
            "TRIGGER_SESSION_TIMEOUT": f"{session_s:g}s",
            "TRIGGER_STANDBY_REPLICAS": str(standbys),
        }
        more["TRIGGER_RULES"] = str(self._folder / "rules.yaml")
        log = self._folder / f"{name}.log"
        worker = self._stack.enter_context(RunningWorker(self.wire.settings, log, more))
        self.workers[name] = worker
        return worker

    def stop(self, name: str) -> None:
        worker = self.workers.pop(name)
        assert worker.stop() == 0, worker.log

    def leave(self, name: str) -> None:
        """Stop the worker; it may fail at it where the broker is away, or be about to start."""
        worker = self.workers.pop(name)
        assert worker.stop() in (0, 1, -signal.SIGTERM), worker.log

    def kill(self, name: str) -> None:
        self.workers.pop(name).kill()

    def owned(self) -> dict[str, set[int]]:
        """Which partitions each worker says it works on."""
        return {name: partitions(worker) for name, worker in self.workers.items()}

    def wait_until_shared(self, deadline_s: float = DEADLINE_S) -> None:
        """Until every partition has one owner, and shares differ by one at most."""

        def is_shared() -> bool:
            owned = self.owned()
            sizes = [len(each) for each in owned.values()]
            is_ready = all(each.get("/ready")[0] == 200 for each in self.workers.values())
            return (
                is_ready
                and sum(sizes) == PARTITIONS == len(set().union(*owned.values()))
                and max(sizes) - min(sizes) <= 1
            )

        try:
            wait_for("a share for each", is_shared, deadline_s)
        except AssertionError:
            ready = {name: each.get("/ready") for name, each in self.workers.items()}
            raise AssertionError(f"owned {self.owned()}, ready {ready}") from None

    def publish(self, orders: int, pause_s: float = 0.0) -> None:
        """Orders of all customers in turn."""
        for _ in range(orders):
            customer_id = self.ids[sum(self.orders.values()) % CUSTOMERS]
            self.wire.event("orders", customer_id, "order_placed", {"value": 1})
            self.orders[customer_id] += 1
            if pause_s:
                time.sleep(pause_s)
        self.wire.flush()

    def publishing(self) -> "threading.Thread":
        """Orders at about 300 a second, until ``hush``."""
        self._is_publishing.set()

        def run() -> None:
            while self._is_publishing.is_set():
                self.publish(30, 0.003)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def hush(self, thread: threading.Thread) -> None:
        self._is_publishing.clear()
        thread.join()

    def _wait_for_requests(self, expected: int, tend: Callable[[], None]) -> int:
        """How many there are once they are all there, or no more have come until a deadline."""
        found, end_s = 0, time.monotonic() + DEADLINE_S
        while found < expected and time.monotonic() < end_s:
            tend()
            now_there = len({each["request_id"] for each in self.wire.values("dispatch")})
            if now_there > found:
                found, end_s = now_there, time.monotonic() + DEADLINE_S
            time.sleep(0.1)
        return found

    def requests(self, tend: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
        """All of them, once each order that was published has one; ``tend`` is called meanwhile."""
        expected = sum(self.orders.values()) + sum(n // 3 for n in self.orders.values())
        found = self._wait_for_requests(expected, tend)
        if found < expected:
            decisions = self.wire.values("decisions")
            verdicts = Counter((each["outcome"], each["reason"]) for each in decisions)
            unread = self.wire.committed()
            raise AssertionError(
                f"{found} of {expected} requests; {verdicts}; committed {unread}"
                f" of {sum(self.orders.values())} orders; without a decision, by partition"
                f" {self._undecided(decisions)}"
            )
        requests = self.wire.values("dispatch")
        by_id = {each["request_id"]: each for each in requests}
        kinds = Counter((each["customer_id"], each["trigger"]) for each in by_id.values())
        wanted = Counter({(id, "order_placed"): n for id, n in self.orders.items()})
        wanted += Counter({(id, "third_order"): n // 3 for id, n in self.orders.items()})
        assert kinds == wanted
        return requests

    def _undecided(self, decisions: list[dict[str, Any]]) -> dict[int, list[int]]:
        """Offsets of orders that caused none of the decisions, by partition."""
        decided = {each["cause"]["event_id"] for each in decisions}
        found: dict[int, list[int]] = {}
        for message in self.wire.read("orders"):
            if json.loads(message.value() or b"")["event_id"] not in decided:
                found.setdefault(message.partition() or 0, []).append(message.offset() or 0)
        return found


def partitions(worker: RunningWorker) -> set[int]:
    """The partition numbers a worker's metrics speak of."""
    lines = worker.get("/metrics")[1].splitlines()
    return {
        int(line.split('"')[1]) for line in lines if line.startswith("trigger_customers{partition=")
    }
