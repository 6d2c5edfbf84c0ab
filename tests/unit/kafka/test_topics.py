"""Topics on a cluster whose brokers learn of a new one after each other."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from app.core.errors import InfrastructureError
from app.kafka import topics
from app.settings.load import load_settings

SETTINGS = load_settings({"TRIGGER_PARTITIONS": "3"})


class Cluster:
    """Takes the place of ``Admin``: a new topic is in the metadata of one answer and not in the
    next, and its configuration is unknown to the first brokers that are asked for it.
    """

    def __init__(self, unknown: int) -> None:
        self._unknown = unknown
        self.made: dict[str, Any] = {}
        self._answers = 0

    def list_topics(self, **_: object) -> object:
        self._answers += 1
        is_heard = self._answers % 2 == 0
        found = self.made if is_heard else {}
        return SimpleNamespace(
            topics={
                name: SimpleNamespace(partitions=range(each.num_partitions))
                for name, each in found.items()
            }
        )

    def create_topics(self, wanted: list[Any], **_: object) -> dict[str, Future[None]]:
        self.made |= {each.topic: each for each in wanted}
        return {each.topic: _done(None) for each in wanted}

    def describe_configs(self, resources: list[Any], **_: object) -> dict[Any, Future[Any]]:
        return {each: self._config(each.name) for each in resources}

    def _config(self, name: str) -> Future[Any]:
        if self._unknown:
            self._unknown -= 1
            return _refused(KafkaError.UNKNOWN_TOPIC_OR_PART)
        entries = self.made[name].config.items()
        return _done({key: SimpleNamespace(value=value) for key, value in entries})

    def reason(self) -> str:
        return ""

    guess = reason


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def _refused(code: int) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(KafkaException(KafkaError(code)))
    return future


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_POLL_S", 0.0)


def test_brokers_that_do_not_know_a_new_topic_yet_are_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(unknown=3)
    monkeypatch.setattr(topics, "Admin", lambda _: cluster)
    report = topics.create(SETTINGS)
    assert report.findings == ()
    assert set(report.created) == cluster.made.keys()


def test_a_topic_that_stays_unknown_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was deleted meanwhile, for instance."""
    monkeypatch.setattr(topics, "_TIMEOUT_S", 0.05)
    monkeypatch.setattr(topics, "Admin", lambda _: Cluster(unknown=1_000_000_000))
    with pytest.raises(InfrastructureError, match="configuration of orders"):
        topics.create(SETTINGS)
