"""How far a host is, asked of the broker alone, and what it has written."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import orjson
from confluent_kafka import Consumer, Message, TopicPartition

from app.kafka.clients import consumer_config, watermarks
from app.settings.model import Settings
from tests.bench.compare.process import HostProcess
from tests.bench.hosts.job import Job

_POLL_S: Final = 0.1
_ANSWER_S: Final = 30.0
#: A host that reads nothing for so long has failed.
STALLED_S: Final = 120.0


class HostFailed(Exception):
    """A host ended or stood still before it had done the job."""


class Written(NamedTuple):
    """The output of a host."""

    sends: int
    decisions: int
    #: to whom, by which trigger, for which key and step, on which channel: the same sends have
    #: the same
    digest: str


class Watch:
    """Looks at one run's topics and at its consumer group, without joining it."""

    def __init__(self, settings: Settings, job: Job) -> None:
        self._reader = Consumer(consumer_config(settings))
        self._job = job
        self._partitions = range(job.partitions)

    def close(self) -> None:
        self._reader.close()

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Where each partition ends."""
        return {
            (topic, number): watermarks(self._reader, TopicPartition(topic, number), _ANSWER_S)[1]
            for topic in topics
            for number in self._partitions
        }

    def committed(self) -> int:
        """How many input records the host says it is through with."""
        inputs = self._job.inputs.values()
        places = [TopicPartition(topic, number) for topic in inputs for number in self._partitions]
        found = self._reader.committed(places, _ANSWER_S)
        return sum(max(0, place.offset) for place in found)

    def changelogs(self) -> list[str]:
        """The host's changelog topics, as it has named them."""
        names = self._reader.list_topics(timeout=_ANSWER_S).topics
        return [name for name in names if self._job.group in name and "changelog" in name]

    def records(self, topics: Iterable[str]) -> int:
        """How many records these topics have had."""
        return sum(self.ends(topics).values())

    def wait(self, process: HostProcess, done: Callable[[], int], wanted: int) -> float:
        """Until ``done`` records are ``wanted``; when the last one was written (monotonic time)."""
        changelogs = self.changelogs()
        last_s = moved_s = time.monotonic()
        before = written = -1
        while True:
            now_s = time.monotonic()
            count = done()
            if count != before:
                before, moved_s = count, now_s
            if not changelogs:
                changelogs = self.changelogs()
            found = self.records([*changelogs, self._job.decisions])
            if found != written:
                written, last_s = found, now_s
            if count >= wanted:
                return last_s
            if not process.is_running:
                raise HostFailed(f"it ended after {count} of {wanted} records:\n{process.log}")
            if now_s - moved_s > STALLED_S:
                raise HostFailed(f"it stands still at {count} of {wanted}:\n{process.log}")
            time.sleep(_POLL_S)

    def written(self) -> Written:
        """Everything on dispatch and decisions, read back as a consumer would."""
        sends = sorted(_identity(message.value() or b"") for message in self._read("dispatch"))
        decisions = sum(1 for _ in self._read("decisions"))
        digest = hashlib.sha256(b"\n".join(sends)).hexdigest()[:12]
        return Written(len(sends), decisions, digest)

    def _read(self, logical: str) -> "Iterator[Message[bytes, bytes]]":
        topic = getattr(self._job, logical)
        ends = {number: end for (_, number), end in self.ends([topic]).items() if end}
        self._reader.assign([TopicPartition(topic, number, 0) for number in ends])
        quiet_at = time.monotonic() + _ANSWER_S
        while ends:
            for message in self._reader.consume(5000, 0.2):
                assert message.error() is None, message.error()
                quiet_at = time.monotonic() + _ANSWER_S
                yield message
            # by position: a transaction's end takes an offset too
            for place in self._reader.position([TopicPartition(topic, each) for each in ends]):
                if place.offset >= ends[place.partition]:
                    del ends[place.partition]
            assert time.monotonic() < quiet_at, f"{topic} does not come to its end"
        self._reader.unassign()


def _identity(value: bytes) -> bytes:
    request: dict[str, Any] = orjson.loads(value)
    names = ("customer_id", "trigger", "key", "step", "channel")
    return orjson.dumps([request.get(name) for name in names])
