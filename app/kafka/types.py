"""What the worker needs of the types of Kafka clients, so that a client can be exchanged.

Only ``app/kafka``, ``app/live/input``, ``app/live/commit`` and the Faust app import a client.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

Headers = Sequence[tuple[str, bytes | None]]


class TopicPartition(NamedTuple):
    """A partition of a topic, named as on the broker. Equal to the clients' own (topic, number)."""

    topic: str
    partition: int


class InputRecord(Protocol):
    """A record as a consumer hands it over."""

    @property
    def topic(self) -> str:
        """The name on the broker."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int:
        """Epoch ms: when its publisher made it, or the broker took it."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class FetchedRecord(msgspec.Struct, gc=False):
    """An input record out of a fetch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class RestoredRecord(NamedTuple):
    """An input record rebuilt from what another topic says of it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
