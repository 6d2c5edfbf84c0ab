"""A live worker tells a collector of its units."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.process.conftest import Instance
from tests.process.otlp_receiver import OtlpReceiver
from tests.process.running import wait_for

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_units_become_spans_that_link_to_the_events_traces(instance: Instance) -> None:
    """When the event is handled and, later, when its reminder is sent by a timer."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    header = ("traceparent", CONTEXT.encode())
    with OtlpReceiver() as receiver:
        variables = {"TRIGGER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with instance.worker(**variables) as worker:
            worker.wait_until_ready()
            wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"}, headers=[header])
            wire.flush()
            wire.wait_for_values("dispatch", 1)
            assert worker.stop() == 0

        def linked() -> list[Span]:
            return [span for span in receiver.spans if span.links]

        units = wait_for("spans", lambda: len(linked()) == 2 and linked())
        for unit in units:
            assert unit.name == "process unit"
            assert [link.trace_id.hex() for link in unit.links] == [CONTEXT[3:35]]
        (handled,) = [each for each in units if attributes(each).get("trigger.records.orders")]
        (fired,) = [each for each in units if attributes(each)["trigger.timers"]]
        assert attributes(handled)["trigger.decisions"] == 0
        assert attributes(fired)["trigger.requests"] == 1
        children = [span for span in receiver.spans if span.parent_span_id == fired.span_id]
        assert {child.name for child in children} == {"handle records and timers", "make durable"}
        assert receiver.paths == {"/v1/traces"}
        resource = receiver.resources[0]
        assert resource["service.name"] == wire.settings.app_id
        assert resource["service.instance.id"] == f"{wire.settings.app_id}-0"
        assert customer_id not in str(receiver.spans)


def test_a_worker_stops_in_time_without_its_collector(instance: Instance) -> None:
    """It decides and stops as if there were none to tell."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    wire.event("orders", customer_id, "order_placed")
    wire.flush()
    with instance.worker(TRIGGER_OTLP_ENDPOINT="http://127.0.0.1:1") as worker:
        wire.wait_for_values("dispatch", 1)
        assert worker.stop() == 0, worker.log
    assert wire.committed()["orders"] == 1
