"""Records that mean harm: real events with something in them changed, drawn from a seed."""

import json
import random
import string
from typing import Any, NamedTuple

from app.core.events import TYPES

NOW_MS = 1_767_225_600_000
CHANNELS = ("email", "sms", "push")
STRUCTURED = b"application/cloudevents+json"


class Poison(NamedTuple):
    """A record as it lies on a topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def poison(seed: int, now_ms: int = NOW_MS) -> Poison:
    """One record, the same for the same seed."""
    choice = random.Random(seed)
    topic = choice.choice(list(TYPES))
    customer_id = f"p{choice.randrange(200)}"
    envelope = _envelope(choice, topic, customer_id, seed, now_ms)
    headers: list[tuple[str, bytes | None]] = []
    key: bytes | None = customer_id.encode()
    if choice.random() < 0.3:
        envelope, headers = _cloud_event(choice, envelope)
    for _ in range(choice.randrange(3)):
        choice.choice([_swap_value, _swap_value, _drop_field, _add_field])(choice, envelope)
    value: bytes | None = json.dumps(envelope).encode()
    assert value is not None
    if choice.random() < 0.5:
        value = choice.choice([_flip, _cut, _insert, _nest, _token, _nothing])(choice, value)
    if choice.random() < 0.15:
        key = choice.choice(
            [None, b"", b"\xff\xfe", b"x" * choice.choice([257, 70_000]), b"\x00", b"p"]
        )
    if choice.random() < 0.15:
        headers = [*headers, *_odd_headers(choice)]
    if choice.random() < 0.05:
        topic = choice.choice(list(TYPES))
    return Poison(topic, key, value, headers)


def _envelope(
    choice: random.Random, topic: str, customer_id: str, seed: int, now_ms: int
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "cart_id": f"k{choice.randrange(3)}",
        "order_id": "o1",
        "booking_id": "b1",
        "sku": "s",
        "value": choice.randrange(200),
        "currency": "EUR",
        "items": [{"sku": "s", "price": 3}],
        "channel": choice.choice(CHANNELS),
        "request_id": "r",
        "price": 1.5,
        "on_time": True,
    }
    if topic == "profiles":
        data = {
            "email": "a@example.org",
            "phone": "+49",
            "push_token": "t",
            "timezone": "Asia/Tokyo",
            "birthday": "1990-02-28",
            "channels": ["email"],
            "consent": {"sms": True},
            "attributes": {"tier": "gold"},
            "locale": "de",
            "first_name": "Ann",
            "into": "member",
        }
    return {
        "event_id": f"e{seed}",
        "type": choice.choice(sorted(TYPES[topic])),
        "customer_id": customer_id,
        "occurred_at": now_ms - choice.randrange(86_400_000),
        "data": data,
    }


def _cloud_event(
    choice: random.Random, envelope: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, bytes | None]]]:
    attributes = {
        "specversion": "1.0",
        "id": envelope["event_id"],
        "type": envelope["type"],
        "source": "/s",
        "subject": envelope["customer_id"],
        "time": "2026-01-01T00:00:00Z",
    }
    if choice.random() < 0.5:
        return {**attributes, "data": envelope["data"]}, [("content-type", STRUCTURED)]
    if choice.random() < 0.3:
        del attributes[choice.choice(list(attributes))]
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}", value.encode()) for name, value in attributes.items()
    ]
    return envelope["data"], [*headers, ("content-type", b"application/json")]


def _odd(choice: random.Random) -> Any:
    """A value that nobody expects."""
    return choice.choice(
        [
            None,
            True,
            False,
            0,
            -1,
            1.5,
            -0.0,
            1e308,
            -1e308,
            2**31,
            2**53,
            2**63,
            2**64,
            10**40,
            -(10**18),
            "",
            "x",
            "x" * 129,
            "x" * 2000,
            "\ud800",
            "a\udfffb",
            "\x00",
            "\u202e",
            "NaN",
            [],
            {},
            [[]],
            [None],
            {"a": {"b": {}}},
            [1] * 3000,
            {str(n): n for n in range(600)},
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00",
            "9999-12-31T23:59:59.999Z",
            "0001-01-01T00:00:00+23:59",
            253_402_300_800_000,
            "Mars/Olympus",
            "../../etc/passwd",
        ]
    )


def _place(choice: random.Random, obj: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """An object somewhere inside, and one of its fields."""
    while obj:
        field = choice.choice(list(obj))
        inner = obj[field]
        if isinstance(inner, dict) and inner and choice.random() < 0.7:
            obj = inner
            continue
        return obj, field
    return None


def _swap_value(choice: random.Random, envelope: dict[str, Any]) -> None:
    place = _place(choice, envelope)
    if place is not None:
        place[0][place[1]] = _odd(choice)


def _drop_field(choice: random.Random, envelope: dict[str, Any]) -> None:
    place = _place(choice, envelope)
    if place is not None:
        del place[0][place[1]]


def _add_field(choice: random.Random, envelope: dict[str, Any]) -> None:
    name = choice.choice(["type", "data", "price", "consent", "__class__", "", "\ud800", "x" * 500])
    envelope[name] = _odd(choice)


def _flip(choice: random.Random, value: bytes) -> bytes:
    changed = bytearray(value)
    for _ in range(choice.randint(1, 8)):
        if changed:
            changed[choice.randrange(len(changed))] ^= 1 << choice.randrange(8)
    return bytes(changed)


def _cut(choice: random.Random, value: bytes) -> bytes:
    return value[: choice.randrange(len(value) + 1)]


def _insert(choice: random.Random, value: bytes) -> bytes:
    at = choice.randrange(len(value) + 1)
    more = choice.choice([b"\x00", b"\xff", b'"', b"{", b"}", b"\xed\xa0\x80", b",", b"\\u"])
    return value[:at] + more + value[at:]


def _nest(choice: random.Random, value: bytes) -> bytes:
    depth = choice.choice([10, 300, 1100, 100_000])
    deep = choice.choice([b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth])
    return value.replace(b'"EUR"', deep) if b'"EUR"' in value else deep


def _token(choice: random.Random, value: bytes) -> bytes:
    tokens = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"00", b"0x1", b"1e-400"]
    digits = [at for at in range(len(value)) if value[at : at + 1] in string.digits.encode()]
    at = choice.choice(digits) if digits else 0
    return value[:at] + choice.choice(tokens) + value[at + 1 :]


def _nothing(choice: random.Random, value: bytes) -> bytes | None:
    return choice.choice([None, b"", b"null", b"[]", b"1", b'""', b" ", value * 2, value * 2000])


def _odd_headers(choice: random.Random) -> list[tuple[str, bytes | None]]:
    names = ["content-type", "ce_id", "ce_specversion", "ce_time", "ce_subject", "", "x" * 300]
    names += [f"trigger-source-{name}" for name in ("topic", "partition", "offset", "keyed")]
    values = [None, b"", b"\xff", STRUCTURED, b"application/cloudevents+avro", b"1.0", b"x" * 5000]
    return [(choice.choice(names), choice.choice(values)) for _ in range(choice.randint(1, 4))]
