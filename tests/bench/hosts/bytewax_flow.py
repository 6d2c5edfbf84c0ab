"""Bytewax: the same core in ``stateful_flat_map``.

Its records live in memory as encoded bytes, and it has no changelog: so the flow writes each
record to the job's changelog topic, and Bytewax's own recovery (snapshots in SQLite) is off. It
does not commit to Kafka either: how far it is shows in its changelog, an entry for each event.
"""

from datetime import timedelta
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from tests.bench.hosts.core import Core
from tests.bench.hosts.job import LARGEST_ANSWER, Job, given_job

#: (topic, key, value) of a record to write
Output = tuple[str, bytes, bytes]


def build(job: Job) -> Any:
    """The dataflow."""
    core = Core(job)

    def handle(
        record: bytes | None, message: KafkaSourceMessage
    ) -> tuple[bytes | None, list[Output]]:
        key = message.key
        record, decided = core.handle(
            message.topic, message.partition, message.offset, key, message.value, record
        )
        outputs = [(job.changelog, key, record)]
        for decision, request in decided:
            outputs.append((job.decisions, key, decision))
            if request is not None:
                outputs.append((job.dispatch, key, request))
        return record, outputs

    brokers = job.bootstrap_servers.split(",")
    flow = Dataflow("bench")
    source = KafkaSource(brokers, list(job.inputs.values()), add_config=dict(LARGEST_ANSWER))
    messages = op.input("read", flow, source)
    keyed = op.key_on("key", messages, lambda message: message.key.decode())
    outputs = op.key_rm("unkey", op.stateful_flat_map("decide", keyed, handle))
    written = op.map(
        "write", outputs, lambda out: KafkaSinkMessage(key=out[1], value=out[2], topic=out[0])
    )
    config = {name: str(value) for name, value in job.producer_config().items()}
    kop.output("out", written, brokers=brokers, topic=job.changelog, add_config=config)
    return flow


if __name__ == "__main__":
    job = given_job()
    cli_main(build(job), epoch_interval=timedelta(seconds=job.commit_interval_s))
