"""Harmful records through decoding, deciding, encoding and the database."""

import json
from collections import Counter
from pathlib import Path

import pytest

from app.core.decisions import Decision
from app.core.engine import Engine, Handled
from app.core.errors import EventError
from app.formats import encode
from app.formats.decode import REASONS, Erasure, decode_record
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path
from tables.customers import PartitionCustomers
from tables.partition import PartitionStore
from tests.poison import NOW_MS, poison

UNIT = 500
#: Reasons for dead letters that the engine finds, beside those of the codecs.
ENGINE_REASONS = {"missing_key", "profile", "merge"}
#: Only with a Schema Registry (tests/process/test_worker_schema_registry.py).
OTHER_REASONS = {"unknown_schema", "schema_value"}


@pytest.mark.parametrize("records", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_harmful_record_is_at_worst_a_dead_letter(tmp_path: Path, records: int) -> None:
    """Every good record in between is applied, and what is written can be read again."""
    made: list[Decision] = []
    store = PartitionStore(tmp_path / "p")
    customers = PartitionCustomers(store)
    task = Engine(load_rules(default_rules_path()), customers, made.append)
    became: Counter[str] = Counter()
    offset = good = 0
    for seed in range(records):
        record = poison(seed)
        became[outcome(task, record.topic, seed, record.key, record.value, record.headers)] += 1
        if seed % 10 == 0:
            value = json.dumps(
                {
                    "event_id": f"good-{seed}",
                    "type": "order_placed",
                    "customer_id": "good",
                    "occurred_at": NOW_MS + seed,
                    "data": {"value": 1, "cart_id": "k"},
                }
            ).encode()
            assert outcome(task, "orders", seed, b"good", value, []) == "applied"
            good += 1
        if seed % UNIT == 0:
            task.fire_due(NOW_MS + seed * 60_000, NOW_MS + seed * 60_000)
            for decision in made:
                encode.written(decision)
            made.clear()
            changes = customers.changes()
            offset += len(changes)
            store.write(changes, offset)
            customers.reset()
    assert customers.get("good").counts["order_placed"] == good
    handled = {each.value for each in Handled} | {"erased"}
    assert became.keys() <= REASONS | ENGINE_REASONS | handled
    assert became["applied"] > records / 5
    for reason in REASONS - OTHER_REASONS | ENGINE_REASONS:
        assert became[reason] > records / 10_000, became
    for number in range(200):
        customers.get(f"p{number}")
    store.close()


def outcome(
    task: Engine,
    topic: str,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
) -> str:
    """What becomes of a record, as in a lane: a reason when it is a dead letter."""
    try:
        event = decode_record(topic, 0, offset, key, value, headers)
        if isinstance(event, Erasure):
            task.erase(event.customer_id)
            return "erased"
        handled = task.handle(event, NOW_MS + offset, NOW_MS - 5_000)
    except EventError as exc:
        str(exc).encode()
        return exc.reason
    assert isinstance(handled, Handled)
    return handled.value
