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

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Final

import msgspec

from app.core.customer.limits import MAX_OLD_SENDS, MAX_RECORD_BYTES
from app.core.customer.record import Customer

#: Of what is left of one part, how much goes before the record is measured again.
_SHARE: Final = 2

#: A record of fewer sends, open instances and remembered keys is not measured.
_FEW_PARTS: Final = 8
#: No send without its request, and no instance without its data, is longer: a key and an order of
#: 1024 characters each, three ids, and names of the rules.
_PART_BYTES: Final = 10 * 1024
#: The same without key, order and the id of a merged customer.
_SHORT_PART_BYTES: Final = 2 * 1024
#: What else has limits of its own is not longer: counters, digests, times, purchases, addresses.
_OTHER_BYTES: Final = 256 * 1024

_request_of: Final = attrgetter("request")
_size_of: Final = attrgetter("size")
_texts_of_send: Final = attrgetter("key", "delivered_order", "opened_by")
_texts_of_instance: Final = attrgetter("key", "opened_by")
_encoder = msgspec.msgpack.Encoder()


def size(part: object) -> int:
    """How many bytes the record, or a part of one, has when it is encoded."""
    return len(_encoder.encode(part))


def bound_record(customer: Customer) -> list[str]:
    """Keep a record that has changed within its bound, and name what it lost.

    Asked after each change, live and in a backtest, so that both decide by the same records. What
    belongs to the processor (outbox, offsets) is not measured: a backtest has none.
    """
    if len(customer.sends) + len(customer.instances) < _FEW_PARTS and not _has_many_keys(customer):
        return []
    if _is_surely_within(customer):
        return []
    outbox, customer.outbox = customer.outbox, []
    applied, customer.applied = customer.applied, {}
    dropped = keep_within(customer) if size(customer) > MAX_RECORD_BYTES else []
    customer.outbox, customer.applied = outbox, applied
    return dropped


def _is_surely_within(customer: Customer) -> bool:
    """Whether the record cannot exceed its bound, seen without encoding all sends and instances:
    what has no limit of its own is measured, the rest is taken to be as long as it can be.
    """
    sends, instances = customer.sends, customer.instances
    unbounded = (
        customer.profile,
        customer.profile_ms,
        customer.facts,
        customer.frequencies_ms,
        customer.starts_ms,
        customer.cancels_ms,
        customer.entered,
        list(map(_request_of, sends)),
    )
    room: int = MAX_RECORD_BYTES - _OTHER_BYTES - size(unbounded) - sum(map(_size_of, instances))
    parts = len(sends) + len(instances)
    if parts * _PART_BYTES <= room:
        return True
    texts = (list(map(_texts_of_send, sends)), list(map(_texts_of_instance, instances)))
    return parts * _SHORT_PART_BYTES + size(texts) <= room


def keep_within(customer: Customer, bound: int = MAX_RECORD_BYTES) -> list[str]:
    """Drop parts of the record until it is at most ``bound`` bytes, and name those parts.

    The outbox should not be in it.
    """
    dropped: list[str] = []
    for part, drops in _DROPS.items():
        for _ in drops(customer):
            if part not in dropped:
                dropped.append(part)
            if size(customer) <= bound:
                return dropped
    return dropped


def _has_many_keys(customer: Customer) -> bool:
    keys = sum(map(len, customer.frequencies_ms.values()))
    keys += sum(map(len, customer.starts_ms.values()))
    return keys + sum(map(len, customer.cancels_ms.values())) >= _FEW_PARTS


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
