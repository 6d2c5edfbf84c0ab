"""How this engine's confluent-kafka clients are configured: one function per client.

What librdkafka has to say goes to the ``app.kafka`` logger, not to the terminal. It is handed over
inside the client's own ``poll``.
"""

import logging
import time
from typing import Any, Final
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app.settings import Settings

_log: Final = logging.getLogger(__name__)

#: Brokers of the embedded kind answer a fetch with all they have, whatever limit was asked for.
_LARGEST_ANSWER_BYTES: Final = 2_147_483_647
#: A broker that is back is found again within about this time.
_RECONNECT_MS: Final = 1_000
#: When the group's coordinator goes, a transaction waits for it in vain until some connection
#: opens or closes (librdkafka issue 5511): in such a pause all are idle, and the first one closes.
_IDLE_MS: Final = 5_000
_DELIVERY_TIMEOUT_MS: Final = 60_000
#: A partition is new, or its leader has just gone: another answer comes soon.
_NO_LEADER: Final = frozenset(
    {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
)
_LEADER_POLL_S: Final = 0.05


def producer_config(settings: Settings) -> dict[str, Any]:
    """Idempotent, acknowledged by all replicas, in order.

    Callers give each record its partition; one without falls where Java's murmur2 puts it.
    """
    return _common(settings, "producer") | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "queue.buffering.max.messages": 1_000_000,
        "delivery.timeout.ms": _DELIVERY_TIMEOUT_MS,
    }


def transactional_config(settings: Settings) -> dict[str, Any]:
    """The same in transactions, under the instance id: a later worker of that id fences this one.

    Without an instance id each worker has another name, and what it leaves open ends by timeout.
    """
    name = settings.instance_id or uuid4().hex
    timeout_ms = settings.transaction_timeout_ms
    return producer_config(settings) | {
        "transactional.id": f"{settings.app_id}-{name}",
        "transaction.timeout.ms": timeout_ms,
        "delivery.timeout.ms": min(timeout_ms, _DELIVERY_TIMEOUT_MS),
        "connections.max.idle.ms": _IDLE_MS,
    }


def consumer_config(settings: Settings, group_id: str | None = None) -> dict[str, Any]:
    """Reads from the start what is committed to Kafka, and commits nothing by itself.

    Without a ``group_id`` the reader is for ``assign`` only.
    """
    return _common(settings, "reader") | {
        "group.id": group_id or f"{settings.app_id}-readers",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "receive.message.max.bytes": _LARGEST_ANSWER_BYTES,
    }


def admin_config(settings: Settings) -> dict[str, Any]:
    """For topics: metadata, creation, configuration."""
    return _common(settings, "admin")


def watermarks(reader: Consumer, place: TopicPartition, timeout_s: float) -> tuple[int, int]:
    """The partition's first offset and the one that comes next.

    Asks again while the partition has no leader. Raises KafkaException without an answer in time.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            found: tuple[int, int] = reader.get_watermark_offsets(
                place, max(0.001, end_s - time.monotonic())
            )
            return found
        except KafkaException as exc:
            if exc.args[0].code() not in _NO_LEADER or time.monotonic() > end_s:
                raise
            time.sleep(_LEADER_POLL_S)


def _common(settings: Settings, role: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"{settings.app_id}-{role}",
        "security.protocol": settings.security_protocol,
        "logger": _log,
        "error_cb": _on_error,
        "reconnect.backoff.max.ms": _RECONNECT_MS,
        # After all brokers were away, librdkafka otherwise forgets them with what waits for them:
        # a transaction hangs for ever then, whatever the timeout (librdkafka issue 5511).
        "metadata.recovery.strategy": "none",
    }
    sasl_password, ssl_key_password = settings.sasl_password, settings.ssl_key_password
    optional = {
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": sasl_password.reveal() if sasl_password else None,
        "ssl.ca.location": settings.ssl_cafile,
        "ssl.certificate.location": settings.ssl_certfile,
        "ssl.key.location": settings.ssl_keyfile,
        "ssl.key.password": ssl_key_password.reveal() if ssl_key_password else None,
    }
    return config | {name: str(value) for name, value in optional.items() if value is not None}


def _on_error(error: KafkaError) -> None:
    """Librdkafka reconnects by itself; what it cannot mend comes back from the call in question."""
    _log.warning(
        "kafka client error",
        extra={"action": "kafka_error", "code": error.name(), "fatal": error.fatal()},
    )
