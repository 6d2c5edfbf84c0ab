"""The parts of a customer's record that msgspec makes and writes: read seldom, or by the dozen.

The order of their fields is that of the arrays in a record (``app.core.customer.columns``): new
ones go at the end, with a default that stands for what an older record lacks.
"""

from typing import Any

import msgspec

from app.core.numbers import Number
from app.core.recorded import Cause, SendRequest


class Sent(msgspec.Struct, array_like=True, gc=False):
    """A send or ghost send, remembered while a window, a recall, a cooldown or attribution can
    ask for it.
    """

    decided_ms: int
    due_ms: int
    trigger: str
    family: str
    key: str
    anchor_ms: int
    step: int
    channel: str
    is_marketing: bool
    is_ghost: bool
    request_id: str
    cause: Cause
    #: an open or a click named it
    is_opened: bool = False
    #: (name, variant)
    experiment: tuple[str, str] | None = None
    #: what went out when it is not what the trigger's step says
    template: str | None = None
    #: of a send anchored at a ``delivered``: its order, empty when it names none
    delivered_order: str | None = None
    #: which kinds of outcome have been recorded against it (``app.core.attribution.led_to``)
    recorded: int = 0
    #: the newest opens and clicks that named it, in order of time
    opened_ms: list[int] = []
    clicked_ms: list[int] = []
    #: segments and cluster of the customer in its decision, and the design of the experiment
    segments: list[str] = []
    cluster: str | None = None
    design: str | None = None
    #: where it went
    address: str | None = None
    #: what was put on ``dispatch``, for as long as a recall can have to repeat it
    request: SendRequest | None = None
    #: opens and clicks by scanners and privacy proxies
    machine_opens: int = 0
    #: the customer that it went to, when that one was merged into this one since
    opened_by: str | None = None


class SentStart(msgspec.Struct, array_like=True, gc=False):
    """What a ``Sent`` begins with."""

    decided_ms: int
    due_ms: int
    trigger: str


class Purchase(msgspec.Struct, array_like=True, gc=False):
    """An order or booking that a cancellation can still take back, and what it added."""

    #: empty: it cannot be cancelled
    id: str
    occurred_ms: int
    #: data field -> amount in the sum of that field
    amounts: dict[str, Number]
    is_discounted: bool


class Purchases(msgspec.Struct, array_like=True, gc=False):
    """The purchases of one type: the last ones by arrival, and of the others what is needed."""

    kept: list[Purchase] = []
    #: id -> newest cancellation, the last ids, oldest first
    cancelled: dict[str, int] = {}
    #: first and last of those that are no longer kept
    first_ms: int | None = None
    last_ms: int | None = None


class Entered(msgspec.Struct, array_like=True, gc=False):
    """An instance that counts for ``once`` and ``limit`` of its trigger after it has ended."""

    key: str
    anchor_ms: int
    #: bit n: step n was sent (or ghost sent), not recalled; an instance without any does not count
    sent: int


class StoppedStart(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event that opened no instance although its trigger names its type, and why not."""

    trigger: str
    key: str
    occurred_ms: int
    reason: str


class FactDay(msgspec.Struct, array_like=True, gc=False):
    """The values of one day (UTC) that a rolling fact no longer holds one by one."""

    day: int
    count: int
    total: Number
    least: Number
    most: Number
    first: tuple[int, Any]


class FactState(msgspec.Struct, array_like=True, gc=False):
    """What one declared fact has gathered; which of these it uses depends on what it asks."""

    count: int = 0
    total: Number = 0
    #: (occurred_at in epoch ms, value), oldest first
    values: list[tuple[int, Any]] = []
    #: oldest first
    days: list[FactDay] = []
