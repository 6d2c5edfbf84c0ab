"""How this engine's confluent-kafka clients are configured: one function per client.

What librdkafka has to say goes to the ``app.kafka.clients`` logger, not to the terminal. It is
handed over inside the client's own ``poll``.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AdminClient,
    ConfigResource,
)

from app.kafka.oauth import TokenSource, token_source
from app.kafka.tls import tls_context
from app.settings.model import Settings

_log: Final = logging.getLogger(__name__)
_unheard: Final = logging.getLogger(f"{__name__}.unheard")
_unheard.disabled = True

#: Brokers of the embedded kind answer a fetch with all they have, whatever limit was asked for.
_LARGEST_ANSWER_BYTES: Final = 2_147_483_647
#: A broker that is back is found again within about this time.
_RECONNECT_MS: Final = 1_000
#: When the group's coordinator goes, a transaction waits for it in vain until some connection
#: opens or closes (librdkafka issue 5511): in such a pause all are idle, and the first one closes.
_IDLE_MS: Final = 5_000
#: The limit of the topic counts; the client's own would refuse what others could write.
_LARGEST_MESSAGE_BYTES: Final = 1_000_000_000
_DELIVERY_TIMEOUT_MS: Final = 60_000
#: A partition is new, or its leader has just gone: another answer comes soon.
_NO_LEADER: Final = frozenset(
    {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
)
_LEADER_POLL_S: Final = 0.05
#: Their text names the broker and what it or TLS objects to, never a credential.
_SAYS_WHY: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE})

#: Where a broker hangs up whose port speaks another protocol than the client.
_HUNG_UP_IN: Final = {
    "SSL_HANDSHAKE": "it hangs up in the TLS handshake: is it a PLAINTEXT port, where"
    " TRIGGER_SECURITY_PROTOCOL asks for SSL?",
    "APIVERSION_QUERY": "it hangs up on the first request: is it an SSL port, where"
    " TRIGGER_SECURITY_PROTOCOL asks for PLAINTEXT?",
}


def producer_config(settings: Settings) -> dict[str, Any]:
    """Idempotent, acknowledged by all replicas, in order.

    Callers give each record its partition; one without falls where Java's murmur2 puts it.
    """
    compression = settings.compression or "gzip"
    return _common(settings, "producer") | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "compression.type": compression,
        # the fastest level: the next ones save a tenth and take five times as long
        **({"compression.level": 1} if compression == "gzip" else {}),
        "linger.ms": 5,
        "queue.buffering.max.messages": 1_000_000,
        "message.max.bytes": _LARGEST_MESSAGE_BYTES,
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
        # Records are given up, and the transaction aborted, before the broker aborts it by itself:
        # the first can be done again, the second ends this producer.
        "delivery.timeout.ms": min(timeout_ms * 2 // 3, _DELIVERY_TIMEOUT_MS),
        "connections.max.idle.ms": _IDLE_MS,
    }


def consumer_config(settings: Settings) -> dict[str, Any]:
    """Reads from the start what is committed to Kafka, and commits nothing by itself.

    For ``assign`` and for questions about the engine's group, never for joining it. It has the
    group's name because every reader needs one, and another's would be one more right to give.
    """
    return _common(settings, "reader") | {
        "group.id": settings.app_id,
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


class Admin(AdminClient):
    """For topics. Says why it could not connect when it is asked, and logs nothing: it lives for
    a few calls, whose errors are raised.
    """

    def __init__(self, settings: Settings) -> None:
        self._reason = ""
        self._guess = ""
        quiet = {"error_cb": self._remember, "logger": _unheard}
        super().__init__(admin_config(settings) | quiet)

    def reason(self) -> str:
        """What kept it from connecting, as far as is known; empty text otherwise."""
        self.poll(0)
        return self._reason

    def guess(self) -> str:
        """What probably keeps it from connecting, when no answer says why; else empty text."""
        self.poll(0)
        return self._guess

    def broker_settings(self, timeout_s: float) -> frozenset[str] | None:
        """The names of the settings of a broker; None when it does not let us look."""
        try:
            (broker_id, *_) = self.list_topics(timeout=timeout_s).brokers
            asked = ConfigResource(ConfigResource.Type.BROKER, str(broker_id))
            (answer,) = self.describe_configs([asked], request_timeout=timeout_s).values()
            return frozenset(answer.result())
        except (KafkaException, ValueError):
            return None

    def _remember(self, error: KafkaError) -> None:
        if error.code() in _SAYS_WHY:
            self._reason = error.str()
        for state, guess in _HUNG_UP_IN.items():
            if state in error.str():
                self._guess = guess


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
    """Raises ConfigError or InfrastructureError when certificates, key or token are of no use:
    librdkafka would not say so clearly.
    """
    if settings.security_protocol.endswith("SSL"):
        tls_context(settings)
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
    if settings.sasl_mechanism == "OAUTHBEARER":
        source = token_source(settings)
        source.token()
        config["oauth_cb"] = _token_callback(source)
    return config | {name: str(value) for name, value in optional.items() if value is not None}


def _token_callback(source: TokenSource) -> Callable[[str], tuple[str, float]]:
    """For librdkafka: called at the start, and each time when 80 % of a token's life is over."""

    def give(_: str) -> tuple[str, float]:
        token = source.token()
        return token.secret.reveal(), token.expires_s

    return give


def _on_error(error: KafkaError) -> None:
    """Librdkafka reconnects by itself; what it cannot mend comes back from the call in question,
    but not the reason for which it could not connect.
    """
    extra = {"action": "kafka_error", "code": error.name(), "fatal": error.fatal()}
    if error.code() in _SAYS_WHY:
        extra["reason"] = error.str()
    _log.warning("kafka client error", extra=extra)
