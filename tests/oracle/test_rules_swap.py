"""Rules replaced in the middle of a history: whatever was open goes on as a plan says."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.backtest.history import read_arrivals
from app.core.decisions import Decision
from app.core.engine import Engine
from app.core.errors import EventError
from app.core.events import Event
from app.core.rules.variants import steps_of
from app.rules_file.load import parse_rules
from tables.in_memory import InMemoryCustomers
from tests.effort import examples
from tests.oracle.engine import compiled_rules
from tests.oracle.strategies import Scenario, scenarios
from tests.oracle.strategies_rules import Rules, rule_sets

SETTINGS = examples(60)
DAY_MS = 86_400_000
GRACE_MS = 5_000
T0_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


CART = """
version: 1
triggers:
  a: {kind: abandonment, start: [cart_updated], key: cart_id, after: 1h, template: cart,
      category: transactional, channels: [email]}
"""
BIRTHDAY = """
version: 1
triggers:
  a: {kind: anniversary, of: profile.birthday, at: "09:00", template: birthday,
      category: transactional, channels: [email]}
"""


def test_a_cart_is_decided_although_its_trigger_became_a_birthday() -> None:
    """Its key is no year: it is decided in its turn, and the birthday is scheduled too."""
    made: list[Decision] = []
    customers = InMemoryCustomers()
    task = Engine(parse_rules(CART.encode()), customers, made.append)
    new = parse_rules(BIRTHDAY.encode())
    for topic, name, data in (
        ("orders", "cart_updated", {"cart_id": "k"}),
        ("profiles", "profile_updated", {"birthday": "1990-06-01", "email": "a@example.com"}),
    ):
        line = {
            "topic": topic,
            "event_id": name,
            "type": name,
            "customer_id": "ann",
            "occurred_at": T0_MS,
            "data": data,
        }
        (arrival,) = read_arrivals([orjson.dumps(line)])
        assert isinstance(arrival.content, Event)
        task.handle(arrival.content, T0_MS, T0_MS - GRACE_MS)
        task.rules = new
    task.fire_due(T0_MS + DAY_MS, T0_MS + DAY_MS)
    ((key, template),) = [(decision.key, decision.template) for decision in made]
    assert (key, template) == ("k", "birthday")
    (waiting,) = customers.get("ann").instances
    assert waiting.key == "2026"


@SETTINGS
@given(scenario=scenarios(), new=rule_sets(), after=st.integers(0, 30))
def test_any_rules_can_follow_any_others(scenario: Scenario, new: Rules, after: int) -> None:
    """Nothing raises, every decision is of the rules of its time and names a trigger of theirs,
    and a year and a journey later no step waits for a trigger or a number that is gone.
    """
    before, now = (
        compiled_rules(scenario.rules, "old"),
        compiled_rules(new, "new"),
    )
    made: list[Decision] = []
    customers = InMemoryCustomers()
    task = Engine(before, customers, made.append)
    now_ms = 0
    for count, arrival in enumerate(read_arrivals(map(orjson.dumps, scenario.lines))):
        if count == after:
            task.rules = now
        now_ms = max(now_ms, arrival.arrived_ms or 0)
        task.run_to(now_ms, GRACE_MS)
        if isinstance(arrival.content, Event):
            try:
                task.handle(arrival.content, now_ms, now_ms - GRACE_MS)
            except EventError:
                continue
    task.rules = now
    # an anniversary is up to a year ahead, and a step that awaits something stays 60 days more
    task.run_to(now_ms + 430 * DAY_MS, GRACE_MS)
    versions = [decision.rules_version for decision in made]
    assert versions == sorted(versions, reverse=True)
    for decision in made:
        rules = now if decision.rules_version == "new" else before
        assert decision.trigger in rules.triggers
    for customer in customers:
        for instance in customer.instances:
            trigger = now.triggers[instance.trigger]
            steps = len(steps_of(trigger, customer.customer_id, instance))
            assert all(pending.step < steps for pending in instance.steps)
