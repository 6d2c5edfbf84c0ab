"""Instances that older rules opened, under the rules that took their place."""

import orjson
import pytest

from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.engine import Engine
from app.core.events import parse_envelope
from app.rules_file.load import parse_rules

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000
OLD = b"""
version: 1
triggers:
  day: {kind: event, on: [cart_updated], after: 2h, template: t, channels: [email]}
"""
NEW = b"""
version: 1
triggers:
  day: {kind: anniversary, of: profile.birthday, template: t, channels: [email]}
"""


class OneCustomer:
    """The records of a world with one person in it."""

    def __init__(self) -> None:
        self.customer = Customer("ann")

    def get(self, customer_id: str) -> Customer:
        return self.customer

    def erase(self, customer_id: str) -> None:
        self.customer = Customer("ann")

    def changed(self, customer: Customer) -> None:
        """The record is the same object."""

    def earliest_due_ms(self) -> int:
        return self.customer.next_due_ms()

    def due(self, watermark_ms: int) -> list[Customer]:
        return [self.customer]

    def note_parked(self, customer: Customer) -> None:
        """Always current: nothing is parked."""

    def parked(self, limit: int) -> list[Customer]:
        return []


@pytest.mark.parametrize("event_id", ["cart-7", "7", "9999", "20260101"])
def test_a_trigger_may_become_an_anniversary(event_id: str) -> None:
    """A step that was opened before is decided at its time, and the birthday is scheduled too."""
    made: list[Decision] = []
    world = OneCustomer()
    task = Engine(parse_rules(OLD), world, made.append)

    def handle(name: str, topic: str, identity: str, hour: int, data: dict[str, str]) -> None:
        envelope = {
            "event_id": identity,
            "type": name,
            "customer_id": "ann",
            "occurred_at": T0 + hour * HOUR,
            "data": data,
        }
        now_ms = T0 + hour * HOUR
        task.run_to(now_ms, 0)
        task.handle(
            parse_envelope(orjson.loads(orjson.dumps(envelope)), topic=topic), now_ms, now_ms
        )

    handle("cart_updated", "orders", event_id, 0, {})
    task.rules = parse_rules(NEW)
    profile = {"birthday": "1990-03-04", "email": "ann@example.com"}
    handle("profile_updated", "profiles", "p", 1, profile)
    task.run_to(T0 + 3 * HOUR, 0)

    assert [instance.key for instance in world.customer.instances] == ["2026"]
    assert [decision.key for decision in made] == [event_id]
