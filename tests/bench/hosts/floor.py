"""The floor: a loop written by hand that does the reading and writing and decides nothing.

Consume, orjson, one record per customer in RocksDB, its changelog once per batch and customer,
and for the events that the rules answer at once a decision and a send request of a fixed text. The
record is the profile, counts by type, and what came last: about as large as ours.
"""

import time
from typing import Any, Final

import orjson
import rocksdict
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from rocksdict import Rdict, WriteBatch

from tests.bench.hosts.job import LARGEST_ANSWER, Job, given_job

_BATCH: Final = 2000
_LAST: Final = 16
#: what is answered at once, and on which channel
_ANSWERED: Final = {
    "order_placed": "email",
    "delivered": "push",
    "itinerary_saved": "email",
    "booking_confirmed": "email",
}
#: about as long as what ours writes
_REASONING: Final = "x" * 500


def run(job: Job) -> None:
    """Until killed."""
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap_servers,
            "group.id": job.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **LARGEST_ANSWER,
        }
    )
    consumer.subscribe(list(job.inputs.values()))
    servers = {"bootstrap.servers": job.bootstrap_servers}
    producer = Producer(servers | job.producer_config())
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    store = Rdict(job.folder, options=options)
    positions: dict[tuple[str, int], int] = {}
    commit_at = time.monotonic() + job.commit_interval_s
    while True:
        batch = consumer.consume(_BATCH, 0.05)
        if batch:
            _handle(job, batch, store, producer, positions)
        if positions and time.monotonic() >= commit_at:
            offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
            consumer.commit(offsets=offsets, asynchronous=True)
            positions.clear()
            commit_at = time.monotonic() + job.commit_interval_s


def _handle(
    job: Job,
    batch: "list[Message[bytes, bytes]]",
    store: Any,
    producer: Producer,
    positions: dict[tuple[str, int], int],
) -> None:
    """One batch: read and change the records, changelog and output awaited, then the store."""
    touched: dict[bytes, dict[str, Any]] = {}
    places: dict[bytes, int] = {}
    answers: list[tuple[bytes, int, dict[str, Any]]] = []
    for message in batch:
        key, value = message.key(), message.value()
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if message.error() is not None:
            raise RuntimeError(f"the floor cannot read: {message.error()}")
        assert key is not None
        assert value is not None
        assert topic is not None
        assert partition is not None
        assert offset is not None
        event = orjson.loads(value)
        record = touched.get(key)
        if record is None:
            found = store.get(key)
            record = {"counts": {}, "last": []} if found is None else orjson.loads(found)
            touched[key] = record
            places[key] = partition
        kind, data = event["type"], event["data"]
        record["counts"][kind] = record["counts"].get(kind, 0) + 1
        if kind == "profile_updated":
            record["profile"] = data
        else:
            last = record["last"]
            last.append((event["event_id"], event["occurred_at"]))
            del last[:-_LAST]
        if kind in _ANSWERED:
            answers.append((key, partition, event))
        positions[topic, partition] = offset + 1
    writes = WriteBatch(raw_mode=True)
    produce = producer.produce
    for key, record in touched.items():
        written = orjson.dumps(record)
        produce(job.changelog, written, key, places[key])
        writes.put(key, written)
    for key, partition, event in answers:
        kind = event["type"]
        request = {
            "customer_id": event["customer_id"],
            "trigger": kind,
            "key": event["event_id"],
            "step": 0,
            "channel": _ANSWERED[kind],
            "cause": event,
        }
        produce(job.dispatch, orjson.dumps(request), key, partition)
        produce(job.decisions, orjson.dumps(request | {"gates": _REASONING}), key, partition)
    if producer.flush(60.0):
        raise RuntimeError("the floor's records were not delivered")
    store.write(writes)


if __name__ == "__main__":
    run(given_job())
