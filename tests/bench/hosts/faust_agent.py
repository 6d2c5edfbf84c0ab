"""An ordinary Faust agent: one event at a time, ``table[key] = record``, topics by ``send``."""

from typing import Any

import faust
import mode.loop

from tests.bench.hosts.core import Core
from tests.bench.hosts.job import Job, given_job


def build(job: Job) -> Any:
    """The app."""
    app = faust.App(
        job.group,
        broker=f"kafka://{job.bootstrap_servers}",
        store="rocksdb://",
        datadir=job.folder,
        autodiscover=False,
        web_enabled=False,
        broker_commit_interval=job.commit_interval_s,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_compression_type=job.compression,
        producer_linger=job.linger_ms / 1000,
        topic_partitions=job.partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,
        value_serializer="raw",
        key_serializer="raw",
    )
    raw = {"key_type": bytes, "value_type": bytes}
    inputs = app.topic(*job.inputs.values(), **raw)
    dispatch, decisions = app.topic(job.dispatch, **raw), app.topic(job.decisions, **raw)
    customers = app.Table("customers", partitions=job.partitions, **raw)
    core = Core(job)

    @app.agent(inputs)  # type: ignore[untyped-decorator]  # Faust has no types here
    async def decide(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            key = event.key
            record, decided = core.handle(
                message.topic,
                message.partition,
                message.offset,
                key,
                event.value,
                customers.get(key),
            )
            customers[key] = record
            for decision, request in decided:
                await decisions.send(key=key, value=decision)
                if request is not None:
                    await dispatch.send(key=key, value=request)

    return app


if __name__ == "__main__":
    mode.loop.use("uvloop")
    app = build(given_job())
    # quiet: with its progress spinner Faust makes a log record of every debug message
    faust.Worker(app, loglevel="warning", quiet=True).execute_from_commandline()
