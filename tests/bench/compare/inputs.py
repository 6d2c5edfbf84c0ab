"""The records that every run of every host is given."""

import re
import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from confluent_kafka import Producer

from app.kafka.clients import producer_config
from app.kafka.partitioning import partition_for
from app.settings.model import Settings
from tests.bench import events

#: An event's line: its topic, the value up to its time, the customer in it, its time, the rest.
_LINE: Final = re.compile(
    rb'\{"topic":"(\w+)",(.*"customer_id":"([^"]+)","occurred_at":)(\d+)(.*)\}'
)
#: What a publisher says beside what is needed; with it an event has about 250 bytes.
_SOURCE: Final = b',"source":"https://www.shop.example/en-gb/catalogue/summer/page/7"}'
#: The events happen within this time, which ends when publishing starts.
SPAN_MS: Final = 1000
_POLL_EVERY: Final = 512


class Input(NamedTuple):
    """A record but for its time, which is ``delay_ms`` after the start of its run's events."""

    topic: str
    partition: int
    key: bytes
    before: bytes
    delay_ms: int
    after: bytes


class Inputs(NamedTuple):
    """Profiles of all customers, then the events."""

    profiles: list[Input]
    events: list[Input]

    @property
    def expected_sends(self) -> int:
        """How many events the rules answer at once, each with one send request."""
        return sum(b'"type":"%b"' % kind in each.before for each in self.events for kind in _KINDS)


_KINDS: Final = (b"order_placed", b"delivered", b"itinerary_saved", b"booking_confirmed")


def make(count: int, customers: int, partitions: int) -> Inputs:
    """``count`` events of so many customers. The same every time."""
    return Inputs(
        [_input(line, 0, partitions) for line in events.profiles(customers, 0)],
        [_input(line, 0, partitions) for line in events.events(count, customers, 0, SPAN_MS)],
    )


def _input(line: bytes, start_ms: int, partitions: int) -> Input:
    found = _LINE.fullmatch(line)
    assert found is not None, line
    topic, before, key, at_ms, after = found.groups()
    place = partition_for(key, partitions)
    return Input(topic.decode(), place, key, b"{" + before, int(at_ms) - start_ms, after + _SOURCE)


def publish(settings: Settings, inputs: Iterable[Input]) -> None:
    """Put the records on the broker as happening now, as fast as it takes them."""
    producer = Producer(producer_config(settings))
    start_ms = int(time.time() * 1000) - SPAN_MS
    names = settings.input_topics
    failed: list[str] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failed.append(str(error))

    for number, (topic, partition, key, value, at_ms) in enumerate(_stamped(inputs, start_ms)):
        while True:
            try:
                producer.produce(
                    names[topic], value, key, partition, on_delivery=delivered, timestamp=at_ms
                )
                break
            except BufferError:
                producer.poll(0.1)
        if number % _POLL_EVERY == 0:
            producer.poll(0)
    assert producer.flush(120.0) == 0
    assert not failed, f"{len(failed)} records were not published: {failed[0]}"


def _stamped(
    inputs: Iterable[Input], start_ms: int
) -> Iterator[tuple[str, int, bytes, bytes, int]]:
    for topic, partition, key, before, delay_ms, after in inputs:
        at_ms = start_ms + delay_ms
        yield topic, partition, key, b"%b%d%b" % (before, at_ms, after), at_ms
