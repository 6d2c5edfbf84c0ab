"""The Faust app: which settings it runs with, its topics, its table.

What Faust does here: group membership, co-partitioned assignment, running the agents, recovering
and standing by for the table. Not: serialization, producing, acknowledging, choosing what to
commit.
"""

import time
from typing import Any, Final

import faust
from faust.types import TP

import agents
from agents import inputs, punctuator
from app.kafka.faust_credentials import credentials
from app.live.clock.machine_clock import MachineClock
from app.live.customer_snapshot import OwnedElsewhere, Recovering
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.progress import InputProgress
from app.live.input.rebalance_listener import RebalanceListener
from app.live.input.transport import BatchSchema, broker_urls
from app.live.telemetry.gauges import RecoveryFigures
from app.settings.model import Settings
from tables.store import STORE_URL, TABLE_NAME, CustomersStore

#: Changelog messages (each up to ``max_poll_records`` entries) applied at once during recovery.
#: Not 1: Faust then keeps reading the changelog of active partitions after recovery.
_RECOVERY_BUFFER: Final = 2
#: The same for standbys: with more, the last ones would wait for the next ones to come.
_STANDBY_BUFFER: Final = 1
_HEARTBEAT_S: Final = 0.5
#: Faust tells all members the web address of each of them; a member without one has this.
#: Always the same: to a static member that comes back, Faust insists on the URL it had.
_NO_URL: Final = "http://not-said.invalid"


class WorkerApp(faust.App):  # type: ignore[misc]
    """A Faust app with what its consumer needs of the worker.

    ``input_progress``, ``offsets``, ``rebalance_listener`` and ``machine_clock`` are read by
    ``app.live.input.transport`` and the consumer's thread.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        progress: InputProgress,
        offsets: BrokerOffsets,
        listener: RebalanceListener,
        machine_clock: MachineClock,
        partitions: int,
    ) -> None:
        self.input_progress = progress
        self.offsets = offsets
        self.rebalance_listener = listener
        self.machine_clock = machine_clock
        self._last_recovery_s = 0.0
        servers = settings.bootstrap_servers
        super().__init__(
            settings.app_id,
            broker_consumer=broker_urls(servers),
            broker_producer=broker_urls(servers, "aiokafka"),
            broker_credentials=credentials(settings),
            broker_heartbeat_interval=_HEARTBEAT_S,
            broker_session_timeout=settings.session_timeout_ms / 1000,
            broker_commit_interval=settings.commit_interval_s,
            broker_max_poll_records=settings.max_poll_records,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=settings.instance_id,
            stream_wait_empty=False,
            processing_guarantee="at_least_once",
            topic_replication_factor=settings.replication_factor,
            topic_partitions=partitions,
            topic_disable_leader=True,
            # they are there by now, and a worker may lack the right to make any
            topic_allow_declare=False,
            table_standby_replicas=settings.standby_replicas,
            agent_supervisor=agents.SUPERVISOR,
            store=STORE_URL,
            datadir=settings.data_dir,
            web_enabled=False,
            canonical_url=settings.web_url or _NO_URL,
            autodiscover=False,
        )
        schema = BatchSchema(allow_empty=True)
        self.customers = self.Table(
            TABLE_NAME,
            partitions=partitions,
            schema=schema,
            key_type=bytes,
            value_type=bytes,
            recovery_buffer_size=_RECOVERY_BUFFER,
            standby_buffer_size=_STANDBY_BUFFER,
        )
        self._inputs = {
            logical: self.topic(actual, schema=schema)
            for logical, actual in settings.read_topics.items()
        }

    @property
    def store(self) -> CustomersStore:
        """The store of the customers table."""
        store: CustomersStore = self.customers.data
        return store

    def declare_agents(self, batches: agents.Batches) -> None:
        """Let everything that is read go to ``batches``."""
        inputs.declare(self, self._inputs, batches)
        punctuator.declare(self, batches)

    def owner(self, partition: int) -> OwnedElsewhere | Recovering:
        """The owner of a partition of the customers table by the last assignment.

        Before the first one it is taken for this worker's: it is asked again soon.
        """
        topic = self.customers.changelog_topic.get_topic_name()
        members = self.router.table_metadata(TABLE_NAME)
        if not members or self.assignor.is_active(TP(topic, partition)):
            return Recovering(partition)
        for url, owned in members.items():
            if url != _NO_URL and partition in owned.get(topic, ()):
                return OwnedElsewhere(partition, url)
        return OwnedElsewhere(partition, None)

    def recovery(self) -> RecoveryFigures:
        """How the rebuilding of state stands. Faust keeps its times to itself, so they are read
        where it keeps them.
        """
        recovery = self.tables.recovery
        started_s, ended_s = recovery._recovery_started_at, recovery._recovery_ended_at
        if recovery.in_recovery and started_s is not None:
            remaining = max(0, recovery.active_remaining_total())
            return RecoveryFigures(time.monotonic() - started_s, self._last_recovery_s, remaining)
        if started_s is not None and ended_s is not None and ended_s > started_s:
            self._last_recovery_s = ended_s - started_s
        return RecoveryFigures(0.0, self._last_recovery_s, 0)

    def on_rebalance_end(self) -> None:
        """Called by Faust when the flow is resumed for good."""
        super().on_rebalance_end()
        self.consumer.settle()

    def is_rebalancing(self) -> bool:
        """Whether another rebalance has begun since the one that was recovered from: its partitions
        may be others, and are not recovered.
        """
        is_revoked: bool = self.consumer.is_revoked
        return is_revoked or self.tables.recovery.signal_recovery_start.is_set()

    def standby_lag(self) -> int:
        """How many changelog entries the standby partitions are behind, as far as is known."""
        store, highwater = self.store, self.consumer.highwater
        return sum(
            max(0, (highwater(tp) or 0) - 1 - (store.persisted_offset(tp) or 0))
            for tp in set(self.tables.recovery.standby_tps)
        )

    def has_crashed(self) -> Any:
        """An awaitable that ends when a service of the app has crashed."""
        return self._crashed.wait()
