"""Records to events: what is understood, and why the rest is not."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import EventError
from app.core.events import MAX_DATA_LEVELS, MAX_VALUE_BYTES, Event
from app.formats.decode import REASONS, Erasure, Headers, decode_record

ENVELOPE: dict[str, Any] = {
    "event_id": "e-1",
    "type": "cart_updated",
    "customer_id": "c-1",
    "occurred_at": 1_763_774_000_123,
    "data": {"cart_id": "k-1", "value": 42.5},
}
EVENT = Event(
    topic="orders",
    partition=3,
    offset=17,
    event_id="e-1",
    type="cart_updated",
    customer_id="c-1",
    occurred_ms=1_763_774_000_123,
    data={"cart_id": "k-1", "value": 42.5},
)
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "cart_updated",
    "subject": "c-1",
    "time": "2025-11-22T01:13:20.123Z",
    "data": {"cart_id": "k-1", "value": 42.5},
}
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"cart_updated"),
    ("ce_subject", b"c-1"),
    ("ce_time", b"2025-11-22T02:13:20.123+01:00"),
    ("content-type", b"application/json"),
]


def decode(
    value: object, key: bytes | None = b"c-1", headers: Headers | None = None, topic: str = "orders"
) -> Event | Erasure:
    """``value`` as JSON, read from orders/3 at 17."""
    data = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
    return decode_record(topic, 3, 17, key, data, headers)


def refusal(*args: Any, **kwargs: Any) -> tuple[str, str]:
    """The reason and the text of the EventError."""
    with pytest.raises(EventError) as caught:
        decode(*args, **kwargs)
    assert caught.value.reason in REASONS
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize("key", [b"c-1", None])
@pytest.mark.parametrize("headers", [None, (), [("traceparent", b"00-x"), ("empty", None)]])
def test_a_plain_envelope_is_read(key: bytes | None, headers: Headers | None) -> None:
    """With its key or without one; other people's headers do not matter."""
    assert decode(ENVELOPE, key, headers) == EVENT


def test_a_structured_cloud_event_is_read() -> None:
    """Its attributes are the envelope; the media type is compared without case and parameters."""
    assert decode(CLOUD_EVENT, headers=STRUCTURED) == EVENT
    assert decode(CLOUD_EVENT, headers=[("Content-Type", b"Application/CloudEvents+JSON")]) == EVENT


def test_a_binary_cloud_event_is_read() -> None:
    """Its attributes are headers, the value is the data."""
    assert decode(CLOUD_EVENT["data"], headers=BINARY) == EVENT


@pytest.mark.parametrize("without", ["ce_id", "ce_type", "ce_subject", "ce_time"])
def test_a_binary_cloud_event_needs_its_attributes(without: str) -> None:
    """What is missing is named as CloudEvents names it."""
    headers = [header for header in BINARY if header[0] != without]

    reason, text = refusal(CLOUD_EVENT["data"], headers=headers)

    assert reason == "envelope"
    assert text.startswith(f"{without.removeprefix('ce_')}: expected ")


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        (BINARY[1:], CLOUD_EVENT["data"], "envelope"),
        ([("ce_specversion", b"0.3"), *BINARY[1:]], CLOUD_EVENT["data"], "envelope"),
        ([*BINARY, ("ce_subject", b"\xff")], CLOUD_EVENT["data"], "envelope"),
        ([*BINARY, ("ce_subject", b"c-2")], CLOUD_EVENT["data"], "key"),
        (BINARY, [1], "envelope"),
        (STRUCTURED, CLOUD_EVENT | {"specversion": "1.1"}, "envelope"),
        (STRUCTURED, [CLOUD_EVENT], "not_object"),
        (STRUCTURED, ENVELOPE, "envelope"),
        ([("content-type", b"application/cloudevents+avro")], CLOUD_EVENT, "envelope"),
        ([("content-type", b"application/cloudevents-batch+json")], [CLOUD_EVENT], "envelope"),
        ([("content-type", STRUCTURED[0][1] + b"-16")], CLOUD_EVENT, "envelope"),
    ],
)
def test_other_cloud_events_are_refused(headers: Headers, value: object, reason: str) -> None:
    """Other versions, formats, batches and characters."""
    assert refusal(value, headers=headers)[0] == reason


@pytest.mark.parametrize(
    ("value", "reason", "text"),
    [
        (b"", "not_json", "expected JSON"),
        (b"{", "not_json", "expected JSON"),
        (b"\xff", "not_json", "expected JSON"),
        (b'{"a": NaN}', "not_json", "expected JSON"),
        (b"[" * 100_000, "not_json", "expected JSON"),
        ([], "not_object", "an array"),
        (7, "not_object", "a number"),
        (b"null", "not_object", "nothing"),
        ({}, "envelope", "event_id: expected"),
        (ENVELOPE | {"event_id": ""}, "envelope", "event_id: expected"),
        (ENVELOPE | {"event_id": "x" * 129}, "envelope", "event_id: expected"),
        (ENVELOPE | {"event_id": 7}, "envelope", "event_id: expected"),
        (ENVELOPE | {"type": None}, "envelope", "type: expected"),
        (ENVELOPE | {"data": []}, "envelope", "data: expected"),
        (ENVELOPE | {"occurred_at": True}, "envelope", "occurred_at: expected"),
        (ENVELOPE | {"occurred_at": 1.5}, "envelope", "occurred_at: expected"),
        (ENVELOPE | {"occurred_at": "2025-11-22T01:13:20"}, "envelope", "occurred_at: "),
        (ENVELOPE | {"occurred_at": 1 << 60}, "envelope", "occurred_at: "),
        (ENVELOPE | {"customer_id": "c-2"}, "key", "key"),
    ],
)
def test_what_cannot_be_understood_is_refused(value: object, reason: str, text: str) -> None:
    """With a reason fit for a label, and a text that names the field."""
    got = refusal(value)

    assert got[0] == reason
    assert text in got[1]


def test_a_value_is_limited_in_size() -> None:
    """At 256 KiB it is read, a byte above it is not."""
    data = orjson.dumps(ENVELOPE)

    assert decode(data.ljust(MAX_VALUE_BYTES)) == EVENT
    assert refusal(data.ljust(MAX_VALUE_BYTES + 1))[0] == "too_large"


@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("more", [1, 200, 900, 5_000, 25_000])
def test_data_is_limited_in_depth(begin: bytes, end: bytes, more: int) -> None:
    """32 levels are read; a deeper value is a dead letter before a parser can fail on it."""

    def nested(levels: int) -> bytes:
        inner = begin * levels + b"1" + end * levels
        return orjson.dumps(ENVELOPE | {"data": {"items": 0}}).replace(b"0}}", inner + b"}}")

    assert isinstance(decode(nested(MAX_DATA_LEVELS - 1)), Event)
    assert refusal(nested(MAX_DATA_LEVELS - 1 + more))[0] in ("envelope", "not_json")


@pytest.mark.parametrize("key", [b"", b"c-2", b"\xff"])
def test_a_key_is_the_customer_or_absent(key: bytes) -> None:
    """A record under another key is on the wrong partition's state."""
    assert refusal(ENVELOPE, key)[0] == "key"


def test_a_null_value_erases_on_profiles_only() -> None:
    """The key names the customer; on other topics a null is a dead letter."""
    assert decode(None, topic="profiles") == Erasure(customer_id="c-1", partition=3, offset=17)
    assert refusal(None)[0] == "null_value"


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"x" * 257])
def test_an_erasure_needs_a_customer(key: bytes | None) -> None:
    """A null without a customer id as its key is a dead letter."""
    assert refusal(None, key, topic="profiles")[0] == "key"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.none()
    | st.binary(max_size=40)
    | JSON.map(orjson.dumps)
    | st.fixed_dictionaries({}, optional=dict.fromkeys(ENVELOPE, JSON)).map(
        lambda changed: orjson.dumps(ENVELOPE | changed)
    ),
    st.none() | st.binary(max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in BINARY]),
            st.none() | st.binary(max_size=8) | st.just(STRUCTURED[0][1]),
        )
    ),
    st.sampled_from(["orders", "profiles"]),
)
def test_any_bytes_give_an_event_or_a_reason(
    value: bytes | None, key: bytes | None, headers: Headers, topic: str
) -> None:
    """No record whatsoever raises anything but EventError, whatever its headers."""
    reason = None
    try:
        decode_record(topic, 0, 0, key, value, headers)
    except EventError as exc:
        reason = exc.reason
    assert reason is None or reason in REASONS


def test_error_texts_hold_no_values() -> None:
    """They end in logs: fields and types only."""
    personal = "grace.hopper@example.org"
    for value in (
        personal,
        {**ENVELOPE, "event_id": personal * 20},
        {**ENVELOPE, "customer_id": personal},
        {**ENVELOPE, "data": personal},
        {**ENVELOPE, "type": [personal]},
        {**ENVELOPE, "occurred_at": personal},
        {**ENVELOPE, "occurred_at": [personal]},
    ):
        assert personal not in refusal(value)[1]
    assert personal not in refusal(f'{{"email": {personal}'.encode())[1]
    assert personal not in refusal(ENVELOPE, personal.encode())[1]
