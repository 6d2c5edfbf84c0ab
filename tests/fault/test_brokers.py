"""Brokers that die, hand over, or cannot be reached: on Apache Kafka only."""

from collections.abc import Iterator
from functools import partial

import pytest

from app.kafka import Admin
from tests.fault.budget import EVENTS, some
from tests.fault.case import Case, CaseOf, pause
from tests.fault.conftest import NO_COMPACTION
from tests.fault.history import history
from tests.fault.network_cut import NetworkCut
from tests.integration.test_zombies import members
from tests.kafka.cluster import KafkaCluster
from tests.kafka.wanted import require_kafka

pytestmark = pytest.mark.soak


def test_broker_killed_and_started_again(case_of: CaseOf, kafka: KafkaCluster) -> None:
    """The only one, with work under way; for a moment, and for as long as a session lasts."""
    case = case_of(history(EVENTS))
    case.start(TRIGGER_SESSION_TIMEOUT="6s")
    kills = some(5, 1)
    for number in range(kills):
        case.wait_for_share((number + 1) / (kills + 2))
        kafka.nodes[0].kill()
        case.kills += 1
        pause(case, 8.0 if number == 1 else 1.0)
        kafka.nodes[0].start()
        kafka.wait_until_ready()
    case.finish()


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


class TestThreeBrokers:
    """Of which two are enough."""

    @pytest.fixture(scope="class")
    def kafka(self) -> Iterator[KafkaCluster]:
        require_kafka()
        with KafkaCluster(3, settings=NO_COMPACTION) as kafka:
            yield kafka

    def test_transaction_coordinator_moved(self, case_of: CaseOf, kafka: KafkaCluster) -> None:
        """The broker that coordinates the worker's transactions is stopped or killed, and the one
        that does it then, and so on.
        """
        case = case_of(history(EVENTS))
        case.start(TRIGGER_MAX_IDLE="6s")
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


def test_network_cut_between_a_worker_and_the_broker(case_of: CaseOf, network: NetworkCut) -> None:
    """Until another worker has its partitions; then all that it wrote in vain comes through."""
    whole = history(EVENTS)
    case = case_of(whole, is_published=False)
    session = {"TRIGGER_SESSION_TIMEOUT": "6s", "TRIGGER_TRANSACTION_TIMEOUT": "6s"}
    case.start("a", **session, TRIGGER_BOOTSTRAP_SERVERS=network.servers)
    case.start("b", **session)
    cuts = some(5, 1)
    for number in range(cuts):
        case.wait("both", lambda: members(case.wire) == 2)
        for name in "ab":
            case.workers[name].wait_until_ready()
        case.publish(whole.part(2 * number, 2 * cuts))
        case.wait_for_more()
        network.cut()
        case.kills += 1
        case.publish(whole.part(2 * number + 1, 2 * cuts))
        case.wait("taken for dead", lambda: members(case.wire) == 1)
        pause(case, 2.0)
        network.mend()
    case.finish()
