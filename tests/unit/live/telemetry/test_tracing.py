"""Spans of commit units: what they say, what they link to, and that they cost nothing when off."""

import subprocess
import sys
import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.core.errors import ConfigError
from app.core.recorded import SendRequest
from app.live.commit.unit import CommitUnit
from app.live.telemetry.tracing import UnitSpans, unit_spans
from app.settings.load import load_settings
from tests.unit.formats.test_trace_context import CONTEXT, OTHER, decision


@pytest.fixture(name="exporter")
def _exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(name="spans")
def _spans(exporter: InMemorySpanExporter) -> UnitSpans:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return UnitSpans(provider, "triggers")


def finished(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_unit_is_a_span_with_two_children(
    spans: UnitSpans, exporter: InMemorySpanExporter
) -> None:
    """From its first record to the end of its effects, with its figures."""
    unit = CommitUnit(now_ms=0)
    unit.consumed, unit.positions, unit.timers = {"orders": 3, "profiles": 1}, {"orders": 18}, 2
    unit.decisions = [decision(None, None), decision(None, SendRequest("send", "a", None, {}))]
    started = time.perf_counter() - 2.0
    before_ns = time.time_ns()

    with spans.unit(5, unit, started):
        during_ns = time.time_ns()

    found = finished(exporter)
    whole, handling = found["process unit"], found["handle records and timers"]
    effects = found["make durable"]
    assert whole.kind is SpanKind.CONSUMER
    assert dict(whole.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "triggers",
        "messaging.destination.partition.id": "5",
        "messaging.batch.message_count": 4,
        "trigger.timers": 2,
        "trigger.decisions": 2,
        "trigger.requests": 1,
        "trigger.dead_letters": 0,
        "trigger.records.orders": 3,
        "trigger.records.profiles": 1,
        "trigger.position.orders": 18,
    }
    assert whole.start_time is not None
    assert whole.end_time is not None
    assert whole.start_time == handling.start_time
    assert whole.start_time < before_ns - 1_900_000_000
    assert handling.end_time == effects.start_time
    assert effects.end_time == whole.end_time >= during_ns
    assert whole.context is not None
    for child in (handling, effects):
        assert child.parent is not None
        assert child.parent.span_id == whole.context.span_id


def test_it_links_to_the_traces_it_is_about(
    spans: UnitSpans, exporter: InMemorySpanExporter
) -> None:
    """Of events handled and of those that anchor what was decided, each once."""
    unit = CommitUnit(now_ms=0)
    unit.traces = [CONTEXT, CONTEXT]
    unit.decisions = [decision(OTHER, None), decision(None, None), decision(CONTEXT, None)]
    with spans.unit(0, unit, time.perf_counter()):
        pass

    links = finished(exporter)["process unit"].links
    told = [f"00-{x.context.trace_id:032x}-{x.context.span_id:016x}" for x in links]
    assert told == [CONTEXT[:52], OTHER[:52]]
    assert [link.context.trace_flags for link in links] == [1, 0]
    assert all(link.context.is_remote for link in links)


def test_the_number_of_links_is_bounded(spans: UnitSpans, exporter: InMemorySpanExporter) -> None:
    """Whatever a fetch holds."""
    unit = CommitUnit(now_ms=0)
    unit.traces = [f"00-{n:032x}-{n:016x}-01" for n in range(1, 1001)]
    with spans.unit(0, unit, time.perf_counter()):
        pass
    assert len(finished(exporter)["process unit"].links) == 128


def test_the_span_of_a_failed_unit_has_no_error_text(
    spans: UnitSpans, exporter: InMemorySpanExporter
) -> None:
    """By the kind of error: the text may be about a customer."""
    with pytest.raises(KeyError), spans.unit(0, CommitUnit(now_ms=0), time.perf_counter()):
        raise KeyError("grace@example.org")

    span = finished(exporter)["process unit"]
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "KeyError"
    assert "grace" not in span.to_json()


def test_a_missing_collector_does_not_delay_units() -> None:
    """Closing ends, with spans still to be sent."""
    made = unit_spans(load_settings({"TRIGGER_OTLP_ENDPOINT": "http://127.0.0.1:1"}))
    assert made is not None
    with made.unit(0, CommitUnit(now_ms=0), time.perf_counter()):
        pass
    made.close()


def test_it_is_off_by_default_and_not_even_imported() -> None:
    """Neither is the schema registry's client."""
    assert unit_spans(load_settings({})) is None
    code = (
        "import sys, app.live.worker, app.cli\n"
        "from app.settings.load import load_settings\n"
        "from app.formats.schema_registry import schema_reader\n"
        "from app.live.telemetry.tracing import unit_spans\n"
        "assert schema_reader(load_settings({})) is None\n"
        "assert unit_spans(load_settings({})) is None\n"
        "names = ('opentelemetry', 'fastavro', 'httpx', 'httpx2', 'authlib')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in names])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout == "[]\n"


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"is not installed: install .*\[otel\]"):
        unit_spans(load_settings({"TRIGGER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}))
