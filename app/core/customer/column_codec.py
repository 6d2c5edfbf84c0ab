"""Columns of a customer's record as bytes (``app.core.customer.columns``)."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from app.core.customer.columns import KEPT, Bought, Facts, Profile, Sends, State
from app.core.customer.parts import Sent, SentStart
from app.core.errors import InfrastructureError
from app.core.recorded import Cause

#: reads the column of ``State``; raises msgspec.DecodeError
read_state: Final = msgspec.msgpack.Decoder(State).decode
#: reads the lines in the column of the outbox; raises msgspec.DecodeError
read_outbox: Final = msgspec.msgpack.Decoder(list[bytes]).decode
#: writes the column of ``State``, of its fields, or that of the outbox, of its lines
write_array: Final = msgspec.msgpack.Encoder().encode

_read_data: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode
_read_cause: Final = msgspec.msgpack.Decoder(Cause).decode
_read_sent: Final = msgspec.msgpack.Decoder(Sent).decode
_read_sent_start: Final = msgspec.msgpack.Decoder(SentStart).decode
_read_kept: Final = {name: msgspec.msgpack.Decoder(kept).decode for name, kept in KEPT.items()}

Part = TypeVar("Part")
Fields = TypeVar("Fields", bound=msgspec.Struct)


def read_data(stored: msgspec.Raw) -> dict[str, Any]:
    """The data of an instance. Raises InfrastructureError."""
    return _decoded(_read_data, stored)


def read_cause(stored: msgspec.Raw) -> Cause:
    """The cause of an instance. Raises InfrastructureError."""
    return _decoded(_read_cause, stored)


def read_sent(stored: msgspec.Raw) -> Sent:
    """A send. Raises InfrastructureError."""
    return _decoded(_read_sent, stored)


def read_sent_start(stored: msgspec.Raw) -> SentStart:
    """What a send begins with. Raises InfrastructureError."""
    return _decoded(_read_sent_start, stored)


def read_kept(name: str, stored: msgspec.Raw) -> Any:
    """The value of a field in ``KEPT``. Raises InfrastructureError."""
    return _decoded(_read_kept[name], stored)


def _decoded(decode: Callable[[bytes | msgspec.Raw], Part], stored: bytes | msgspec.Raw) -> Part:
    try:
        return decode(stored)
    except msgspec.MsgspecError as exc:
        raise unreadable(exc) from exc


def unreadable(exc: Exception) -> InfrastructureError:
    """What is raised for a record that cannot be read."""
    return InfrastructureError(f"a customer record cannot be read: {exc}")


class Column(Generic[Fields]):
    """A column that is decoded when one of its fields is asked for."""

    __slots__ = ("_decode", "_empty", "_fields")

    def __init__(self, fields: type[Fields]) -> None:
        self._fields: Final = fields
        self._decode: Final = msgspec.msgpack.Decoder(fields).decode
        #: the array of the defaults
        self._empty: Final = write_array(fields())

    def read(self, column: bytes) -> Fields:
        """The values of all fields. Raises InfrastructureError."""
        return _decoded(self._decode, column) if column else self._fields()

    def write(self, fields: Fields) -> bytes:
        """The column: nothing while all fields have their defaults."""
        column = write_array(fields)
        return b"" if column == self._empty else column


#: Those that are decoded when asked for, in the order that a record has them in.
PROFILE: Final = Column(Profile)
SENDS: Final = Column(Sends)
BOUGHT: Final = Column(Bought)
FACTS: Final = Column(Facts)
