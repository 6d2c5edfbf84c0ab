"""The membership of this worker in its consumer group, which every commit is checked against.

The broker refuses a transaction's offsets when they come under a generation or a member id that is
no longer the group's (KIP-447): a worker that has lost its partitions cannot finish a transaction.
A unit is committed under the membership of the assignment that it was made in, never a later one.
"""

import asyncio
import logging
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from app.core.errors import InfrastructureError

_GENERATION: Final = struct.Struct("<i")


_log: Final = logging.getLogger(__name__)


_LOOK_S: Final = 0.5
#: A session that ran out makes a member unknown once. One that is unknown so often in so short a
#: time was replaced each time by another one of the same instance id.
_TAKEOVERS: Final = 5
_TAKEOVERS_WITHIN_S: Final = 60.0


def watch_takeovers(coordinator: Any, on_lost: Callable[[InfrastructureError], None]) -> None:
    """Tell ``on_lost`` when another member keeps taking the instance id of this one.

    aiokafka's heartbeats do not carry the instance id, so that the broker cannot say that it has
    another holder: both would join in turn, for ever. The one that was replaced most often, which
    is the older one, stays out and ends.
    """
    if not coordinator._group_instance_id:
        return
    reset = coordinator.reset_generation
    times: deque[float] = deque(maxlen=_TAKEOVERS)

    def count() -> None:
        times.append(time.monotonic())
        if len(times) < _TAKEOVERS or times[-1] - times[0] > _TAKEOVERS_WITHIN_S:
            reset()
            return
        on_lost(
            InfrastructureError(
                "another worker has the same TRIGGER_INSTANCE_ID,"
                f" {coordinator._group_instance_id}, and takes its place in the group again and"
                " again: give each worker its own"
            )
        )

    coordinator.reset_generation = count


async def watch_group(consumer: Any, on_lost: Callable[[InfrastructureError], None]) -> None:
    """Look until cancelled, in the consumer's own loop. After an error that may pass, the
    coordinator tries again; any other goes to ``on_lost``.
    """
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            consumer._coordinator.check_errors()
        except KafkaError as exc:
            if not exc.retriable:
                on_lost(
                    InfrastructureError(
                        f"no member of the consumer group any more: {type(exc).__name__}: {exc};"
                        " either another worker has the same TRIGGER_INSTANCE_ID, then give each"
                        " its own; or another application uses the group of TRIGGER_APP_ID"
                        f" ({consumer._group_id}); or the rights on it and its topics are gone"
                    )
                )
                return
            _log.warning(
                "group error, the member tries again",
                extra={"action": "group_error", "error": type(exc).__name__},
            )


class GroupMembership(NamedTuple):
    """A member of a generation of the consumer group."""

    generation: int
    member_id: str

    def metadata(self, group_id: str) -> bytes:
        """As ``send_offsets_to_transaction`` of librdkafka's clients takes it.

        Its layout: ``CGMDv2:``, the generation as little-endian int32, group id NUL, member id
        NUL, and 1 for "no instance id" (the member id tells the incarnations of one apart).
        Raises InfrastructureError when this is no member: the broker takes generation -1 without
        a member id for a client of old, and lets it pass unfenced.
        """
        if self.generation < 0 or not self.member_id:
            raise InfrastructureError(
                f"this worker is no member of the group {group_id} any more: it must not commit"
            )
        generation = _GENERATION.pack(self.generation)
        return b"CGMDv2:%b%b\0%b\0\1" % (generation, group_id.encode(), self.member_id.encode())


#: Between assignments.
NO_MEMBER: Final = GroupMembership(-1, "")
