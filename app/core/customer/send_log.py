"""The sends that a customer's record remembers."""

from bisect import bisect_right, insort
from operator import attrgetter
from typing import Any, Final

from app.core.customer.column_codec import read_sent, read_sent_start
from app.core.customer.parts import Sent, SentStart

_DECIDED_MS: Final = attrgetter("decided_ms")


class SendLog:
    """Sends and ghost sends in the order of their decisions, and when the customer opens them.

    Those of a record that was read stay bytes until they are asked for, from the newest on: what is
    asked is most often about the last ones. Asking raises InfrastructureError when one cannot be
    read.
    """

    __slots__ = ("_sends", "_stored", "opened_minutes")

    def __init__(self, stored: list[Any], opened_minutes: list[int]) -> None:
        """``stored`` is the msgpack of each send (``msgspec.Raw``)."""
        self._sends = stored
        #: how many of the first ones are as they are stored
        self._stored = len(stored)
        #: the last opens and clicks in order of arrival, in minutes since the epoch
        self.opened_minutes = opened_minutes

    def replace(self, sends: list[Sent]) -> None:
        """Have these and no others."""
        self._sends = sends
        self._stored = 0

    def count(self) -> int:
        """How many there are."""
        return len(self._sends)

    def all(self) -> list[Sent]:
        """All of them: the list itself, which may be changed."""
        if self._stored:
            self._read_from(0)
        return self._sends

    def since(self, after_ms: int) -> list[Sent]:
        """Those decided after that."""
        sends = self._sends
        if self._stored:
            at = len(sends)
            while at and self._start(at - 1).decided_ms > after_ms:
                at -= 1
            self._read_from(at)
            return sends[at:]
        return sends[bisect_right(sends, after_ms, key=_DECIDED_MS) :]

    def of(self, trigger: str, after_ms: int) -> list[Sent]:
        """At least those of the trigger of that name decided after that."""
        if not self._stored:
            return self.since(after_ms)
        sends = self._sends
        at = first = len(sends)
        while at:
            start = self._start(at - 1)
            if start.decided_ms <= after_ms:
                break
            at -= 1
            if start.trigger == trigger:
                first = at
        self._read_from(first)
        return sends[first:]

    def first_ms(self) -> int:
        """When the first was decided, which there must be."""
        return self._start(0).decided_ms

    def add(self, sent: Sent, most: int) -> None:
        """One more, in its place; of more than ``most`` the first go."""
        sends = self._sends
        if sends and self._start(len(sends) - 1).decided_ms > sent.decided_ms:
            insort(self.all(), sent, key=_DECIDED_MS)
        else:
            sends.append(sent)
        surplus = len(sends) - most
        if surplus > 0:
            del sends[:surplus]
            self._stored = max(0, self._stored - surplus)

    def stored(self) -> list[Any]:
        """What the column ``Sends`` has of them."""
        return self._sends

    def _start(self, at: int) -> Sent | SentStart:
        """What the send at that place begins with: when and of which trigger it was decided."""
        if at < self._stored:
            return read_sent_start(self._sends[at])
        sent: Sent = self._sends[at]
        return sent

    def _read_from(self, at: int) -> None:
        """Read all from that place on."""
        sends = self._sends
        while self._stored > at:
            last = self._stored - 1
            sends[last] = read_sent(sends[last])
            self._stored = last
