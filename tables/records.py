"""How a customer's record is written.

Layout: one version byte, then in

    version 2  head, directory and columns (``app.core.customer.codec``)
    version 1  the msgpack array of all fields (``app.core.customer.flat``)

A release writes its own version and reads that and the one before. New fields go at the end of a
column with a default, which a reader of the older layout ignores and a reader of the newer one
fills in.
"""

from typing import Final

import msgspec

from app.core.customer import codec, flat
from app.core.customer.record import Customer
from app.core.errors import InfrastructureError
from app.core.rules.rates import RateState

VERSION: Final = 2
_BEFORE: Final = 1
_PREFIX: Final = bytes([VERSION])
_encoder = msgspec.msgpack.Encoder()
_rates_decoder = msgspec.msgpack.Decoder(RateState)


def encode(customer: Customer) -> bytes:
    """The record as bytes."""
    return codec.encode(customer, _PREFIX)


def encode_rates(state: RateState) -> bytes:
    """The state of a partition's send rates as bytes; its layout is the same in all versions."""
    return _PREFIX + _encoder.encode(state)


def decode_rates(value: bytes) -> RateState:
    """The state in ``value``; InfrastructureError when it cannot be read."""
    try:
        return _rates_decoder.decode(memoryview(value)[1:])
    except msgspec.MsgspecError as exc:
        raise InfrastructureError(f"the state of the send rates cannot be read: {exc}") from exc


def decode(value: bytes, start: int = 0) -> Customer:
    """The record at ``start`` of ``value``; InfrastructureError when no release we know wrote it.

    What is not asked for is not decoded; that it cannot be decoded is said when it is.
    """
    if value[start : start + 1] == _PREFIX:
        return codec.decode(value, start + 1)
    return _decode_before(value, start)


def decode_profile(value: bytes, start: int = 0) -> codec.WithProfile:
    """Id and profile in ``value``, for less work; errors as those of ``decode``."""
    if value[start : start + 1] == _PREFIX:
        return codec.decode_profile(value, start + 1)
    customer = _decode_before(value, start)
    return codec.WithProfile(customer.customer_id, customer.profile)


def _decode_before(value: bytes, start: int) -> Customer:
    """A record of the version before."""
    version = value[start] if len(value) > start else None
    if version != _BEFORE:
        raise InfrastructureError(
            f"a customer record of version {version} was found, this release reads"
            f" {_BEFORE} and {VERSION}: deploy the release that wrote it, or the one after"
        )
    try:
        return flat.from_msgpack(memoryview(value)[start + 1 :])
    except msgspec.MsgspecError as exc:
        raise InfrastructureError(f"a customer record cannot be read: {exc}") from exc
