"""What the CloudEvents SDK writes is read, in both modes."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Event
from app.formats.decode import decode_record
from tests.unit.contracts.judging import SHIPPED_TYPES, refusal, shipped_example
from tests.unit.contracts.sdk_events import Mode, headers_of, key_of, message

MODES = st.sampled_from(["structured", "binary"])
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
ZONES = st.builds(timezone, st.integers(-839, 839).map(lambda minutes: timedelta(minutes=minutes)))
TIMES = st.datetimes(
    datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2100-01-01"), timezones=ZONES
)
DATA = st.dictionaries(NAMES, st.none() | st.booleans() | st.integers(-9, 9) | NAMES, max_size=4)


def read(mode: Mode, *args: Any, **kwargs: Any) -> Event:
    written = message(mode, *args, **kwargs)
    headers = [(name, bytes(value)) for name, value in written.headers.items()]
    event = decode_record("orders", 0, 0, key_of(written), written.value, headers)
    assert isinstance(event, Event)
    return event


@given(MODES, NAMES, NAMES, NAMES, TIMES, DATA)
def test_what_the_sdk_writes_is_read_back(
    mode: Mode, name: str, customer_id: str, event_id: str, at: datetime, data: dict[str, Any]
) -> None:
    """Any id, any letters, any zone, to the millisecond."""
    event = read(mode, name, customer_id, data, event_id=event_id, at=at)

    assert (event.event_id, event.type, event.customer_id) == (event_id, name, customer_id)
    assert event.occurred_ms == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert event.data == data


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_extensions_are_accepted_and_the_trace_is_kept(mode: Mode) -> None:
    """``traceparent`` is a documented extension; others do not matter."""
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = read(mode, "shipped", "c-1", {}, traceparent=context, region="eu")
    assert event.traceparent == context


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize(("topic", "name"), SHIPPED_TYPES)
def test_every_type_may_come_as_a_cloud_event(topic: str, name: str, mode: Mode) -> None:
    """And is accepted by the whole engine."""
    written = message(mode, name, "c-1", shipped_example(name)["data"])
    headers = [(name, value) for name, value in written.headers.items()]
    assert refusal(topic, written.value, key_of(written), headers) is None
    assert len(headers_of(written)) == len(headers)
