"""One broker of each kind for all tests here; each test has topics of its own.

What is about the engine and its broker runs on both kinds. A module about something else takes one
with ``pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)``.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from app.kafka import topics
from app.kafka.embedded_broker import EmbeddedBroker
from app.settings.load import load_settings
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka
from tests.process.running import RunningWorker, Wire, wait_for

_numbers = count(1)
#: A history under old timestamps would be compacted while it is read, and profile updates with it.
_NO_COMPACTION = {"log.cleaner.backoff.ms": "86400000"}


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def broker(request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker | KafkaCluster]:
    """A running broker with its data in a temporary folder."""
    if request.param == "embedded":
        with EmbeddedBroker() as embedded:
            yield embedded
    else:
        require_kafka()
        with KafkaCluster(settings=_NO_COMPACTION) as kafka:
            yield kafka


@pytest.fixture
def settings(broker: EmbeddedBroker | KafkaCluster) -> Settings:
    """Settings for topics that no other test uses."""
    number = next(_numbers)
    return load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TRIGGER_TOPIC_PREFIX": f"t{number}.",
            "TRIGGER_APP_ID": f"t{number}",
        }
    )


RULES = """\
version: 1
channels: {email: {requires: email}}
triggers:
  order_placed: {kind: event, on: [order_placed], category: transactional, template: thanks,
                 channels: [email]}
  third_order: {kind: milestone, count: order_placed, every: 3, category: transactional,
                template: third, channels: [email]}
  cart_abandoned: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
                   settle: 0s, after: 1s, template: cart, channels: [email],
                   category: transactional}
  late_cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
              settle: 0s, after: 6s, template: cart-2, channels: [email], category: transactional}
"""


class Instance:
    """One engine under test: its topics, its data folder, and workers one after the other."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        report = topics.create(settings)
        assert report.findings == ()
        self.wire = Wire(settings, settings.partitions)
        self.data_dir = folder / "data"
        self._settings = settings
        self._folder = folder
        (folder / "rules.yaml").write_text(RULES)

    def worker(self, **variables: str) -> RunningWorker:
        """Start a worker."""
        return RunningWorker(
            self._settings,
            self._folder / "worker.log",
            {
                "TRIGGER_DATA_DIR": str(self.data_dir),
                "TRIGGER_RULES": str(self._folder / "rules.yaml"),
                **variables,
            },
        )

    def customers(self, count: int) -> list[str]:
        """Publish the profiles of that many customers who can be reached by email."""
        ids = [f"c{number}" for number in range(count)]
        for customer_id in ids:
            email = {"email": f"{customer_id}@example.org"}
            self.wire.event("profiles", customer_id, "profile_updated", email)
        self.wire.flush()
        return ids

    def leave_cart(self, customer_id: str, **variables: str) -> None:
        """Publish a cart, and stop the worker when its timers are written."""
        with self.worker(**variables) as worker:
            worker.wait_until_ready()
            self.wire.event("orders", customer_id, "cart_updated", {"cart_id": "k"})
            self.wire.flush()
            wait_for("cart", lambda: worker.metric("trigger_timers_pending") == 2)
            assert worker.stop() == 0


@pytest.fixture
def instance(settings: Settings, tmp_path: Path) -> Instance:
    """An engine with its topics made."""
    return Instance(settings, tmp_path)
