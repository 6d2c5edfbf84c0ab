"""Keeps a customer's encoded record under its bound, whatever came in.

Records that grow to the bound are rare: each part has a limit of its own (``limits.py``), and only
many parts at their limits, in long texts, go beyond. Then parts go in this order, each only as far
as it has to, and nothing that withdraws, suppresses or counts is ever touched:

    1  the content of sent requests: a recall of such a send says what is known then
    2  the data that instances keep of their events, the largest first: its fields count as missing
    3  sends older than the newest 64
    4  keys that cancels, counts and starts were seen for, the oldest first
    5  profile attributes, the largest first
    6  instances that count for ``once`` and ``limit``, the oldest first
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from app.core.customer.codec import record_bytes
from app.core.customer.limits import MAX_OLD_SENDS, MAX_RECORD_BYTES
from app.core.customer.record import Customer

#: Of what is left of one part, how much goes before the record is measured again.
_SHARE: Final = 2

#: A record is measured again when it may have grown beyond this since it was last measured, and
#: then with each change: what one change can add is less than what is left.
_MEASURED_FROM: Final = MAX_RECORD_BYTES // 2

#: About how much a change adds, apart from what is noted where it is put in: what an instance
#: keeps of its event, a send, a profile update, a merged record.
_CHANGE_BYTES: Final = 4096

_NOTHING: Final[Sequence[str]] = ()
_encoder = msgspec.msgpack.Encoder()


def size(part: object) -> int:
    """How many bytes a part of a record has when it is encoded."""
    return len(_encoder.encode(part))


def bound_record(customer: Customer) -> Sequence[str]:
    """Keep a record that has changed within its bound, and name what it lost.

    Asked after each change, live and in a backtest, so that both decide by the same records. What
    belongs to the processor (outbox, offsets) is not measured: a backtest has none.
    """
    customer.about_bytes += _CHANGE_BYTES
    if customer.about_bytes <= _MEASURED_FROM:
        return _NOTHING
    customer.about_bytes = record_bytes(customer)
    return keep_within(customer) if customer.about_bytes > MAX_RECORD_BYTES else _NOTHING


def keep_within(customer: Customer, bound: int = MAX_RECORD_BYTES) -> list[str]:
    """Drop parts of the record until it is at most ``bound`` bytes, its outbox and offsets aside,
    and name those parts.
    """
    dropped: list[str] = []
    for part, drops in _DROPS.items():
        for _ in drops(customer):
            if part not in dropped:
                dropped.append(part)
            customer.about_bytes = record_bytes(customer)
            if customer.about_bytes <= bound:
                return dropped
    return dropped


def _drop_requests(customer: Customer) -> Iterator[None]:
    while held := [send for send in customer.sends if send.request is not None]:
        for send in held[: -(-len(held) // _SHARE)]:
            send.request = None
        yield


def _drop_data(customer: Customer) -> Iterator[None]:
    while held := [each for each in customer.instances if each.data]:
        held.sort(key=lambda each: size(each.data), reverse=True)
        for instance in held[: -(-len(held) // _SHARE)]:
            instance.data = {}
        yield


def _drop_sends(customer: Customer) -> Iterator[None]:
    while len(customer.sends) > MAX_OLD_SENDS:
        surplus = len(customer.sends) - MAX_OLD_SENDS
        del customer.sends[: -(-surplus // _SHARE)]
        yield


def _drop_keys(customer: Customer) -> Iterator[None]:
    memories: list[dict[str, dict[str, Any]]] = [
        customer.cancels_ms,
        customer.frequencies_ms,
        customer.starts_ms,
    ]
    while held := [keys for memory in memories for keys in memory.values() if keys]:
        for keys in held:
            for key in list(keys)[: -(-len(keys) // _SHARE)]:
                del keys[key]
        yield


def _drop_attributes(customer: Customer) -> Iterator[None]:
    attributes = customer.profile.get("attributes")
    while attributes:
        del attributes[max(attributes, key=lambda name: size(attributes[name]))]
        yield


def _drop_entered(customer: Customer) -> Iterator[None]:
    while held := [entered for entered in customer.entered.values() if entered]:
        for entered in held:
            del entered[: -(-len(entered) // _SHARE)]
        yield


_DROPS: Final[dict[str, Callable[[Customer], Iterator[None]]]] = {
    "requests": _drop_requests,
    "data": _drop_data,
    "sends": _drop_sends,
    "keys": _drop_keys,
    "attributes": _drop_attributes,
    "entered": _drop_entered,
}
#: What may go, in this order.
PARTS: Final = tuple(_DROPS)
