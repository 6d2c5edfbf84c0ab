"""What the engine says to a record, to be compared with what a contract says."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.contracts.events import all_types, example
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.errors import EventError
from app.core.events import MERGE
from app.core.rules.model import Rules
from app.core.rules.rates import single_partition
from app.core.transitions import Handled, handle_event, target_of
from app.formats.decode import Erasure, decode_record
from app.rules_file.load import load_rules

ROOT = Path(__file__).parents[3]
NOW_MS = 1_780_000_000_000


@cache
def shipped_rules() -> Rules:
    """The rules that the shipped contracts are made for."""
    return load_rules(ROOT / "deploy" / "rules.yaml")


#: (topic, type) of the shipped contracts.
SHIPPED_TYPES: Final = all_types(shipped_rules().taxonomy)


def shipped_example(name: str) -> dict[str, Any]:
    """The example of a type in the shipped contracts."""
    (topic,) = [topic for topic, each in SHIPPED_TYPES if each == name]
    return example(topic, name, shipped_rules())


def refusal(
    topic: str,
    value: bytes | None,
    key: bytes | None = None,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> str | None:
    """Why the record would be a dead letter; None: it is accepted (and of a known type)."""
    decisions: list[Decision] = []
    try:
        event = decode_record(topic, 0, 0, key, value, list(headers))
        if isinstance(event, Erasure):
            return None
        if event.type == MERGE:
            target_of(event)
            return None
        customer = Customer(customer_id=event.customer_id)
        handled = handle_event(
            customer, event, shipped_rules(), NOW_MS, decisions.append, single_partition()
        )
    except EventError as exc:
        return str(exc)
    assert handled is Handled.APPLIED
    return None
