"""A worker process under test, and the topics around it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.request import urlopen

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from app.kafka.clients import consumer_config, producer_config
from app.kafka.partitioning import partition_for
from app.settings.model import Settings

#: Long, for machines that are busy; a wait ends as soon as its state is reached.
DEADLINE_S: Final = 300.0
_POLL_S: Final = 0.05
Headers = list[tuple[str, str | bytes | None]]
_PORT: Final = re.compile(r"web server listens on \S+:(\d+)")
_ROOT: Final = Path(__file__).parents[2]


def wait_for(
    what: str, is_so: Callable[[], Any], deadline_s: float = DEADLINE_S, poll_s: float = _POLL_S
) -> Any:
    """The first truthy answer of ``is_so``; AssertionError when there is none in time."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        answer = is_so()
        if answer:
            return answer
        time.sleep(poll_s)
    raise AssertionError(f"not within {deadline_s:g} s: {what}")


class RunningWorker:
    """A worker in its own process, killed at the end of ``with`` when it still runs.

    ``module`` is what Python runs, with ``arguments``.
    """

    def __init__(
        self,
        settings: Settings,
        log: Path,
        variables: Mapping[str, str],
        *,
        module: str = "tests.process.worker_process",
        arguments: Sequence[str] = (),
    ) -> None:
        environ = {
            **{name: value for name, value in os.environ.items() if "TRIGGER_" not in name},
            "TRIGGER_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "TRIGGER_APP_ID": settings.app_id,
            "TRIGGER_TOPIC_PREFIX": settings.topic_prefix,
            "TRIGGER_INSTANCE_ID": f"{settings.app_id}-0",
            "TRIGGER_WEB_PORT": "0",
            "TRIGGER_GRACE": "200ms",
            "TRIGGER_MAX_IDLE": "500ms",
            "TRIGGER_COMMIT_INTERVAL": "200ms",
            **variables,
        }
        self._log = log
        with log.open("ab") as out:
            self._start = out.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=environ,
                cwd=_ROOT,
                stdout=out,
                stderr=out,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        """What this process has written."""
        return self._log.read_bytes()[self._start :].decode(errors="replace")

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code. AssertionError, with what its threads do and its log, when it stays."""
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10.0)
            raise AssertionError(f"not ended within {deadline_s:g} s\n{self.log}") from None

    def kill(self) -> None:
        """SIGKILL, and gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, deadline_s: float = DEADLINE_S) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(deadline_s)

    def get(self, path: str, timeout_s: float = 2.0) -> tuple[int, str]:
        """Status and text of its web server's answer; status 0 without one in time."""
        ports = _PORT.findall(self.log)
        if not ports:
            return 0, ""
        try:
            with urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=timeout_s) as answer:
                return answer.status, answer.read().decode()
        except OSError as exc:
            return getattr(exc, "code", 0), ""

    def cpu_s(self) -> float:
        """CPU seconds that it has used so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def wait_until_ready(self) -> None:
        """Until ``/ready`` says so. AssertionError with the log when it ends before, or does not
        come to it.
        """

        def is_ready() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.poll()}"
            return self.get("/ready")[0] == 200

        try:
            wait_for("ready", is_ready)
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.log}") from None

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            sample, _, value = line.rpartition(" ")
            if re.match(rf"{name}(\{{|$)", sample) and all(
                f'{label}="{wanted}"' in sample for label, wanted in labels.items()
            ):
                total += float(value)
        return total


#: Publishing such a record again would not help.
_REFUSED = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
_COORDINATOR_MOVES = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._WAIT_COORD,
)
#: A flush that takes longer has been left alone by its client.
_STUCK_S = 60.0


class Wire:
    """Publishes onto an instance's inputs and reads its outputs."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self.settings = settings
        self.partitions = partitions
        self._producer = self._new_producer()
        self._events = 0

    def _new_producer(self) -> Producer:
        config = {"linger.ms": 1, "delivery.timeout.ms": 600_000}
        return Producer(producer_config(self.settings) | config)

    def event(
        self,
        topic: str,
        customer_id: str,
        type: str,
        data: Mapping[str, Any] | None = None,
        *,
        event_id: str | None = None,
        occurred_ms: int | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> str:
        """Publish an event that occurs now, by default; its id."""
        self._events += 1
        event_id = event_id or f"e{self._events}"
        envelope = {
            "event_id": event_id,
            "type": type,
            "customer_id": customer_id,
            "occurred_at": occurred_ms if occurred_ms is not None else int(time.time() * 1000),
            "data": dict(data or {}),
        }
        self.record(topic, customer_id.encode(), json.dumps(envelope).encode(), partition, headers)
        return event_id

    def record(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        headers: Headers | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        """Publish any record, with the time of publishing as its timestamp by default; one that is
        lost with a broker is published again.
        """
        place = partition_for(key or b"", self.partitions) if partition is None else partition

        name = self._name(topic)

        def produce() -> None:
            self._producer.produce(
                name,
                value,
                key,
                place,
                headers=headers or [],
                timestamp=timestamp_ms,
                on_delivery=delivered,
            )

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None and error.code() not in _REFUSED:
                produce()

        produce()

    def _name(self, name: str) -> str:
        """What a topic is called on the broker, whether by its logical or its own name."""
        return name if name.startswith(self.settings.app_id + "-") else self.settings.topic(name)

    def flush(self) -> None:
        """Everything published is on the broker.

        A client that has lost its broker may keep a few records for ever: then another publishes
        them again, and those that had arrived are duplicates.
        """
        for _ in range(int(DEADLINE_S / _STUCK_S)):
            if self._producer.flush(_STUCK_S) == 0:
                return
            stuck, self._producer = self._producer, self._new_producer()
            stuck.purge()
            stuck.flush(_STUCK_S)
        raise AssertionError("records were not taken by the broker")

    def read(self, name: str) -> list["Message[bytes, bytes]"]:
        """All records of an output, whatever its logical or own name."""
        topic = self._name(name)
        reader = Consumer(consumer_config(self.settings) | {"enable.partition.eof": True})
        try:
            reader.assign([TopicPartition(topic, number, 0) for number in range(self.partitions)])
            found: list[Message[bytes, bytes]] = []
            left = set(range(self.partitions))
            while left:
                message = reader.poll(DEADLINE_S)
                assert message is not None, f"{topic} did not come to its end in {left}"
                error = message.error()
                if error is None:
                    found.append(message)
                else:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    left.discard(message.partition() or 0)
            return found
        finally:
            reader.close()

    def values(self, name: str) -> list[dict[str, Any]]:
        """The JSON values of an output."""
        return [json.loads(message.value() or b"null") for message in self.read(name)]

    def wait_for_values(self, name: str, count: int) -> list[dict[str, Any]]:
        """The JSON values of an output, once there are that many."""
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            found[:] = self.values(name)
            return len(found) >= count

        try:
            wait_for("", enough)
        except AssertionError:
            raise AssertionError(f"{name}: {len(found)} records, expected {count}") from None
        return found

    def committed(self) -> dict[str, int]:
        """Logical input topic -> sum of committed offsets; what was never committed counts 0."""
        reader = Consumer(consumer_config(self.settings))
        try:
            sums = {}
            for logical, topic in self.settings.input_topics.items():
                asked = [TopicPartition(topic, number) for number in range(self.partitions)]
                sums[logical] = sum(max(0, found.offset) for found in committed(reader, asked))
            return sums
        finally:
            reader.close()


def committed(reader: Consumer, asked: list[TopicPartition]) -> list[TopicPartition]:
    """The group's offsets; asked again while the group's coordinator moves."""
    end_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            return reader.committed(asked, timeout=30.0)
        except KafkaException as exc:
            if exc.args[0].code() not in _COORDINATOR_MOVES or time.monotonic() > end_s:
                raise
            time.sleep(_POLL_S)
