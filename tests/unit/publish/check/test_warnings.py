"""What is accepted and surely not meant: addresses that are none, too many items; and what is."""

from typing import Any

import orjson
import pytest

from app.core.customer.limits import MAX_ITEMS_BYTES
from app.core.rules.model import Rules
from app.publish.check.lines import check_line
from app.rules_file.load import parse_rules
from tests.unit.contracts.judging import shipped_example, shipped_rules


def warnings_of(
    topic: str, name: str, data: dict[str, Any], rules: Rules | None = None
) -> list[str]:
    """The remarks about an event with that data."""
    line = {"topic": topic, **shipped_example(name), "data": data}
    return [str(remark) for remark in check_line(orjson.dumps(line), rules or shipped_rules())]


@pytest.mark.parametrize("value", ["", "   ", "NULL", "None", "nan"])
@pytest.mark.parametrize("field", ["email", "phone", "push_token"])
def test_an_address_that_spells_nothing_is_a_warning(field: str, value: str) -> None:
    """The engine takes it for none; the text itself is not shown."""
    assert warnings_of("profiles", "profile_updated", {field: value}) == [
        f"warning: data.{field}: expected an address, or null for none; it counts as none,"
        f" found text of {len(value)} characters"
    ]


def test_an_address_that_rules_keep_among_the_attributes_is_looked_at() -> None:
    """As one of the profile's own."""
    rules = parse_rules(
        b"version: 1\nchannels: {work: {requires: attributes.work_email}}\ntriggers:"
        b" {t: {kind: event, on: [order_placed], template: x, channels: [work]}}\n"
    )
    data = {"attributes": {"work_email": "NULL", "name": "NULL"}}
    (told,) = warnings_of("profiles", "profile_updated", data, rules)
    assert told.startswith("warning: data.attributes.work_email: expected an address")
    (told,) = warnings_of("profiles", "profile_updated", {"attributes": None}, rules)
    assert told.startswith("error: data.attributes: expected an object")


def test_an_email_address_without_an_at_is_a_warning() -> None:
    """Phone numbers and devices have none, and null takes an address away."""
    assert warnings_of("profiles", "profile_updated", {"email": "not-an-address"}) == [
        "warning: data.email: expected an e-mail address, with @; messages go to it as it is,"
        " found text of 14 characters"
    ]
    clean = {"email": "jörg@bücher.example", "phone": 4930123, "push_token": "t"}
    assert warnings_of("profiles", "profile_updated", clean) == []
    assert warnings_of("profiles", "profile_updated", {"email": None}) == []


@pytest.mark.parametrize("name", ["message_opened", "message_clicked"])
def test_opens_and_clicks_may_be_a_machine_s(name: str) -> None:
    """The field is known there alone, and true or false."""
    assert warnings_of("engagement", name, {"request_id": "r", "machine": True}) == []
    (told,) = warnings_of("engagement", name, {"request_id": "r", "machine": "yes"})
    assert told.startswith("warning: data.machine: expected true or false")
    (told,) = warnings_of("engagement", "message_delivered", {"request_id": "r", "machine": True})
    assert "it is not kept" in told


@pytest.mark.parametrize("data", [{}, {"request_id": None}, {"channel": "email"}])
@pytest.mark.parametrize("name", ["message_delivered", "message_opened", "message_clicked"])
def test_an_answer_to_no_message_is_a_warning(name: str, data: dict[str, Any]) -> None:
    """It finds its send by ``request_id`` alone."""
    (told,) = warnings_of("engagement", name, data)
    assert told.startswith("warning: data.request_id: expected the request_id of the message")
    assert warnings_of("engagement", "unsubscribed", {}) == []


def test_a_merge_into_oneself_is_a_warning() -> None:
    """It does nothing."""
    own = str(shipped_example("customer_merged")["customer_id"])
    (told,) = warnings_of("profiles", "customer_merged", {"into": own})
    assert told.startswith("warning: data.into: expected another customer")
    assert warnings_of("profiles", "customer_merged", {"into": f"{own}2"}) == []


def test_items_over_the_bound_are_a_warning_where_rules_read_them() -> None:
    """They are cut to those that fit."""
    text = (
        "version: 1\nchannels: {email: {requires: email}}\ntriggers: {t: {kind: event, on:"
        " [order_placed], template: x, channels: [email]%s}}\n"
    )
    reading = parse_rules((text % ", tokens: {all: event.items}").encode())
    others = parse_rules((text % "").encode())
    fits = {"items": ["x" * (MAX_ITEMS_BYTES - len('[""]'))]}
    over = {"items": [*fits["items"], "y"]}
    assert warnings_of("orders", "order_placed", fits, reading) == []
    assert warnings_of("orders", "order_placed", over, others) == []
    assert warnings_of("orders", "order_placed", over, reading) == [
        f"warning: data.items: expected at most {MAX_ITEMS_BYTES} bytes; rules and messages get the"
        " first that fit, found an array"
    ]
