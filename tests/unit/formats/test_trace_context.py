"""Trace contexts: what counts as one, how it comes in and how it goes out."""

from dataclasses import replace
from typing import Any

import msgspec
import orjson
import pytest

from app.core.decisions import Decision
from app.core.events import Event
from app.core.outcome_kind import Kind
from app.core.outcomes import SendOutcome
from app.core.recorded import Cause, SendRequest
from app.formats.decode import decode_record, trace_of
from app.formats.encode import written, written_outcome
from app.formats.trace_context import CHARS, trace_id, traceparent
from app.live.commit import outbox
from tests.unit.formats.test_decode import BINARY, CLOUD_EVENT, ENVELOPE, STRUCTURED
from tests.unit.sent import SENT

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def context_of(value: Any, headers: list[tuple[str, bytes | None]]) -> str | None:
    event = decode_record("orders", 0, 0, b"c-1", orjson.dumps(value), headers)
    assert isinstance(event, Event)
    return event.traceparent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CONTEXT, CONTEXT),
        (f"{CONTEXT}-more", None),
        (f"cc{CONTEXT[2:]}", CONTEXT),
        (f"cc{CONTEXT[2:]}-what-comes-later", CONTEXT),
        (f"cc{CONTEXT[2:]}.what-comes-later", None),
        (f"ff{CONTEXT[2:]}", None),
        (CONTEXT.upper(), None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", None),
        (f"{CONTEXT}\n", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_context_is_what_the_specification_says(text: object, expected: str | None) -> None:
    """Later versions are read as version 00, and nothing else is let through."""
    assert traceparent(text) == expected
    assert expected is None or len(expected) == CHARS


def test_it_comes_as_a_header_or_as_a_cloud_events_extension() -> None:
    """The record's own header before the extension; what is not a context is not there."""
    header = ("traceparent", CONTEXT.encode())
    extension = ("ce_traceparent", OTHER.encode())

    assert context_of(ENVELOPE, [header]) == CONTEXT
    assert context_of(ENVELOPE, [("TraceParent", CONTEXT.encode())]) == CONTEXT
    assert context_of(CLOUD_EVENT["data"], [*BINARY, extension]) == OTHER
    assert context_of(CLOUD_EVENT["data"], [*BINARY, extension, header]) == CONTEXT
    assert context_of(CLOUD_EVENT["data"], [*BINARY, extension, ("traceparent", b"x")]) == OTHER
    assert context_of(CLOUD_EVENT | {"traceparent": OTHER}, [*STRUCTURED]) == OTHER
    assert context_of(CLOUD_EVENT | {"traceparent": [OTHER]}, [*STRUCTURED]) is None
    for wrong in (None, b"\xff", b"", CONTEXT.encode()[:-1]):
        assert context_of(ENVELOPE, [("traceparent", wrong)]) is None


def test_what_is_not_understood_has_its_context_too() -> None:
    """From the headers alone: for the log line about a dead letter."""
    assert trace_of([("a", b"b"), ("ce_traceparent", CONTEXT.encode())]) == CONTEXT
    assert trace_of([("traceparent", b"\xff")]) is None
    assert trace_of(None) is None
    assert trace_id(CONTEXT) == "0af7651916cd43dd8448eb211c80319c"


def decision(context: str | None, request: SendRequest | None) -> Decision:
    cause = Cause("orders", 0, 0, "e", context)
    return replace(SENT, dispatch=request, cause=cause)


def outcome(context: str | None) -> SendOutcome:
    return SendOutcome(
        request_id="r",
        customer_id="c",
        trigger="t",
        step=0,
        channel="email",
        experiment=None,
        is_ghost=False,
        kind=Kind.OPENED,
        latency_ms=5,
        occurred_ms=5,
        cause=Cause("engagement", 0, 1, "o", context),
    )


@pytest.mark.parametrize("context", [None, CONTEXT])
@pytest.mark.parametrize("request_", [None, SendRequest("send", "a@x", None, {})])
def test_an_outbox_line_keeps_topic_value_and_context(
    context: str | None, request_: SendRequest | None
) -> None:
    """What is sent again after a crash is what would have been sent."""
    made, led_to = decision(context, request_), outcome(context)
    sent = None if context is None else context.encode()

    said = [*outbox.records_of_decision(made), outbox.record_of_outcome(led_to)]
    lines = [outbox.encode_entry(record) for record in said]

    values = [value for value in (*written(made), written_outcome(led_to)) if value is not None]
    topics = ["decisions", *([] if request_ is None else ["dispatch"]), "outcomes"]
    assert [(each.topic, each.value, each.context) for each in said] == [
        (topic, value, sent) for topic, value in zip(topics, values, strict=True)
    ]
    assert [outbox.decode_entry("c", line) for line in lines] == said


def test_a_cause_of_before_has_no_context() -> None:
    """Written by a release that knew none, it is read; a cause without one costs one byte more."""
    before = msgspec.msgpack.encode(["orders", 0, 1, "e"])
    cause = Cause("orders", 0, 1, "e")

    assert msgspec.msgpack.decode(before, type=Cause) == cause
    assert len(msgspec.msgpack.encode(cause)) == len(before) + 1
