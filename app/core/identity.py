"""Stable identities: the same inputs give the same request id, whatever crashed in between."""

from hashlib import sha1, sha256
from typing import Final
from uuid import UUID

#: Namespace of the version 5 UUIDs (RFC 9562, section 5.5) that name requests.
NAMESPACE: Final = UUID("6f1d3c52-8a0e-5b7e-9a3d-2f4b7c90e1aa").bytes

_NAMED: Final = sha1(NAMESPACE, usedforsecurity=False)

#: What a hexadecimal digit becomes when its two high bits say "RFC 9562".
_VARIANT: Final = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}

#: Buckets of the holdout: hundredths of a percent.
BUCKETS: Final = 10_000


def request_id(trigger: str, customer_id: str, key: str, anchor_ms: int, step: int) -> str:
    """UUID v5 of ``trigger|customer_id|key|anchor_ms|step``."""
    named = _NAMED.copy()
    named.update(
        f"{trigger}|{customer_id}|{key}|{anchor_ms}|{step}".encode("utf-8", "surrogatepass")
    )
    text = named.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def bucket_of(salt: str, customer_id: str) -> int:
    """0..9999 from the first 8 bytes, big-endian, of SHA-256(``salt|customer_id``)."""
    digest = sha256(f"{salt}|{customer_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS
