"""A second rules file that decides on live traffic and sends nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import RULES, Instance
from tests.process.running import RunningWorker, wait_for

#: About the engine, whatever the broker.
pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

#: A confirmation with another template, no third order for those without a name, a reminder that
#: comes later, another that is new; late carts are gone.
OTHER = (
    RULES[: RULES.index("  late_cart:")]
    .replace("template: thanks", "template: thank-you")
    .replace("every: 3,", "every: 3, when: {field: profile.first_name, op: exists},")
    + """\
  new_cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
             settle: 0s, after: 2s, template: cart-3, channels: [email], category: transactional}
"""
)
COUNTED = "trigger_shadow_decisions_total"


def run_shop(instance: Instance, worker: RunningWorker) -> list[dict[str, Any]]:
    """Two customers order three times each, then leave a cart; the decisions on the topic."""
    wire = instance.wire
    worker.wait_until_ready()
    for customer_id in instance.customers(2):
        for number in range(3):
            wire.event("orders", customer_id, "order_placed", {"order_id": f"o{number}"})
    wire.flush()
    wire.wait_for_values("decisions", 8)
    for customer_id in ("c0", "c1"):
        wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
    wire.flush()
    wait_for("carts", lambda: worker.metric("trigger_timers_fired_total") == 4)
    return wire.wait_for_values("decisions", 12)


def test_the_same_file_agrees_with_itself(instance: Instance, tmp_path: Path) -> None:
    """Events and timers alike."""
    shadow = tmp_path / "shadow.yaml"
    shadow.write_text(RULES)
    with instance.worker(TRIGGER_SHADOW=str(shadow)) as worker:
        run_shop(instance, worker)
        wait_for("counts", lambda: worker.metric(COUNTED) == 12)
        assert worker.metric(COUNTED, verdict="same") == 12
        assert worker.metric("trigger_shadow_errors_total") == 0
        assert worker.stop() == 0, worker.log


def test_other_rules_are_counted_and_nothing_of_them_goes_out(
    instance: Instance, tmp_path: Path
) -> None:
    """By trigger, how the two differ; decisions and requests are all of the live rules."""
    shadow = tmp_path / "shadow.yaml"
    shadow.write_text(OTHER)
    with instance.worker(TRIGGER_SHADOW=str(shadow)) as worker:
        decisions = run_shop(instance, worker)
        for trigger, verdict, count in (
            ("order_placed", "different", 6),
            ("cart_abandoned", "same", 2),
            ("late_cart", "only_live", 2),
            ("third_order", "only_live", 2),
            ("new_cart", "only_shadow", 2),
        ):
            found = worker.metric(COUNTED, trigger=trigger, verdict=verdict)
            assert found == count == worker.metric(COUNTED, trigger=trigger), trigger
        assert worker.metric("trigger_shadow_errors_total") == 0
        assert worker.stop() == 0, worker.log
    assert len(decisions) == len(instance.wire.values("dispatch")) == 12
    assert len({each["rules_version"] for each in decisions}) == 1
    assert {each["trigger"] for each in decisions} == {
        "order_placed",
        "third_order",
        "cart_abandoned",
        "late_cart",
    }


def test_a_wrong_shadow_does_not_start(instance: Instance, tmp_path: Path) -> None:
    """With the problems, as for the rules themselves."""
    shadow = tmp_path / "shadow.yaml"
    shadow.write_text("version: 2")
    with instance.worker(TRIGGER_SHADOW=str(shadow)) as worker:
        assert worker.wait() == 2
        assert "shadow.yaml: " in worker.log
