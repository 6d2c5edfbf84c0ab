"""Three brokers, of which two are enough: on Apache Kafka only."""

from collections.abc import Iterator
from functools import partial

import pytest

from app.kafka.clients import Admin
from tests.fault.budget import EVENTS, some
from tests.fault.case import Case, CaseOf, pause
from tests.fault.history import history
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    require_kafka()
    with KafkaCluster(3) as kafka:
        yield kafka


def coordinator(case: Case, worker: str) -> int:
    """The broker that leads the part of the transactions' log in which the worker's are."""
    code = 0
    for letter in f"{case.settings.app_id}-{case.settings.app_id}-{worker}":
        code = (31 * code + ord(letter)) & 0xFFFFFFFF
    log = Admin(case.settings).list_topics("__transaction_state", timeout=10.0)
    places = log.topics["__transaction_state"].partitions
    leader: int = places[(code & 0x7FFFFFFF) % len(places)].leader
    return leader


def is_moved(case: Case, worker: str, was: int) -> bool:
    """Whether another broker leads there now."""
    return coordinator(case, worker) not in (was, -1)


def test_transaction_coordinator_moved(case_of: CaseOf, kafka: KafkaCluster) -> None:
    """The broker that coordinates the worker's transactions is stopped or killed, and the one
    that does it then, and so on.
    """
    case = case_of(history(EVENTS))
    case.start()
    moves = some(6, 2)
    for number in range(moves):
        case.wait_for_share((number + 1) / (moves + 2))
        at = coordinator(case, "a")
        node = kafka.nodes[at - 1]
        if number % 2:
            node.kill()
        else:
            node.stop()
        case.kills += 1
        case.wait("another", partial(is_moved, case, "a", at))
        pause(case, 3.0)
        node.start()
        kafka.wait_until_ready()
    case.finish()
