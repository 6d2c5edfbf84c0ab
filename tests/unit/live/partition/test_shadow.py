"""What a shadow's records start from, how long they are kept, and how decisions compare."""

from dataclasses import replace

from app.core.customer.codec import encode
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.engine import Engine
from app.core.events import Event
from app.core.rules.model import Rules
from app.live.clock.partition_clock import WallClock
from app.live.clock.watermark import Watermark
from app.live.partition.shadow import RecentCustomers, Shadow, compare
from app.live.partition.timers import fire_timers
from app.live.telemetry.metrics import Metrics
from app.rules_file.load import parse_rules

T0_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
RULES = parse_rules(b"""
version: 1
profile_patience: 0
triggers:
  thanks: {kind: event, on: [order_placed], category: transactional, template: thanks,
           channels: [email, sms]}
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, after: 1h, template: cart,
         category: transactional, channels: [email]}
""")


def event(type: str, number: int, customer_id: str = "ann") -> Event:
    """A shop event of that customer at T0."""
    return Event(
        event_id=f"{type}-{number}",
        type=type,
        topic="orders",
        customer_id=customer_id,
        occurred_ms=T0_MS,
        data={"cart_id": f"k{number}"},
    )


class Pair:
    """A live engine and its shadow, side by side at T0."""

    def __init__(self, limit: int = 10, shadow_rules: Rules = RULES) -> None:
        self.metrics = Metrics()
        self.shadow = Shadow(shadow_rules, self.metrics, limit)
        self.watermark = Watermark(["orders"], 0)
        self.now_ms = T0_MS
        self.clock = WallClock(self.watermark, lambda: self.now_ms)
        self.live = RecentCustomers(1000)
        self.made: list[Decision] = []
        self.task = Engine(RULES, self.live, self.made.append)

    def take(self, each: Event, *, is_shadowed: bool = True) -> None:
        """One event, as a partition processor gives it to both."""
        if is_shadowed:
            self.shadow.see([self.live.get(each.customer_id)])
            self.shadow.handle(each, self.clock.instant, each.customer_id)
        instant = self.clock.instant
        self.task.handle(each, instant.now_ms, instant.watermark_ms)

    def pass_hours(self, hours: int) -> None:
        """Fire what is due then, as a partition processor does."""
        self.now_ms += hours * HOUR_MS
        self.watermark.advance("orders", self.now_ms)
        self.clock.start_unit(is_current=True)
        self.shadow.see([each for each in self.live if each.next_due_ms() <= self.now_ms])
        fire_timers(self.task, self.clock, self.now_ms)
        self.shadow.fire(self.clock, self.now_ms)

    def settle(self) -> dict[str, float]:
        """Verdicts of the unit so far, over all units."""
        self.shadow.settle(self.made)
        self.made.clear()
        return {
            sample.labels["verdict"]: sample.value
            for metric in self.metrics.registry.collect()
            for sample in metric.samples
            if sample.name == "trigger_shadow_decisions_total"
        }


def test_a_record_starts_from_the_live_one() -> None:
    """Also when a timer opened before the shadow began is the first thing seen of a customer."""
    pair = Pair()
    pair.take(event("cart_updated", 1), is_shadowed=False)
    before = encode(pair.live.get("ann"))
    pair.shadow.see([pair.live.get("ann")])
    assert encode(pair.live.get("ann")) == before
    pair.shadow.fire(pair.clock, T0_MS + 2 * HOUR_MS)
    assert encode(pair.live.get("ann")) == before
    pair = Pair()
    pair.take(event("cart_updated", 1), is_shadowed=False)
    pair.pass_hours(2)
    assert pair.settle() == {"same": 1}


def test_records_beyond_the_limit_go_and_start_again() -> None:
    """Those used least recently; their live timers are compared all the same."""
    pair = Pair(limit=2)
    for number in range(5):
        pair.take(event("cart_updated", number, f"c{number}"))
    pair.settle()
    assert len(pair.shadow._customers) == 2
    assert "c4" in pair.shadow._customers
    pair.pass_hours(2)
    assert pair.settle() == {"same": 5}
    assert len(pair.shadow._customers) == 2


def test_a_fault_under_the_shadows_rules_is_counted_and_stops_nothing() -> None:
    """The live side goes on, and so does the shadow, from copies again."""
    asked: list[str] = []

    def fail_once(customer: Customer, _: int) -> list[str]:
        asked.append(customer.customer_id)
        if len(asked) == 1:
            raise ZeroDivisionError("a bug")
        return []

    pair = Pair(shadow_rules=replace(RULES, segments_of=fail_once))
    pair.take(event("order_placed", 1))
    assert pair.metrics.registry.get_sample_value("trigger_shadow_errors_total") == 1
    pair.take(event("order_placed", 2))
    assert pair.settle() == {"only_live": 1, "same": 1}


def test_an_erased_customer_is_forgotten() -> None:
    """Nothing is decided from what there was."""
    pair = Pair()
    pair.take(event("cart_updated", 1))
    pair.live.erase("ann")
    pair.shadow.erase("ann")
    pair.pass_hours(2)
    assert pair.settle() == {}
    assert "ann" not in pair.shadow._customers


def test_outcome_channel_and_template_are_compared() -> None:
    """Reasons are not; decisions that are not final do not count."""
    pair = Pair()
    pair.live.changed(Customer("ann", profile={"email": "a@example.com"}))
    pair.take(event("order_placed", 1))
    (sent,) = pair.made
    assert sent.channel == "email"
    for other, verdict in (
        (sent, "same"),
        (replace(sent, rules_version="other", priority=1), "same"),
        (replace(sent, channel="sms"), "different"),
        (replace(sent, template="other"), "different"),
    ):
        assert compare([sent], [other]) == {("thanks", verdict): 1}
    assert compare([sent], []) == {("thanks", "only_live"): 1}
    assert compare([], [sent]) == {("thanks", "only_shadow"): 1}


def test_timers_that_were_moved_or_whose_records_went_take_no_place() -> None:
    """What is kept of timers is bounded by what is pending."""
    customers = RecentCustomers(5)
    customer = Customer("ann")
    for due_ms in range(5000):
        customer.due_ms = T0_MS - due_ms
        customers.changed(customer)
        customers.changed(Customer(f"c{due_ms}", due_ms=T0_MS))
        customers.trim()
    assert customers._entries < 2000
    assert customers.due(T0_MS - 5000) == []
    assert customers.due(T0_MS - 4999) == [customer]
