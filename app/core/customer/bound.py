"""Keeps a customer's encoded record under its bound, whatever came in.

Records that grow to the bound are rare: each part has a limit of its own (``limits.py``), and only
many parts at their limits, in long texts, go beyond. Then parts go in this order, each only as far
as it has to, and nothing that withdraws, suppresses or counts is ever touched:

    1  what the requests of sends said: a recall of such a send says what is known then
    2  the data that instances keep of their events, the largest first: its fields count as missing
    3  sends older than the newest 64
    4  keys that cancels, counts and starts were seen for, the oldest first
    5  profile attributes, the largest first
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from app.core.customer.limits import MAX_OLD_SENDS, MAX_RECORD_BYTES
from app.core.customer.record import Customer

#: Of what is left of one part, how much goes before the record is measured again.
_SHARE: Final = 2

Size = Callable[[Any], int]


def keep_within(customer: Customer, size: Size, bound: int = MAX_RECORD_BYTES) -> list[str]:
    """Drop parts of the record until ``size`` of it is at most ``bound``, and name those.

    ``size`` is called for the record and for parts of it; the outbox should not be in it.
    """
    dropped: list[str] = []
    for part, drops in _PARTS.items():
        for _ in drops(customer, size):
            if part not in dropped:
                dropped.append(part)
            if size(customer) <= bound:
                return dropped
    return dropped


def _drop_requests(customer: Customer, _: Size) -> Iterator[None]:
    while held := [send for send in customer.sends if send.request is not None]:
        for send in held[: -(-len(held) // _SHARE)]:
            send.request = None
        yield


def _drop_data(customer: Customer, size: Size) -> Iterator[None]:
    while held := [each for each in customer.instances if each.data]:
        held.sort(key=lambda each: size(each.data), reverse=True)
        for instance in held[: -(-len(held) // _SHARE)]:
            instance.data = {}
        yield


def _drop_sends(customer: Customer, _: Size) -> Iterator[None]:
    while len(customer.sends) > MAX_OLD_SENDS:
        surplus = len(customer.sends) - MAX_OLD_SENDS
        del customer.sends[: -(-surplus // _SHARE)]
        yield


def _drop_keys(customer: Customer, _: Size) -> Iterator[None]:
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


def _drop_attributes(customer: Customer, size: Size) -> Iterator[None]:
    attributes = customer.profile.get("attributes")
    while attributes:
        del attributes[max(attributes, key=lambda name: size(attributes[name]))]
        yield


#: In the order in which they go; the names are a metric's labels.
_PARTS: Final[dict[str, Callable[[Customer, Size], Iterator[None]]]] = {
    "requests": _drop_requests,
    "data": _drop_data,
    "sends": _drop_sends,
    "keys": _drop_keys,
    "attributes": _drop_attributes,
}
