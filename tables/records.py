"""How a customer's record is written.

Layout: one version byte, then the msgpack array of ``Customer`` (fields in order of declaration).
A release reads its own version and the one before; new fields go at the end with a default, which
a reader of the older layout ignores and a reader of the newer one fills in.
"""

from typing import Any, Final, TypeVar

import msgspec

from app.core.customer.record import Customer
from app.core.errors import InfrastructureError
from app.core.rules.rates import RateState


class WithProfile(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a customer's record, up to the profile: what follows is passed over."""

    customer_id: str
    applied: msgspec.Raw
    outbox: msgspec.Raw
    seen: msgspec.Raw
    profile: dict[str, Any]


#: What of a record is read.
Read = TypeVar("Read")

VERSION: Final = 1
_READABLE: Final = frozenset({VERSION})
_PREFIX: Final = bytes([VERSION])
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Customer)
_profile_decoder = msgspec.msgpack.Decoder(WithProfile)
_rates_decoder = msgspec.msgpack.Decoder(RateState)


def encode(customer: Customer) -> bytes:
    """The record as bytes."""
    return _PREFIX + _encoder.encode(customer)


def encode_rates(state: RateState) -> bytes:
    """The state of a partition's send rates as bytes."""
    return _PREFIX + _encoder.encode(state)


def decode_rates(value: bytes) -> RateState:
    """The state in ``value``; InfrastructureError when it cannot be read."""
    try:
        return _rates_decoder.decode(memoryview(value)[1:])
    except msgspec.MsgspecError as exc:
        raise InfrastructureError(f"the state of the send rates cannot be read: {exc}") from exc


def decode(value: bytes) -> Customer:
    """The record in ``value``; InfrastructureError when no release we know wrote it."""
    return _decode(value, _decoder)


def decode_profile(value: bytes) -> WithProfile:
    """Id and profile in ``value``, for a fifth of the work; errors as those of ``decode``."""
    return _decode(value, _profile_decoder)


def _decode(value: bytes, decoder: "msgspec.msgpack.Decoder[Read]") -> Read:
    if value[:1] != _PREFIX and (not value or value[0] not in _READABLE):
        raise InfrastructureError(
            f"a customer record of version {value[:1]!r} was found, this release reads"
            f" {sorted(_READABLE)}: deploy the release that wrote it, or the one after"
        )
    try:
        return decoder.decode(memoryview(value)[1:])
    except msgspec.MsgspecError as exc:
        raise InfrastructureError(f"a customer record cannot be read: {exc}") from exc
