"""The compose file of ``triggers init``: Kafka as it is configured there takes the engine's topics.

Containers are not started: the broker's settings are, on Apache Kafka's own jars.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from app.cli import main
from app.kafka import topics
from app.settings.load import load_settings
from tests.kafka.node import KafkaNode
from tests.kafka.ports import HOST, free_ports
from tests.kafka.wanted import require_kafka

pytestmark = [pytest.mark.slow, pytest.mark.needs_kafka]

_LISTENER_PORTS = ("9092", "9093", "9094")
#: As the image's own script turns variables into properties.
_PREFIX = "KAFKA_"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[KafkaNode]:
    """The broker of a written compose file, on free ports of this machine."""
    require_kafka()
    assert main(["init", str(tmp_path / "shop")]) == 0
    compose = YAML(typ="safe", pure=True).load(tmp_path / "shop" / "compose.yaml")
    ports = dict(zip(_LISTENER_PORTS, free_ports(3), strict=True))
    folder = tmp_path / "kafka"
    folder.mkdir()
    lines = [f"log.dirs={folder / 'data'}"]
    for name, value in compose["services"]["kafka"]["environment"].items():
        here = re.sub(r"\b(909\d)\b", lambda found: str(ports[found[1]]), value)
        here = here.replace("//kafka:", f"//{HOST}:").replace("localhost", HOST)
        lines.append(f"{name.removeprefix(_PREFIX).replace('_', '.').lower()}={here}")
    (folder / "server.properties").write_text("\n".join(lines) + "\n")
    found = KafkaNode(1, ports["9094"], folder, folder)
    found.formatted(found.format("c3RhcnRlci1mb3ItdGVzdA", ()))
    found.start()
    yield found
    found.kill()


def test_kafka_starts_as_configured_and_takes_the_topics(node: KafkaNode, tmp_path: Path) -> None:
    """From this machine's side, with what the engine's service sets."""
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": f"{HOST}:{node.port}",
            "TRIGGER_REPLICATION_FACTOR": "1",
            "TRIGGER_RULES": str(tmp_path / "shop" / "rules.yaml"),
        }
    )
    report = topics.create(settings)
    assert report.findings == ()
    assert {"orders", "dispatch", "decisions"} <= set(report.created)
    history = tmp_path / "shop" / "history.jsonl"
    assert main(["publish", str(history), "--bootstrap", settings.bootstrap_servers]) == 0
