"""The example reader of dispatch in the documentation does what the page says."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from app.kafka import topics
from app.kafka.clients import producer_config
from app.kafka.embedded_broker import EmbeddedBroker
from app.settings.model import Settings

PATH = Path(__file__).parents[2] / "deploy" / "docs" / "examples" / "read_dispatch.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("read_dispatch", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def settings() -> Iterator[Settings]:
    with EmbeddedBroker() as broker:
        found = Settings(bootstrap_servers=broker.bootstrap_servers, partitions=1)
        topics.create(found)
        yield found


def publish(
    settings: Settings, *records: tuple[str, str], expires_at: str = "2100-01-01T00:00:00.000Z"
) -> None:
    """Requests by (id, kind)."""
    producer = Producer(producer_config(settings))
    for request_id, kind in records:
        value = {"request_id": request_id, "kind": kind, "expires_at": expires_at}
        producer.produce(settings.topic("dispatch"), json.dumps(value).encode(), b"c-1", 0)
    assert producer.flush(30) == 0


class Reader:
    """One life of the example: reads until it has taken so many records."""

    def __init__(
        self, example: ModuleType, settings: Settings, folder: Path, hold_s: float
    ) -> None:
        self.sent: list[str] = []
        self._example = example
        self._settings = settings
        self._requests = example.Requests(
            str(folder / "sent.sqlite"),
            lambda record: self.sent.append(record["request_id"]),
            hold_s,
        )

    def run(self, taken: int) -> None:
        """Take so many records, and send what is due after each."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.bootstrap_servers,
                "group.id": "sender",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([self._settings.topic("dispatch")])
        counted: list[dict[str, Any]] = []
        take = self._requests.take

        def count(record: dict[str, Any]) -> None:
            take(record)
            counted.append(record)

        self._requests.take = count
        self._example.run(consumer, self._requests, lambda: len(counted) == taken)
        consumer.close()
        self._requests.take = take


def test_copies_are_sent_once_and_recalled_ones_not_at_all(
    example: ModuleType, settings: Settings, tmp_path: Path
) -> None:
    """Over two lives of the reader, with what the first has kept."""
    publish(settings, ("a", "send"), ("a", "send"), ("b", "send"), ("b", "recall"))
    first = Reader(example, settings, tmp_path, hold_s=3600)
    first.run(4)
    assert first.sent == []

    publish(settings, ("a", "send"), ("c", "send"), ("c", "send"), ("d", "recall"), ("d", "send"))
    second = Reader(example, settings, tmp_path, hold_s=0)
    second.run(5)

    assert second.sent == ["c"]


def test_a_request_past_its_expiry_is_not_sent(
    example: ModuleType, settings: Settings, tmp_path: Path
) -> None:
    """Neither by the reader that finds it so, nor by the next one."""
    publish(settings, ("late", "send"), expires_at="2024-06-10T12:00:00.000Z")
    publish(settings, ("in time", "send"))
    first = Reader(example, settings, tmp_path, hold_s=0)
    first.run(2)
    assert first.sent == ["in time"]

    publish(settings, ("late", "send"), expires_at="2024-06-10T12:00:00.000Z")
    second = Reader(example, settings, tmp_path, hold_s=0)
    second.run(1)
    assert second.sent == []
