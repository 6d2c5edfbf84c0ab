"""A rules file that changes while the worker runs."""

import hashlib
import os
from pathlib import Path

import pytest

from app.core.events import parse_instant
from tests.process.conftest import RULES, Instance
from tests.process.running import RunningWorker, wait_for

#: About the engine, whatever the broker.
pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

#: Without late_cart; confirmations have another template.
CHANGED = (
    RULES[: RULES.index("  late_cart:")]
    .replace("template: thanks", "template: thank-you")
    .replace("after: 1s", "after: 3s")
)
BROKEN = CHANGED.replace("kind: milestone", "kind: millstone")


class ConfigMap:
    """A mounted ConfigMap: ``rules.yaml`` leads through ``..data`` to a folder of its revision."""

    def __init__(self, folder: Path, text: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._revision = 0
        self.path = folder / "rules.yaml"
        self.path.symlink_to(Path("..data", "rules.yaml"))
        self.update(text)

    def update(self, text: str) -> str:
        """Swap in a revision with this content; its rules version."""
        self._revision += 1
        revision = self._folder / f"..{self._revision}"
        revision.mkdir()
        (revision / "rules.yaml").write_text(text)
        link = self._folder / "..data_tmp"
        link.symlink_to(revision.name)
        os.replace(link, self._folder / "..data")
        return hashlib.sha256(text.encode()).hexdigest()


def wait_for_rules(worker: RunningWorker, version: str) -> None:
    """Until the worker says that these rules decide."""
    wait_for(
        "the new rules",
        lambda: worker.metric("trigger_build_info", rules_version=version) == 1,
    )


def test_a_changed_file_decides_and_a_broken_one_is_refused(
    instance: Instance, tmp_path: Path
) -> None:
    """Each decision names its rules; a wrong file is refused whole and logged, and the next right
    one is taken.
    """
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    first = hashlib.sha256(RULES.encode()).hexdigest()
    config = ConfigMap(tmp_path / "config", RULES)
    with instance.worker(TRIGGER_RULES=str(config.path)) as worker:
        worker.wait_until_ready()
        wire.event("orders", customer_id, "order_placed", {"order_id": "before"})
        wire.flush()
        wire.wait_for_values("decisions", 1)

        second = config.update(CHANGED)
        wait_for_rules(worker, second)
        assert worker.metric("trigger_rules_reloads_total") == 1
        assert worker.metric("trigger_rules_stale") == 0

        config.update(BROKEN)
        wait_for("a refusal", lambda: worker.metric("trigger_rules_refused_total") == 1)
        assert worker.metric("trigger_rules_stale") == 1
        assert "rules file changed and is refused" in worker.log
        wire.event("orders", customer_id, "order_placed", {"order_id": "meanwhile"})
        wire.flush()
        wire.wait_for_values("decisions", 2)

        third = config.update(CHANGED.replace("thank-you", "thanks-again"))
        wait_for_rules(worker, third)
        assert worker.metric("trigger_rules_reloads_total") == 2
        assert worker.metric("trigger_rules_stale") == 0
        wire.event("orders", customer_id, "order_placed", {"order_id": "after"})
        wire.flush()
        wire.wait_for_values("decisions", 4)
        assert worker.stop() == 0, worker.log
    decisions = wire.values("decisions")
    orders = [each for each in decisions if each["trigger"] == "order_placed"]
    assert [(each["template"], each["rules_version"]) for each in orders] == [
        ("thanks", first),
        ("thank-you", second),
        ("thanks-again", third),
    ]


def test_timers_follow_the_plan_when_rules_change(instance: Instance, tmp_path: Path) -> None:
    """A pending step of a trigger that is gone is dropped; one that stays keeps its due time, with
    the template of the new rules.
    """
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    rules = RULES.replace("after: 1s", "after: 5s")
    config = ConfigMap(tmp_path / "config", rules)
    with instance.worker(TRIGGER_RULES=str(config.path)) as worker:
        worker.wait_until_ready()
        wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
        wire.flush()
        wait_for("timers", lambda: worker.metric("trigger_timers_pending") == 2)
        second = config.update(CHANGED.replace("template: cart,", "template: basket,"))
        wait_for_rules(worker, second)
        assert worker.metric("trigger_timers_pending") == 2
        wait_for("timers", lambda: worker.metric("trigger_timers_pending") == 0)
        assert worker.metric("trigger_timers_fired_total") == 2
        (decision,) = wire.wait_for_values("decisions", 1)
        assert worker.stop() == 0, worker.log
    assert (decision["trigger"], decision["template"]) == ("cart_abandoned", "basket")
    assert decision["rules_version"] == second
    assert parse_instant(decision["due_at"], "") - parse_instant(decision["anchor_at"], "") == 5_000
    assert len(wire.values("decisions")) == len(wire.values("dispatch")) == 1


def test_a_worker_goes_back_when_its_new_rules_fail(instance: Instance, tmp_path: Path) -> None:
    """The same process decides by the rules before, says so, and so does the next one after a kill,
    until the file changes.
    """
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    first = hashlib.sha256(RULES.encode()).hexdigest()
    config = ConfigMap(tmp_path / "config", RULES)
    failing = RULES.replace("template: thanks", "template: boom")
    with instance.worker(TRIGGER_RULES=str(config.path), FAIL_RULES="boom") as worker:
        worker.wait_until_ready()
        wait_for_rules(worker, config.update(failing))
        wire.event("orders", customer_id, "order_placed", {"order_id": "o1"})
        wire.flush()
        (decision,) = wire.wait_for_values("decisions", 1)
        assert decision["rules_version"] == first
        assert worker.metric("trigger_rules_stale") == 1
        assert "action=rules_failed" in worker.log
        worker.kill()
    with instance.worker(TRIGGER_RULES=str(config.path), FAIL_RULES="boom") as worker:
        worker.wait_until_ready()
        assert worker.metric("trigger_rules_stale") == 1
        wire.event("orders", customer_id, "order_placed", {"order_id": "o2"})
        wire.flush()
        wire.wait_for_values("decisions", 2)
        wait_for_rules(worker, config.update(CHANGED))
        assert worker.metric("trigger_rules_stale") == 0
        assert worker.stop() == 0, worker.log
