"""A record stays writable: no sequence of events of one customer outgrows what Kafka takes."""

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from msgspec import to_builtins

from app.core.customer.bound import keep_within, size
from app.core.customer.limits import MAX_OLD_SENDS, MAX_RECORD_BYTES
from app.core.customer.record import Customer
from app.core.decisions import Decision
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
channels: {email: {requires: email}}
triggers:
  wait: {kind: event, on: [cart_updated], after: 30d, expires: 30d, template: t, channels: [email],
         category: transactional, tokens: {sku: event.sku, items: event.items}}
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed], after: 20d,
         expires: 30d, template: t, channels: [email]}
  often: {kind: frequency, on: [product_viewed], key: sku, times: 3, within: 30d, template: t,
          channels: [email]}
  done: {kind: event, on: [order_placed], template: t, channels: [email], category: transactional,
         tokens: {id: event.order_id, sku: event.sku}}
"""
FIELDS = ("cart_id", "order_id", "booking_id", "session_id", "sku", "category", "channel")


def text(dice: random.Random) -> str:
    """Up to a thousand characters of four bytes each."""
    return "\N{PILE OF POO}" * dice.choice((1, 30, 1000)) + str(dice.randrange(10_000))


def event(dice: random.Random, number: int) -> tuple[str, dict[str, object]]:
    kind = dice.choice(("cart_updated", "order_placed", "product_viewed", "profile_updated"))
    if kind == "profile_updated":
        attributes = {text(dice): text(dice) for _ in range(3)}
        data: dict[str, object] = {"email": "a@example.com", "attributes": attributes}
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
    return ("profiles" if kind == "profile_updated" else "orders"), envelope


@pytest.mark.parametrize("seed", range(3))
def test_no_events_of_one_customer_outgrow_the_bound(seed: int) -> None:
    """Two thousand of them, of long texts in every field that a record keeps."""
    dice = random.Random(seed)  # repeatable, not secret
    world, made = OneCustomer(), list[Decision]()
    engine = Engine(parse_rules(RULES), world, made.append)
    for number in range(EVENTS):
        topic, envelope = event(dice, number)
        now_ms = T0 + number * HOUR // 10
        engine.run_to(now_ms, now_ms)
        try:
            engine.handle(
                parse_envelope(orjson.loads(orjson.dumps(envelope)), topic=topic), now_ms, 0
            )
        except EventError:
            continue
        if number % 20 == 0:
            if size(world.customer) > MAX_RECORD_BYTES:
                keep_within(world.customer)
            assert size(world.customer) <= MAX_RECORD_BYTES


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
            for number in range(150):
                topic, envelope = event(dice, number)
                parsed = parse_envelope(orjson.loads(orjson.dumps(envelope)), topic=topic)
                with suppress(EventError):
                    engine.handle(parsed, T0 + number * HOUR // 10, 0)
        assert to_builtins(worker.get("ann")) == to_builtins(backtest.get("ann"))
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

    assert keep_within(customer, 0) == ["keys", "attributes"]

    assert customer.unsubscribed_ms == {"email": 5}
    assert customer.complained_ms == {"sms": 6}
    assert customer.counts == {"order_placed": 7}
    assert customer.profile == {"email": "a@example.com", "attributes": {}}
    assert MAX_OLD_SENDS == 64
