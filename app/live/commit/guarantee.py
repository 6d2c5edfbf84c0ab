"""Chooses the delivery guarantee, as set or as the broker allows, and opens its producer."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from app.core.errors import ConfigError, InfrastructureError
from app.kafka.clients import Admin, producer_config, transactional_config
from app.live.commit.transactions import PATIENCE_S
from app.settings.model import Settings

_log: Final = logging.getLogger(__name__)

#: A coordinator may have to be found, or to load its log first.
_INIT_TIMEOUT_S: Final = 30.0
_INIT_TRY_S: Final = 5.0
_INIT_PAUSE_S: Final = 0.05
_LOOK_S: Final = 10.0
#: How the settings of a broker begin whose transactions can be trusted.
_SETTINGS: Final = "transaction"

_UNSUPPORTED: Final = frozenset(
    {KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION, KafkaError._NOT_IMPLEMENTED}
)
_FORBIDDEN: Final = frozenset(
    {
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)

MakeProducer = Callable[[dict[str, Any]], Producer]


class OpenedProducer(NamedTuple):
    """A producer, initialised for transactions or configured without them.

    ``reopen`` makes another one of the same transactional id, waiting for a broker that is away;
    it raises KafkaException.
    """

    producer: Producer
    is_exactly_once: bool
    reopen: Callable[[], Producer] | None = None


def open_producer(settings: Settings, make: MakeProducer = Producer) -> OpenedProducer:
    """The producer for the guarantee that is set, or for the best that the broker allows.

    Whatever the guarantee, a transaction that an earlier worker of this instance id left open is
    aborted first, so that no worker waits for its timeout. Raises ConfigError when exactly_once
    is set and cannot be had; also when nothing is set and only the credentials are in the way: to
    promise less must be asked for. InfrastructureError when the broker does not answer.
    """
    wanted = settings.guarantee
    if wanted == "at_least_once":
        if settings.instance_id is not None:
            _abort_left_open(settings, make)
        return _at_least_once(settings, make)
    if wanted is None and not _has_transaction_settings(settings):
        return _at_least_once(settings, make, "the broker's transactions cannot be trusted")
    config = transactional_config(settings)
    producer = make(config)
    try:
        _init(producer, _INIT_TIMEOUT_S)
    except KafkaException as exc:
        error: Any = exc.args[0]
        if error.code() in _FORBIDDEN:
            raise ConfigError(
                f"exactly_once: the credentials do not allow the transactional id"
                f" {config['transactional.id']}: {error.str()}; allow the prefix"
                f" {settings.app_id}-, or set TRIGGER_GUARANTEE=at_least_once"
            ) from exc
        if error.code() not in _UNSUPPORTED:
            raise InfrastructureError(
                f"Kafka at {settings.bootstrap_servers} does not begin transactions:"
                f" {error.str()}; TRIGGER_GUARANTEE=at_least_once needs none"
            ) from exc
        if wanted == "exactly_once":
            raise ConfigError(
                f"exactly_once: Kafka at {settings.bootstrap_servers} has no transactions:"
                f" {error.str()}; set TRIGGER_GUARANTEE=at_least_once"
            ) from exc
        return _at_least_once(settings, make, "the broker has no transactions", error.name())

    def reopen() -> Producer:
        producer = make(config)
        _init(producer, PATIENCE_S)
        return producer

    return OpenedProducer(producer, is_exactly_once=True, reopen=reopen)


def _at_least_once(
    settings: Settings, make: MakeProducer, why: str | None = None, code: str | None = None
) -> OpenedProducer:
    """A producer without transactions; ``why`` when that is less than might be expected."""
    if why is not None:
        _log.warning(
            "%s, delivery is at least once",
            why,
            extra={"action": "guarantee", "guarantee": "at_least_once", "code": code},
        )
    return OpenedProducer(make(producer_config(settings)), is_exactly_once=False)


def _has_transaction_settings(settings: Settings) -> bool:
    """Whether the broker has settings for transactions, or does not let us look.

    The embedded broker has none and takes transactions all the same: a reader that begins behind an
    aborted one gets nothing more of that producer, and no producer is fenced.
    """
    names = Admin(settings).broker_settings(_LOOK_S)
    return names is None or any(name.startswith(_SETTINGS) for name in names)


def _abort_left_open(settings: Settings, make: MakeProducer) -> None:
    try:
        _init(make(transactional_config(settings)), _INIT_TRY_S)
    except KafkaException as exc:
        _log.info(
            "the broker has no transactions; at_least_once needs none",
            extra={"action": "guarantee", "code": exc.args[0].name()},
        )


def _init(producer: Producer, timeout_s: float) -> None:
    """Fence and abort what runs under the same transactional id."""
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            producer.init_transactions(_INIT_TRY_S)
        except KafkaException as exc:
            if not exc.args[0].retriable() or time.monotonic() + _INIT_TRY_S > end_s:
                raise
            time.sleep(_INIT_PAUSE_S)
        else:
            return
