"""Every problem of a line is told, in whichever spelling, and only where the engine has one."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import EventError
from app.core.events import MAX_VALUE_BYTES
from app.publish.check.lines import check_line, check_lines
from app.publish.check.remarks import Remark
from app.publish.lines import outgoing
from app.rules_file.load import parse_rules
from tests.effort import examples
from tests.unit.contracts.judging import refusal, shipped_example, shipped_rules
from tests.unit.contracts.strategies import JSON, Event, events

Line = dict[str, Any]
#: Something to do to an event before it is spelled: (envelope field or data field, new value).
MISSING = object()
FAULTS: dict[str, list[tuple[str, Any]]] = {
    "cart_updated": [
        ("event_id", ""),
        ("event_id", MISSING),
        ("customer_id", "x" * 257),
        ("occurred_at", "noon"),
        ("data.cart_id", MISSING),
        ("data.cart_id", ""),
    ],
    "profile_updated": [
        ("event_id", "x" * 129),
        ("type", ""),
        ("customer_id", ""),
        ("occurred_at", MISSING),
        ("data.email", [7]),
        ("data.timezone", "Mars/Olympus"),
        ("data.birthday", "2023-02-29"),
        ("data.channels", [1]),
        ("data.consent", {"email": "yes"}),
        ("data.attributes", None),
    ],
}
TOPICS = {"cart_updated": "orders", "profile_updated": "profiles"}
ATTRIBUTES = {
    "event_id": "id",
    "type": "type",
    "customer_id": "subject",
    "occurred_at": "time",
    "data": "data",
}


def as_event(topic: str, event: Event) -> Line:
    """The form that a backtest reads."""
    return {"topic": topic, **event}


def as_record(topic: str, event: Event) -> Line:
    """The form that says what goes onto Kafka."""
    return {"topic": topic, "key": event.get("customer_id"), "value": event}


def as_structured(topic: str, event: Event) -> Line:
    """A CloudEvent."""
    attributes = {ATTRIBUTES[name]: value for name, value in event.items()}
    return {
        "topic": topic,
        "key": event.get("customer_id"),
        "headers": {"content-type": "application/cloudevents+json"},
        "value": {"specversion": "1.0", **attributes},
    }


def as_binary(topic: str, event: Event) -> Line:
    """A CloudEvent with its attributes in headers."""
    headers = {f"ce_{ATTRIBUTES[name]}": event[name] for name in event if name != "data"}
    return {
        "topic": topic,
        "key": event.get("customer_id"),
        "headers": {"ce_specversion": "1.0", **headers},
        "value": event["data"],
    }


SPELLINGS: list[tuple[Callable[[str, Event], Line], Callable[[str], str]]] = [
    (as_event, lambda path: path),
    (as_record, lambda path: f"value.{path}"),
    (
        as_structured,
        lambda path: f"value.{path}" if "." in path else f"value.{ATTRIBUTES[path]}",
    ),
    (
        as_binary,
        lambda path: (
            path.replace("data", "value", 1) if "." in path else f"headers.ce_{ATTRIBUTES[path]}"
        ),
    ),
]


def checked(line: Line) -> list[Remark]:
    return check_line(orjson.dumps(line), shipped_rules())


def errors(line: Line) -> list[str]:
    """The paths of the errors."""
    return [remark.path for remark in checked(line) if remark.level == "error"]


@st.composite
def broken_events(draw: st.DrawFn) -> tuple[str, Event, set[str]]:
    """(topic, event, the fields in which it is wrong): any combination of faults."""
    name = draw(st.sampled_from(sorted(FAULTS)))
    event = shipped_example(name)
    event["data"] = dict(event["data"])
    fields = set()
    for path, value in draw(st.lists(st.sampled_from(FAULTS[name]))):
        folder = event["data"] if "." in path else event
        folder[path.removeprefix("data.")] = value
        fields.add(path)
    event["data"] = {name: value for name, value in event["data"].items() if value is not MISSING}
    return TOPICS[name], {n: v for n, v in event.items() if v is not MISSING}, fields


@given(broken_events(), st.sampled_from(SPELLINGS))
@examples(400)
def test_every_error_is_reported_with_its_path(
    broken: tuple[str, Event, set[str]],
    spelling: tuple[Callable[[str, Event], Line], Callable[[str], str]],
) -> None:
    """However many there are in one line."""
    topic, event, fields = broken
    spell, shown = spelling
    assert errors(spell(topic, event)) == sorted(map(shown, fields))


@given(
    events() | st.tuples(st.just("orders"), st.just("x"), st.dictionaries(st.text(), JSON)),
    st.sampled_from(SPELLINGS[:3]),
)
@examples(600)
def test_a_line_has_errors_exactly_when_the_engine_has(
    drawn: tuple[str, str, Event],
    spelling: tuple[Callable[[str, Event], Line], Callable[[str], str]],
) -> None:
    """Or when it cannot be published; no message quotes personal values."""
    topic, _, event = drawn
    known = {name: value for name, value in event.items() if name in ATTRIBUTES}
    line = orjson.dumps(spelling[0](topic, known))
    try:
        record = outgoing(line)
        refused = refusal(topic, record.value, record.key, record.headers) is not None
    except EventError:
        refused = True
    except AssertionError:
        refused = False  # of a type that nobody knows

    found = check_line(line, shipped_rules())

    assert any(remark.level == "error" for remark in found) is refused
    assert len({remark.path for remark in found if remark.level == "error"}) == len(
        [remark for remark in found if remark.level == "error"]
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{", ["error: expected JSON, found unexpected end of data: line 1 column 2 (char 1)"]),
        (b"[]", ["error: expected a JSON object, found another value"]),
        (
            b'{"topic": "order"}',
            ["error: topic: expected one of profiles, orders, bookings, engagement, found 'order'"],
        ),
        (
            b'{"topic": "profiles", "key": null, "value": null}',
            ["error: key: expected the customer id to erase, found nothing"],
        ),
        (b'{"topic": "profiles", "key": "c-1", "value": null}', []),
        (
            b'{"topic": "orders", "key": "c-1", "value": null}',
            ["error: expected a JSON object, found a null value on orders"],
        ),
    ],
)
def test_a_line_that_is_no_event_is_described(line: bytes, expected: list[str]) -> None:
    """Broken JSON, no topic, an erasure without a customer."""
    assert [str(remark) for remark in check_line(line, shipped_rules())] == expected


def test_the_line_itself_may_be_wrong() -> None:
    """Unknown fields, wrong times or headers or another customer's key next to a right event."""
    line = as_record("orders", shipped_example("cart_updated")) | {
        "keys": 1,
        "timestamp": "noon",
        "headers": {"a": 1},
        "key": "c-2",
    }
    assert errors(line) == ["headers", "key", "keys", "timestamp"]


def test_a_value_that_is_too_large_is_one_problem_among_others() -> None:
    """Its data is put aside to look at the rest."""
    event = shipped_example("cart_updated") | {"event_id": ""}
    event["data"] = {"cart_id": "k", "note": "x" * MAX_VALUE_BYTES}
    found = [str(each) for each in checked(as_record("orders", event)) if each.level == "error"]
    assert found[0].startswith("error: expected a value of at most 262144 bytes, found 2622")
    assert found[1].startswith("error: value.event_id: expected text of 1..128")


def test_what_is_accepted_and_of_no_use_is_a_warning() -> None:
    """Unknown types and fields, values of another type, a record without its key."""
    line: Line = {
        "topic": "orders",
        "key": None,
        "value": {
            "event_id": "1",
            "type": "order_placed",
            "customer_id": "c",
            "occurred_at": 1,
            "data": {
                "order_id": "o",
                "value": "12",
                "currency": "euro",
                "colour": "red",
                "orderid": 1,
                "sku": "x" * 1025,
                "price": None,
                "items": {},
            },
            "occured_at": 2,
        },
    }
    useless = "rules can do nothing with it"
    assert [str(each).removeprefix("warning: ") for each in checked(line)] == [
        "key: expected the customer_id, or the record takes a detour, found nothing",
        "value.occured_at: expected a known field, such as occurred_at; it is not kept,"
        " found a number",
        "value.data.colour: expected a known field; it is not kept, found text of 3 characters",
        "value.data.orderid: expected a known field, such as order_id; it is not kept,"
        " found a number",
        f"value.data.currency: expected an ISO 4217 code; {useless}, found 'euro'",
        f"value.data.items: expected an array; {useless}, found an object",
        f"value.data.sku: expected text of at most 1024 characters; {useless},"
        " found text of 1025 characters",
        f"value.data.value: expected a number; {useless}, found text of 2 characters",
    ]
    line["value"]["type"] = "order_place"
    (warning,) = [each for each in checked(line) if each.path == "value.type"]
    assert warning.expected == "a type of orders, such as order_placed; it is ignored"
    line["value"]["type"] = "booking_confirmed"
    (warning,) = [each for each in checked(line) if each.path == "value.type"]
    assert "one of bookings" in warning.expected


def test_money_in_another_currency_is_a_warning() -> None:
    """Where the rules name theirs."""
    rules = parse_rules(
        b"version: 1\ncurrency: EUR\nchannels: {email: {requires: email}}\ntriggers: {t: {kind:"
        b" event, on: [order_placed], template: x, channels: [email]}}\n"
    )
    event = shipped_example("order_placed")
    event["data"] = {"value": 1, "currency": "USD"}
    (warning,) = check_line(orjson.dumps(as_event("orders", event)), rules)
    assert (warning.level, warning.path, warning.found) == ("warning", "data.currency", "'USD'")


def test_channels_that_no_rule_has_are_a_warning() -> None:
    """Each entry by its name, when that can be none of a person's."""
    data = {
        "channels": ["E-Mail ", " SMS"],
        "consent": {"email": True, "fax": False, "ann@example.com": True},
    }
    line = {
        "topic": "profiles",
        "event_id": "e",
        "type": "profile_updated",
        "customer_id": "c",
        "occurred_at": 1_700_000_000_000,
        "data": data,
    }
    known = "expected channels of the rules (email, push, sms); it is left out"
    assert [str(each) for each in checked(line)] == [
        f"warning: data.channels: {known}, found 'E-Mail '",
        f"warning: data.consent: {known}, found 'fax'",
        f"warning: data.consent: {known}, found text of 15 characters",
    ]


def test_values_that_may_be_personal_are_not_shown() -> None:
    """By type and length; times, types and zones as they are."""
    personal = "grace.hopper@example.org"
    event = shipped_example("profile_updated") | {
        "event_id": personal * 9,
        "customer_id": personal * 20,
    }
    event["data"] = {
        "birthday": personal,
        "channels": [personal],
        "nick": personal,
        "phone": [personal],
    }
    told = "\n".join(map(str, checked(as_record("profiles", event) | {"key": personal})))
    assert "birthday" in told
    assert personal not in told


def test_lines_are_counted_from_one_and_blank_ones_count() -> None:
    """Line numbers are those of an editor."""
    good = orjson.dumps(as_event("orders", shipped_example("shipped")))
    found = list(check_lines([b"", good, b"  ", b"{}"], shipped_rules()))
    assert [(each.number, each.event, len(each.remarks)) for each in found] == [
        (2, "orders/shipped", 0),
        (4, "?/?", 1),
    ]
