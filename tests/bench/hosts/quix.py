"""Quix Streams: the same core in a stateful ``apply``, its RocksDB store, its changelog topics.

The four input topics are concatenated, so that a customer has one record; Quix then reads them in
the order of their timestamps, as ours does.
"""

from collections.abc import Iterator
from functools import reduce
from operator import itemgetter
from typing import Any

from quixstreams import Application, message_context
from quixstreams.dataframe import StreamingDataFrame

from tests.bench.hosts.core import Core
from tests.bench.hosts.job import LARGEST_ANSWER, Job, given_job

_RECORD = "record"


def build(job: Job) -> Any:
    """The application."""
    app = Application(
        broker_address=job.bootstrap_servers,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        commit_interval=job.commit_interval_s,
        state_dir=job.folder,
        use_changelog_topics=True,
        processing_guarantee="at-least-once",
        consumer_extra_config=dict(LARGEST_ANSWER),
        producer_extra_config=job.producer_config(),
        loglevel="WARNING",
    )
    core = Core(job)

    def handle(
        value: bytes, key: bytes, timestamp: int, headers: Any, state: Any
    ) -> Iterator[tuple[bytes, bytes | None]]:
        context = message_context()
        record, decided = core.handle(
            context.topic, context.partition, context.offset, key, value, state.get_bytes(_RECORD)
        )
        state.set_bytes(_RECORD, record)
        return iter(decided)

    frames: list[Any] = [app.dataframe(_topic(app, name)) for name in job.inputs.values()]
    merged = reduce(StreamingDataFrame.concat, frames)
    decided = merged.apply(handle, stateful=True, expand=True, metadata=True)
    decided.apply(itemgetter(0)).to_topic(_topic(app, job.decisions))
    sent = decided.apply(itemgetter(1))
    sent[sent.apply(_is_sent)].to_topic(_topic(app, job.dispatch))
    return app


def _is_sent(request: bytes | None) -> bool:
    return request is not None


def _topic(app: Any, name: str) -> Any:
    return app.topic(
        name,
        key_deserializer="bytes",
        value_deserializer="bytes",
        key_serializer="bytes",
        value_serializer="bytes",
    )


if __name__ == "__main__":
    build(given_job()).run()
