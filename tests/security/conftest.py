"""One secured Kafka for all tests here; each test has topics of its own."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from app.settings.load import load_settings
from app.settings.model import Settings
from tests.kafka.wanted import require_kafka
from tests.process.conftest import Instance
from tests.security.secured import SecuredKafka

_numbers = count(1)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Up, with a user and no rights."""
    require_kafka()
    secured = SecuredKafka(tmp_path_factory.mktemp("secured"))
    with secured.cluster:
        yield secured


@pytest.fixture
def settings(kafka: SecuredKafka) -> Settings:
    """The administrator's, for topics that no other test uses."""
    number = next(_numbers)
    return load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": kafka.cluster.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": f"t{number}.",
            "TRIGGER_APP_ID": f"t{number}",
        }
    )


@pytest.fixture
def instance(settings: Settings, tmp_path: Path) -> Instance:
    """An engine whose topics the administrator has made."""
    return Instance(settings, tmp_path)
