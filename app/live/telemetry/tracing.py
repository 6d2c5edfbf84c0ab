"""OpenTelemetry spans of commit units, sent as OTLP over HTTP; nothing of it without an endpoint.

One span a unit with two children, handling and effects. It links to the traces of the events that
the unit handled, and of those that anchor what it decided: a unit is about many customers, so it
has no parent. Span and link limits, sampling, headers and more resource attributes are taken from
the OTEL_* variables that the SDK knows.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from app.core.errors import ConfigError
from app.live.commit.unit import CommitUnit
from app.settings.model import Settings
from app.version import ENGINE_VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link

_NAME: Final = "process unit"
_HANDLING: Final = "handle records and timers"
_EFFECTS: Final = "make durable"
#: As many links as the SDK takes by default.
_LINKS: Final = 128
_EXPORT_TIMEOUT_S: Final = 5
#: A collector that does not answer does not keep a worker from stopping.
_CLOSE_S: Final = 2.0


class UnitSpans:
    """Makes the spans of units, after they have ended or failed."""

    def __init__(self, provider: "TracerProvider", group: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("trigger-engine", ENGINE_VERSION)
        self._group = group

    @contextmanager
    def unit(self, partition: int, unit: CommitUnit, started: float) -> Iterator[None]:
        """Around the effects of a unit; ``started`` is when its handling began, by
        ``time.perf_counter``.
        """
        handled = time.perf_counter()
        error: BaseException | None = None
        try:
            yield
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._record(partition, unit, (started, handled, time.perf_counter()), error)

    def close(self) -> None:
        """Send what is left, in a bounded time."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    def _record(
        self,
        partition: int,
        unit: CommitUnit,
        times: tuple[float, float, float],
        error: BaseException | None,
    ) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        end_ns = time.time_ns()
        started_ns, handled_ns = (end_ns - int((times[2] - at) * 1e9) for at in times[:2])
        span = self._tracer.start_span(
            _NAME,
            kind=SpanKind.CONSUMER,
            attributes=self._attributes(partition, unit),
            links=_links(unit),
            start_time=started_ns,
        )
        inside = set_span_in_context(span)
        for name, start_ns, stop_ns in (
            (_HANDLING, started_ns, handled_ns),
            (_EFFECTS, handled_ns, end_ns),
        ):
            self._tracer.start_span(name, inside, start_time=start_ns).end(stop_ns)
        if error is not None:
            # its text may be about a customer
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)

    def _attributes(self, partition: int, unit: CommitUnit) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": self._group,
            "messaging.destination.partition.id": str(partition),
            "messaging.batch.message_count": sum(unit.consumed.values()),
            "trigger.timers": unit.timers,
            "trigger.decisions": len(unit.decisions),
            "trigger.requests": sum(each.dispatch is not None for each in unit.decisions),
            "trigger.dead_letters": len(unit.dead_letters),
        }
        for topic, count in unit.consumed.items():
            attributes[f"trigger.records.{topic}"] = count
        for topic, position in unit.positions.items():
            attributes[f"trigger.position.{topic}"] = position
        return attributes


def _links(unit: CommitUnit) -> "list[Link]":
    from opentelemetry.trace import Link, SpanContext, TraceFlags

    causes = (each.cause.traceparent for each in unit.decisions)
    contexts = dict.fromkeys(each for each in (*unit.traces, *causes) if each is not None)
    return [
        Link(
            SpanContext(
                trace_id=int(context[3:35], 16),
                span_id=int(context[36:52], 16),
                is_remote=True,
                trace_flags=TraceFlags(int(context[53:55], 16)),
            )
        )
        for context in list(contexts)[:_LINKS]
    ]


def unit_spans(settings: Settings) -> UnitSpans | None:
    """Sent to the endpoint of the settings; None without one. Raises ConfigError."""
    if settings.otlp_endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise ConfigError(
            f"TRIGGER_OTLP_ENDPOINT is set, and {exc.name} is not installed:"
            " install trigger-engine[otel]"
        ) from exc
    named = {"service.name": settings.app_id, "service.version": ENGINE_VERSION}
    if settings.instance_id is not None:
        named["service.instance.id"] = settings.instance_id
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{settings.otlp_endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return UnitSpans(provider, settings.app_id)
