"""Messages between the process that reads and one that decides: bytes over a pair of sockets.

Each is its length (8 bytes, big-endian) and its content.
"""

import select
import socket
from collections import deque
from typing import Final

_LENGTH_BYTES: Final = 8
_READ_BYTES: Final = 1 << 20


class Link:
    """The end of the process that reads: it never waits for one process alone."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._unsent: deque[memoryview] = deque()
        self._unread = bytearray()
        #: complete ones, in order
        self.messages: deque[bytes] = deque()

    def fileno(self) -> int:
        """For ``select``."""
        return self._end.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether ``send_more`` has something to do."""
        return bool(self._unsent)

    def send(self, message: bytes) -> None:
        """Send what goes now, keep the rest."""
        self._unsent.append(memoryview(len(message).to_bytes(_LENGTH_BYTES) + message))
        self.send_more()

    def send_more(self) -> None:
        """Send what goes now. Raises OSError when the other process is gone."""
        unsent = self._unsent
        while unsent:
            try:
                sent = self._end.send(unsent[0])
            except BlockingIOError:
                return
            if sent == len(unsent[0]):
                unsent.popleft()
            else:
                unsent[0] = unsent[0][sent:]

    def read_more(self) -> None:
        """Read what is there into ``messages``. Raises EOFError when the other process is gone."""
        try:
            part = self._end.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not part:
            raise EOFError
        unread = self._unread
        unread += part
        start = 0
        while len(unread) >= start + _LENGTH_BYTES:
            content = start + _LENGTH_BYTES
            end = content + int.from_bytes(unread[start:content])
            if len(unread) < end:
                break
            self.messages.append(bytes(memoryview(unread)[content:end]))
            start = end
        if start:
            del unread[:start]

    def next_message(self) -> bytes:
        """The next message, however long that takes. Raises EOFError as ``read_more`` does."""
        while not self.messages:
            select.select([self], [], [])
            self.read_more()
        return self.messages.popleft()

    def close(self) -> None:
        """The other process finds the end of its input."""
        self._end.close()


def send_message(end: socket.socket, message: bytes) -> None:
    """From a process that decides: wait until it is sent. OSError: the reader is gone."""
    end.sendall(len(message).to_bytes(_LENGTH_BYTES))
    end.sendall(message)


def read_message(end: socket.socket) -> bytearray | None:
    """In a process that decides: wait for the next one; None when no more can come."""
    length = _read(end, _LENGTH_BYTES)
    return None if length is None else _read(end, int.from_bytes(length))


def _read(end: socket.socket, length: int) -> bytearray | None:
    content = bytearray(length)
    rest = memoryview(content)
    while rest:
        count = end.recv_into(rest)
        if not count:
            return None
        rest = rest[count:]
    return content
