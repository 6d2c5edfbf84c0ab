"""Ends of logs and committed offsets, where an open transaction makes a difference.

A worker that died, or hangs, in a transaction may have records in the changelog and offsets in the
group that are neither committed nor aborted yet. The worker that takes over its partitions must
know how that ends before it reads: otherwise it would recover a state, or start from offsets, that
a commit changes afterwards. An open transaction ends when its worker comes back under the same
instance id, or with the transaction timeout.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
)
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AdminClient,
    OffsetSpec,
)

from app.core.errors import InfrastructureError
from app.kafka.clients import admin_config, consumer_config
from app.kafka.types import TopicPartition
from app.settings.model import Settings

_log: Final = logging.getLogger(__name__)

_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_REQUEST_TIMEOUT_S: Final = 3.0
_OPEN_POLL_S: Final = 0.05
_RETRY_S: Final = 0.5
_PATIENCE_S: Final = 120.0

_FINAL: Final = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
#: The client answers with an invalid offset, and no error, for a partition whose broker went away.
_NO_OFFSET: Final = KafkaError(KafkaError.OFFSET_NOT_AVAILABLE, "an answer without an offset")


def _admin_client(settings: Settings) -> AdminClient:
    return AdminClient(admin_config(settings))


class BrokerOffsets:
    """Asks the broker; used from the worker's main loop. Raises InfrastructureError when it refuses
    to answer, or does not come to it in two minutes.
    """

    def __init__(
        self,
        settings: Settings,
        make_admin: Callable[[Settings], Any] = _admin_client,
        retry_s: float = _RETRY_S,
    ) -> None:
        self._settings = settings
        self._make_admin = make_admin
        self._retry_s = retry_s
        self._admin = make_admin(settings)

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log ends, records of open transactions counted in."""
        return await self._listed(tps, _LATEST, "end")

    async def starts(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log begins: what was before is deleted."""
        return await self._listed(tps, _EARLIEST, "start")

    async def _listed(
        self, tps: Iterable[TopicPartition], spec: OffsetSpec, name: str
    ) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = {}
        missing = set(tps)
        deadline = time.monotonic() + _PATIENCE_S
        while missing:
            answers = self._admin.list_offsets(
                {ClientPartition(*tp): spec for tp in missing},
                isolation_level=IsolationLevel.READ_UNCOMMITTED,
                request_timeout=_REQUEST_TIMEOUT_S,
            )
            for asked, answer in answers.items():
                tp = TopicPartition(asked.topic, asked.partition)
                try:
                    offset = (await asyncio.wrap_future(answer)).offset
                    if offset < 0:
                        raise KafkaException(_NO_OFFSET)
                    found[tp] = offset
                except KafkaException as exc:
                    await self._pause(exc.args[0], f"the {name} of {tp.topic}", deadline)
                    break
            missing -= found.keys()
        return found

    async def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's offsets, once no transaction is open that would change one of them.

        Partitions without an offset are left out.
        """
        asked = [ClientPartition(*tp) for tp in tps]
        what = f"offsets of {self._settings.app_id}"
        deadline = time.monotonic() + _PATIENCE_S
        is_logged = False
        while asked:
            try:
                answers = await asyncio.to_thread(_committed, self._settings, asked)
            except KafkaException as exc:
                errors = [exc.args[0]]
            else:
                errors = [each.error for each in answers if each.error is not None]
            if not errors:
                return {
                    TopicPartition(each.topic, each.partition): each.offset
                    for each in answers
                    if each.offset >= 0
                }
            if any(each.code() != KafkaError.UNSTABLE_OFFSET_COMMIT for each in errors):
                await self._pause(errors[0], what, deadline)
                continue
            if not is_logged:
                is_logged = True
                _log.info(
                    "a transaction of another worker is open, its end is waited for",
                    extra={"action": "open_transaction"},
                )
            await asyncio.sleep(_OPEN_POLL_S)
        return {}

    async def _pause(self, error: Any, what: str, deadline: float) -> None:
        """Let some time go by after an error. Raises InfrastructureError when it is of no use.

        The client is a new one then: after its brokers were gone, one may wait for a connection
        that it has given up itself.
        """
        if error.code() in _FINAL or time.monotonic() > deadline:
            raise InfrastructureError(f"Kafka does not tell {what}: {error.str()}")
        _log.warning(
            "offsets are asked for again", extra={"action": "offsets", "code": error.name()}
        )
        await asyncio.sleep(self._retry_s)
        self._admin = self._make_admin(self._settings)


def _committed(settings: Settings, asked: list[ClientPartition]) -> list[ClientPartition]:
    """Ask with a consumer, which takes no part in the group: an admin client that asks the same
    ends the process when the broker dies before it answers (librdkafka looks for its group).
    """
    reader = Consumer(consumer_config(settings))
    try:
        return list(reader.committed(asked, timeout=_REQUEST_TIMEOUT_S))
    finally:
        reader.close()
