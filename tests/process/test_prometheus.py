"""A real Prometheus over a real worker: things break, and alerts fire as the rules say."""

import difflib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from app.cli import main
from app.kafka.embedded_broker import EmbeddedBroker
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.process.conftest import RULES as TRIGGERS
from tests.process.conftest import Instance
from tests.process.prometheus import (
    RULES,
    RunningPrometheus,
    hurried,
    require_prometheus,
    write_config,
)
from tests.process.running import wait_for
from tests.process.test_worker_explain import free_ports

#: A minute of the rules is a second here.
FACTOR: Final = 60
LOOKBACK_S: Final = 300 // FACTOR


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own, which keeps its data over a restart."""
    require_prometheus()
    with EmbeddedBroker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def settings(broker: EmbeddedBroker) -> Settings:
    return load_settings({"TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers})


def test_hurrying_changes_durations_and_nothing_else() -> None:
    """What the tests below run with: shown, and held to a pattern."""
    rules = RULES.read_text()
    fast = hurried(rules, FACTOR)
    changed = [
        line
        for line in difflib.unified_diff(
            rules.splitlines(), fast.splitlines(), "real", "hurried", n=0
        )
        if line[:2] not in ("@@", "--", "++")
    ]
    print("\n".join(changed))
    assert "for: 5000ms" in fast
    assert "offset 10080000ms" in fast
    assert "[1440000ms:60000ms]" in fast
    assert "_seconds) > 2\n" in fast
    assert not any("record:" in line or "alert:" in line for line in changed)


@pytest.mark.needs_prometheus
def test_the_metrics_endpoint_is_clean(instance: Instance) -> None:
    """promtool has nothing to say about names, types, help and units of what a worker serves."""
    wire = instance.wire
    (customer_id,) = instance.customers(1)
    wire.event("orders", customer_id, "order_placed")
    wire.record("orders", b"x", b"not json")
    wire.flush()
    with instance.worker() as worker:
        wire.wait_for_values("dispatch", 1)
        text = worker.get("/metrics")[1]
        found = subprocess.run(
            ["promtool", "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        assert found.stderr == found.stdout == ""
        assert worker.metric("trigger_ready") == 1
        assert worker.metric("trigger_disk_size_bytes") > worker.metric("trigger_disk_free_bytes")
        assert 'trigger_consumer_lag_records{partition="0",topic="orders"} 0.0' in text
        assert "process_resident_memory_bytes" in text


def test_alerts_fire_when_things_break_and_stop_when_they_are_mended(
    instance: Instance, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Poison, a wrong rules file, a dead broker, a dead worker: each wakes by its own alert."""
    wire = instance.wire
    (port,) = free_ports(1)
    rules = hurried(RULES.read_text(), FACTOR)
    target = f"127.0.0.1:{port}"
    with (
        instance.worker(TRIGGER_WEB_PORT=str(port)) as worker,
        RunningPrometheus(
            write_config(tmp_path / "prometheus", [target], rules), LOOKBACK_S
        ) as prometheus,
    ):
        worker.wait_until_ready()
        (ready,) = wait_for("scraped", lambda: prometheus.query("trigger_ready == 1"))
        assert ready["metric"]["instance"] == target

        def publish_poison() -> None:
            wire.record("orders", b"x", b"not json")
            wire.flush()

        alert = prometheus.wait_for_alert("TriggersDeadLetters", publish_poison)
        say("a record that is not JSON", prometheus)
        assert alert["labels"]["severity"] == "warning"
        assert alert["labels"]["topic"] == "orders"
        assert alert["annotations"]["summary"].startswith("orders carries records")
        assert alert["annotations"]["runbook_url"].endswith("#triggersdeadletters")
        prometheus.wait_for_silence()

        rules_file = tmp_path / "rules.yaml"
        rules_file.write_text("version: 2\n")
        prometheus.wait_for_alert("TriggersRulesRefused")
        say("a wrong rules file", prometheus)
        rules_file.write_text(TRIGGERS)
        prometheus.wait_for_silence()

        broker.stop()
        alert = prometheus.wait_for_alert("TriggersWatermarkStalled")
        say("the broker is gone", prometheus)
        assert alert["labels"]["severity"] == "critical"
        broker.start()
        prometheus.wait_for_silence()

        worker.kill()
        alert = prometheus.wait_for_alert("TriggersWorkerNotReady")
        say("the worker is killed", prometheus)
        assert alert["labels"]["instance"] == target
        prometheus.wait_for_alert("TriggersAbsent")
        say("nobody answers", prometheus)
        shutil.rmtree(instance.data_dir)
        with instance.worker(TRIGGER_WEB_PORT=str(port)) as successor:
            successor.wait_until_ready()
            prometheus.wait_for_silence()
            wait_for("recovered", lambda: prometheus.query("trigger_last_recovery_seconds > 0"))


@pytest.mark.slow
@pytest.mark.needs_prometheus
def test_the_configuration_of_the_starter_finds_its_worker(
    instance: Instance, tmp_path: Path
) -> None:
    """As ``triggers init`` writes it, but for the host: the target is up, no rule has an error."""
    assert main(["init", str(tmp_path / "shop")]) == 0
    (port,) = free_ports(1)
    config = tmp_path / "shop" / "prometheus" / "prometheus.yaml"
    written = config.read_text()
    assert "engine:6066" in written
    config.write_text(written.replace("engine:6066", f"127.0.0.1:{port}"))
    with (
        instance.worker(TRIGGER_WEB_PORT=str(port)) as worker,
        RunningPrometheus(config) as prometheus,
    ):
        worker.wait_until_ready()
        wait_for("the target is up", lambda: prometheus.query('up{job="triggers"} == 1'))
        wait_for("it is ready", lambda: prometheus.query('trigger_ready{job="triggers"} == 1'))
        wait_for(
            "all rules are evaluated",
            lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()),
        )
        rules = prometheus.rules()
        assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
        assert "TriggersWorkerNotReady" in {rule["name"] for rule in rules}


def say(what: str, prometheus: RunningPrometheus) -> None:
    """For who reads along: what was broken, and what Prometheus says of it."""
    for name, alert in sorted(prometheus.alerts().items()):
        print(f"{what}: {name} ({alert['labels']['severity']}): {alert['annotations']['summary']}")
