"""A broker that dies, or cannot be reached: on Apache Kafka only."""

from functools import partial

import pytest

from tests.fault.budget import EVENTS, some
from tests.fault.case import Case, CaseOf, pause
from tests.fault.history import history
from tests.fault.network_cut import NetworkCut
from tests.kafka.cluster import KafkaCluster
from tests.process.test_zombies import members

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


def has_more(case: Case, worker: str, transactions: float) -> bool:
    """Whether the worker has made others than so many transactions: it may have begun again."""
    return 0 < case.workers[worker].metric("trigger_transactions_total") != transactions


def test_network_cut_between_a_worker_and_the_broker(case_of: CaseOf, network: NetworkCut) -> None:
    """Until another worker has its partitions; then all that it wrote in vain comes through."""
    whole = history(EVENTS)
    case = case_of(whole, is_published=False)
    session = {"TRIGGER_SESSION_TIMEOUT": "6s", "TRIGGER_TRANSACTION_TIMEOUT": "20s"}
    case.start("a", **session, TRIGGER_BOOTSTRAP_SERVERS=network.servers)
    case.start("b", **session)
    cuts = some(5, 1)
    for number in range(cuts):
        case.wait("both", lambda: members(case.wire) == 2)
        case.wait_until_ready("a", "b")
        done = case.workers["a"].metric("trigger_transactions_total")
        case.publish(whole.part(2 * number, 2 * cuts))
        case.wait("work", partial(has_more, case, "a", done))
        network.cut()
        case.kills += 1
        case.publish(whole.part(2 * number + 1, 2 * cuts))
        case.wait("taken for dead", lambda: members(case.wire) == 1)
        pause(case, 2.0)
        network.mend()
    case.finish()
