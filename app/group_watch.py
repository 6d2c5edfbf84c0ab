"""Hears what aiokafka says about the consumer group to nobody in particular.

After an error that it does not mend by itself (a right that is missing, a login that is refused)
aiokafka's coordinator stands still until somebody asks for the error, as its own ``getmany`` does.
Faust reads without that: the worker would wait for its partitions for ever and say nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka.errors import KafkaError

from app.core.errors import InfrastructureError

_log: Final = logging.getLogger(__name__)
_LOOK_S: Final = 0.5


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
                        f"no member of the consumer group any more: {exc};"
                        " check the credentials and the rights on the group and its topics"
                    )
                )
                return
            _log.warning(
                "group error, the member tries again",
                extra={"action": "group_error", "error": type(exc).__name__},
            )
