"""Digests that a record keeps in place of texts that are only compared."""

from hashlib import blake2b
from typing import Final

from app.core.customer.record import DIGEST_BYTES

#: Of no text yet: a copy costs less than a new one.
_EMPTY: Final = blake2b(digest_size=DIGEST_BYTES)


def digest_of(text: str) -> bytes:
    """BLAKE2b of the text as UTF-8, ``DIGEST_BYTES`` long."""
    digest = _EMPTY.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()
