"""A worker whose machine's wall clock is set forth and back by an hour while it works."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.process.conftest import Instance
from tests.process.running import RunningWorker, wait_for

# a matter of the worker's clock: one kind of broker will do
pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)
HOUR_MS = 3_600_000
MORE_RULES = """\
  parcel: {kind: event, on: [delivered], template: p, channels: [email], category: transactional}
  in_an_hour: {kind: abandonment, start: [checkout_started], key: cart_id, cancel: [order_placed],
               after: 50m, template: later, channels: [email], category: transactional}
"""


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    path = tmp_path / "clock"
    path.write_text("0")
    return path


def steered(instance: Instance, clock: Path, hold_s: float) -> RunningWorker:
    """Reminders after 1 s, 6 s and 50 minutes."""
    rules = clock.parent / "rules.yaml"
    if MORE_RULES not in rules.read_text():
        rules.write_text(rules.read_text() + MORE_RULES)
    return instance.worker(CLOCK_FILE=str(clock), CLOCK_HOLD_S=str(hold_s))


def set_clock(clock: Path, off_ms: int) -> None:
    """At once: a worker never reads half of it."""
    whole = clock.with_suffix(".new")
    whole.write_text(str(off_ms))
    whole.replace(clock)


def leave(instance: Instance, ids: list[str], cart: str) -> None:
    """A cart, and a checkout with a reminder that is due long after the test."""
    for customer_id in ids:
        instance.wire.event("orders", customer_id, "cart_updated", {"cart_id": cart})
        instance.wire.event("orders", customer_id, "checkout_started", {"cart_id": cart})
    instance.wire.flush()


def test_an_hour_forth_and_back_fires_nothing_early_and_holds_nothing_up(
    instance: Instance, clock: Path
) -> None:
    """Carts go on being left: each gets its two reminders in time, once, and none that is due in
    an hour. A repeated event is known by its id, whatever the clock says.
    """
    ids = instance.customers(3)
    with steered(instance, clock, 60.0) as worker:
        worker.wait_until_ready()
        for number, off_ms in enumerate((0, HOUR_MS, 0, -HOUR_MS, 0)):
            set_clock(clock, off_ms)
            leave(instance, ids, f"k{number}")
            instance.wire.event("orders", ids[0], "delivered", event_id="twice")
            instance.wire.flush()
            _wait_for_sends(worker, "cart_abandoned", 3 * (number + 1))
            assert worker.metric("trigger_clock_step_seconds") == pytest.approx(
                off_ms / 1000, abs=5
            )
        _wait_for_sends(worker, "late_cart", 15)
        assert worker.stop() == 0, worker.log
    sent = Counter(each["trigger"] for each in instance.wire.values("dispatch"))
    assert sent == {"parcel": 1, "cart_abandoned": 15, "late_cart": 15}
    for each in instance.wire.values("decisions"):
        assert abs(_ms(each["decided_at"]) - _ms(each["due_at"])) < 60_000, each


def test_a_clock_that_is_put_right_by_an_hour_is_believed_after_a_while(
    instance: Instance, clock: Path
) -> None:
    """A worker that began an hour ahead ends with the reason, and its next start has the right
    time.
    """
    ids = instance.customers(3)
    set_clock(clock, HOUR_MS)
    with steered(instance, clock, 2.0) as worker:
        worker.wait_until_ready()
        set_clock(clock, 0)
        assert worker.wait() == 1
        assert "was set back by 3600 s" in worker.log
    with steered(instance, clock, 2.0) as worker:
        worker.wait_until_ready()
        leave(instance, ids, "k")
        instance.wire.wait_for_values("dispatch", 6)
        set_clock(clock, HOUR_MS)
        _wait_for_sends(worker, "in_an_hour", 3)
        assert worker.stop() == 0, worker.log
    sent = Counter(each["trigger"] for each in instance.wire.values("dispatch"))
    assert sent == {"cart_abandoned": 3, "late_cart": 3, "in_an_hour": 3}


def _wait_for_sends(worker: RunningWorker, trigger: str, count: int) -> None:
    def sent() -> float:
        return worker.metric("trigger_decisions_total", trigger=trigger, outcome="send")

    wait_for(f"{count} {trigger}\n{worker.log}", lambda: sent() >= count)


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
