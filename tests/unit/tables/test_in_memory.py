"""The timers of a backtest's customers."""

from random import Random

from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.recorded import Cause
from app.core.time.instants import END_OF_TIME_MS
from tables.in_memory import InMemoryCustomers


def waiting(customer_id: str, due_ms: int) -> Customer:
    """A customer with one timer."""
    step = PendingStep(0, due_ms, due_ms)
    instance = Instance("t", "", 0, {}, Cause("orders", None, None, "e"), [step])
    return Customer(customer_id, instances=[instance], due_ms=due_ms)


def moved(customer: Customer, due_ms: int) -> Customer:
    """The same customer, its timer at another time."""
    step = customer.instances[0].steps[0]
    customer.timer_gone(step.fire_ms)
    step.fire_ms = due_ms
    customer.timer_added(due_ms)
    return customer


def test_customers_come_when_due_and_once() -> None:
    """A moved timer counts where it is now, an erased customer not at all."""
    customers = InMemoryCustomers()
    ann, bob, cat = waiting("ann", 10), waiting("bob", 20), waiting("cat", 15)
    for customer in (ann, bob, cat):
        customers.changed(customer)
    customers.changed(moved(ann, 30))
    customers.erase("cat")
    assert customers.due(25) == [bob]
    assert customers.due(25) == []
    assert customers.earliest_due_ms() > 25
    customers.changed(bob)
    assert customers.due(30) == [bob, ann]
    assert customers.due(END_OF_TIME_MS - 1) == []


def test_memory_follows_customers_not_events() -> None:
    """A timer moved a hundred thousand times leaves no trail."""
    customers = InMemoryCustomers()
    ann = waiting("ann", 0)
    for due_ms in range(100_000):
        customers.changed(moved(ann, due_ms))
    assert customers._entries < 2000
    assert customers.due(END_OF_TIME_MS - 1) == [ann]


def test_timers_of_far_and_near_times_come_in_order() -> None:
    """However they are kept until their time comes; one that is set in the past comes at once."""
    dice = Random(1)
    customers = InMemoryCustomers()
    due_ms = {f"c{number}": dice.randrange(-(10**9), 10**9) for number in range(2000)}
    for customer_id, at_ms in due_ms.items():
        customers.changed(waiting(customer_id, at_ms))
    seen: list[str] = []
    for watermark_ms in range(-(10**9), 10**9, 10**7):
        if watermark_ms == 0:
            customers.changed(waiting("late", -5))
            due_ms["late"] = -5
        for customer in customers.due(watermark_ms):
            assert watermark_ms - 10**7 < customer.next_due_ms() <= watermark_ms
            seen.append(customer.customer_id)
        assert customers.earliest_due_ms() > watermark_ms
    seen += [customer.customer_id for customer in customers.due(10**9)]
    assert sorted(seen) == sorted(due_ms)
