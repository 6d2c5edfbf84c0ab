"""A record stays writable: no sequence of events of one customer outgrows what Kafka takes."""

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest

from app.core.customer.bound import keep_within
from app.core.customer.codec import record_bytes
from app.core.customer.limits import MAX_OLD_SENDS, MAX_PROFILE_TEXT_CHARS, MAX_RECORD_BYTES
from app.core.customer.parts import Entered
from app.core.customer.record import Customer
from app.core.decisions import Decision, Outcome
from app.core.engine import Engine
from app.core.errors import EventError
from app.core.events import parse_envelope
from app.rules_file.load import parse_rules
from tables.customers import PartitionCustomers
from tables.in_memory import InMemoryCustomers
from tables.opening import shared_cache
from tables.partition import PartitionStore
from tests.unit.core.triggers.test_rules_replaced import HOUR, T0, OneCustomer

EVENTS = 2_000
RULES = b"""
version: 1
channels: {email: {requires: email}, sms: {requires: phone}, push: {requires: push_token}}
throttle: {soft_bounces: {limit: 5, within: 30d}}
events: {orders: {order_placed: {note: text}}}
facts:
  notes: {last: order_placed.note, keep: 16}
  skus: {distinct: order_placed.items.sku}
  often: {most: product_viewed.sku}
triggers:
  wait: {kind: event, on: [cart_updated], after: 30d, expires: 30d, template: t, channels: [email],
         category: transactional, tokens: {sku: event.sku, items: event.items}}
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed], after: 20d,
         expires: 30d, template: t, channels: [email]}
  often: {kind: frequency, on: [product_viewed], key: sku, times: 3, within: 30d, template: t,
          channels: [email]}
  done: {kind: event, on: [order_placed], template: t, channels: [email], category: transactional,
         tokens: {id: event.order_id, sku: event.sku}}
  few: {kind: abandonment, start: [cart_updated], key: cart_id, after: 1s, template: t,
        channels: [email], category: transactional, limit: {times: 500, per: 300d}}
"""
TOPICS = {"profile_updated": "profiles", "message_bounced": "engagement"}
ADDRESSES = ("email", "phone", "push_token")
FIELDS = ("cart_id", "order_id", "booking_id", "session_id", "sku", "category", "note")


def text(dice: random.Random) -> str:
    """Up to a thousand characters of four bytes each."""
    return "\N{PILE OF POO}" * dice.choice((1, 30, 1000)) + str(dice.randrange(10_000))


def event(dice: random.Random, number: int) -> tuple[str, dict[str, object]]:
    kind = dice.choice(
        ("cart_updated", "order_placed", "product_viewed", "profile_updated", "message_bounced")
    )
    data: dict[str, object]
    if kind == "profile_updated":
        attributes = {text(dice): dice.choice((text(dice), None)) for _ in range(3)}
        data = {"email": "a@example.com", "attributes": attributes}
        if dice.random() < 0.5:
            data = {field: text(dice) for field in (*ADDRESSES, "first_name", "locale")}
    elif kind == "message_bounced":
        data = {"channel": dice.choice(("email", "sms", "push")), "hard": dice.random() < 0.5}
    else:
        data = {field: text(dice) for field in FIELDS}
        data["items"] = [{"sku": text(dice)} for _ in range(dice.choice((0, 3, 60)))]
        data["value"] = 1e308
    envelope = {
        "event_id": f"{number}{text(dice)}"[:128],
        "type": kind,
        "customer_id": "ann",
        "occurred_at": T0 + number * HOUR // 10,
        "data": data,
    }
    return TOPICS.get(kind, "orders"), envelope


@pytest.mark.parametrize("seed", range(3))
def test_no_events_of_one_customer_outgrow_the_bound(seed: int) -> None:
    """Two thousand of them, of long texts in every field that a record keeps."""
    dice = random.Random(seed)  # repeatable, not secret
    customers, made = InMemoryCustomers(), list[Decision]()
    engine = Engine(parse_rules(RULES), customers, made.append)
    for number in range(EVENTS):
        topic, envelope = event(dice, number)
        now_ms = T0 + number * HOUR // 10
        engine.fire_due(now_ms, now_ms)
        with suppress(EventError):
            parsed = parse_envelope(orjson.loads(orjson.dumps(envelope)), topic=topic)
            engine.handle(parsed, now_ms, now_ms)
        if number % 20 == 0:
            assert record_bytes(customers.get("ann")) <= MAX_RECORD_BYTES
    assert made


@pytest.mark.parametrize("field", [*ADDRESSES, "first_name", "locale"])
def test_a_text_of_the_profile_has_a_bound(field: str) -> None:
    """A longer one is a dead letter that says so, and what it withdraws holds all the same."""
    customers = InMemoryCustomers()
    engine = Engine(parse_rules(RULES), customers, lambda _: None)
    fits, long = "x" * MAX_PROFILE_TEXT_CHARS, "x" * (MAX_PROFILE_TEXT_CHARS + 1)

    _update(engine, 1, {field: f" {fits} " if field in ADDRESSES else fits})
    with pytest.raises(EventError, match=rf"data\.{field}: expected at most 4096 characters"):
        _update(engine, 2, {field: long, "consent": {"sms": False}})

    profile = customers.get("ann").profile
    assert profile[field] == fits
    assert profile["consent"] == {"sms": False}


def test_a_bounce_closes_a_long_address_in_any_spelling() -> None:
    """Of a long one a digest is remembered, with the send and with the bounce."""
    customers, made = InMemoryCustomers(), list[Decision]()
    engine = Engine(parse_rules(RULES), customers, made.append)
    mailbox = "Ann" * 1000 + "@example.com"
    _update(engine, 1, {"email": mailbox})
    _take(engine, 2, "orders", "order_placed", {"order_id": "1"})
    _update(engine, 3, {"email": "other@example.com"})
    _take(engine, 4, "engagement", "message_bounced", {"request_id": made[-1].request_id})
    _take(engine, 5, "orders", "order_placed", {"order_id": "2"})
    _update(engine, 6, {"email": mailbox.lower()})
    _take(engine, 7, "orders", "order_placed", {"order_id": "3"})

    assert [each.outcome for each in made] == [Outcome.SEND, Outcome.SEND, Outcome.SUPPRESS]
    assert len(customers.get("ann").sends[0].address or "") == 64


def test_names_of_attributes_have_a_bound_also_when_they_are_taken_away() -> None:
    """A name that was ever given is remembered, so that an older update cannot bring it back."""
    customers = InMemoryCustomers()
    engine = Engine(parse_rules(RULES), customers, lambda _: None)
    for number in range(6):
        _update(engine, number, {"attributes": {str(number) + "n" * 10_000: None}})
    with pytest.raises(EventError, match="at most 65536 bytes of names"):
        _update(engine, 6, {"attributes": {"6" + "n" * 10_000: None}})


def _update(engine: Engine, number: int, data: dict[str, object]) -> None:
    _take(engine, number, "profiles", "profile_updated", data)


def _take(engine: Engine, number: int, topic: str, kind: str, data: dict[str, object]) -> None:
    envelope = {
        "event_id": str(number),
        "type": kind,
        "customer_id": "ann",
        "occurred_at": T0 + number,
        "data": data,
    }
    engine.handle(parse_envelope(envelope, topic=topic), T0 + number, T0 + number)


def test_the_worker_and_a_backtest_keep_the_same_of_a_large_record() -> None:
    """After each change, and not only when a unit of the worker is written."""
    backtest, dice = InMemoryCustomers(), random.Random(1)
    shed: list[str] = []
    with TemporaryDirectory() as folder:
        store = PartitionStore(Path(folder), shared_cache())
        worker = PartitionCustomers(store)
        worker.on_shed = shed.append
        for customers in (backtest, worker):
            engine = Engine(parse_rules(RULES), customers, lambda _: None)
            dice = random.Random(1)
            for number in range(450):
                topic, envelope = event(dice, number)
                parsed = parse_envelope(orjson.loads(orjson.dumps(envelope)), topic=topic)
                with suppress(EventError):
                    engine.handle(parsed, T0 + number * HOUR // 10, 0)
        assert worker.get("ann") == backtest.get("ann")
        store.close()
    assert Counter(shed) == backtest.shed
    assert backtest.shed


def test_what_withdraws_or_counts_is_never_dropped() -> None:
    """However small the bound is."""
    customer = Customer("ann")
    customer.unsubscribed_ms = {"email": 5}
    customer.complained_ms = {"sms": 6}
    customer.counts = {"order_placed": 7}
    customer.profile = {"email": "a@example.com", "attributes": {"a": "x" * 100, "b": "y"}}
    customer.starts_ms = {"t": {str(number): [number] for number in range(64)}}

    customer.entered = {"t": [Entered("k", number, 1) for number in range(5)]}

    assert keep_within(customer, 0) == ["keys", "attributes", "entered"]

    assert customer.unsubscribed_ms == {"email": 5}
    assert customer.complained_ms == {"sms": 6}
    assert customer.counts == {"order_placed": 7}
    assert customer.profile == {"email": "a@example.com", "attributes": {}}
    assert MAX_OLD_SENDS == 64


def test_channel_names_of_feedback_leave_a_record_small() -> None:
    """Of 1,500 events a type with a thousand characters as channel the texts are not kept."""
    world = OneCustomer()
    engine = Engine(parse_rules(RULES), world, list[Decision]().append)
    for number in range(1500):
        for kind in ("unsubscribed", "message_complained", "message_bounced", "message_opened"):
            envelope = {
                "event_id": f"{kind}-{number}",
                "type": kind,
                "customer_id": "ann",
                "occurred_at": T0 + number,
                "data": {"channel": f"{number:04}" * 250},
            }
            now_ms = T0 + number
            engine.handle(parse_envelope(envelope, topic="engagement"), now_ms, now_ms)
    assert record_bytes(world.customer) < MAX_RECORD_BYTES // 10
