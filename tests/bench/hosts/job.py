"""What a host is told: where to read, where to write, how to commit."""

import sys
from typing import Final

import msgspec

#: The same for every host that can be told.
ACKS: Final = "all"
COMPRESSION: Final = "lz4"
LINGER_MS: Final = 5
COMMIT_INTERVAL_S: Final = 0.5


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one host. Its JSON is the host's only argument."""

    bootstrap_servers: str
    #: consumer group, and the first part of the names of the topics that the host makes itself
    group: str
    #: logical name -> name on the broker
    inputs: dict[str, str]
    changelog: str
    dispatch: str
    decisions: str
    partitions: int
    #: for the host's store; empty at first
    folder: str
    rules: str
    #: environment variables that tell variants of one host apart
    variables: dict[str, str] = {}
    acks: str = ACKS
    compression: str = COMPRESSION
    linger_ms: int = LINGER_MS
    commit_interval_s: float = COMMIT_INTERVAL_S

    @property
    def logical(self) -> dict[str, str]:
        """Name on the broker -> logical name."""
        return {actual: logical for logical, actual in self.inputs.items()}

    def producer_config(self) -> dict[str, str | int | bool]:
        """What a host that owns a confluent-kafka producer gives it."""
        return {
            "acks": self.acks,
            "enable.idempotence": True,
            "compression.type": self.compression,
            "linger.ms": self.linger_ms,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }


#: For consumers made by librdkafka: the embedded broker answers with all it has.
LARGEST_ANSWER: Final = {"receive.message.max.bytes": 2_147_483_647}


def given_job() -> Job:
    """The job in the process's argument."""
    return msgspec.json.decode(sys.argv[1], type=Job)
