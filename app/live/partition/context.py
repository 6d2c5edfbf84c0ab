"""What the processors of all partitions of a worker share."""

from dataclasses import dataclass, field
from typing import Protocol

from app.core.context import Emit, EmitStopped
from app.core.customer.limits import MAX_RECORD_BYTES
from app.core.engine import Customers, Engine
from app.core.merges import EmitForward, Holds
from app.core.outcomes import EmitOutcome
from app.core.rules.model import Rules
from app.core.rules.rates import Rates
from app.formats.decode import ReadBySchema
from app.live.clock.machine_clock import MachineClock
from app.live.commit.committer import Committer
from app.live.input.progress import InputProgress
from app.live.partition.loop_turn import LoopTurn
from app.live.repartition.progress import RepartitionProgress
from app.live.telemetry.metrics import Metrics
from app.live.telemetry.tracing import UnitSpans
from app.settings.model import Settings
from tables.customers import TOMBSTONE_MS


class MakeEngine(Protocol):
    """Makes the engine of a partition."""

    def __call__(
        self,
        rules: Rules,
        customers: Customers,
        emit: Emit,
        emit_outcome: EmitOutcome,
        rates: Rates,
        emit_stopped: EmitStopped,
        *,
        holds: Holds,
        emit_forward: EmitForward,
    ) -> Engine: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much a partition's processor does at once, and when it does what can wait."""

    #: a commit unit ends at so many records, or about so many customers: who comes again in a unit
    #: is read, encoded and written once
    unit_records: int = 8000
    unit_customers: int = 4000
    #: records are read ahead in slices of so many, and with the slice in which a unit has taken so
    #: long it ends: nothing else of the loop gets its turn before
    slice_records: int = 1000
    unit_s: float = 0.5
    #: once units of all partitions have taken so much of one turn of the loop, no more begins in it
    turn_s: float = 0.1
    #: after a commit that took longer, and at first, a unit is one slice, of as many customers at
    #: most: Kafka ends transactions that take long
    commit_s: float = 1.0
    #: after so long without work what was left for later is committed
    quiet_s: float = 1.0
    #: how often a quiet partition is looked through for tombstones that ended
    sweep_s: float = 3600.0
    #: how long a tombstone stays
    tombstone_ms: int = TOMBSTONE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionContext:
    """Built once for a worker, before any partition is assigned."""

    settings: Settings
    progress: InputProgress
    committer: Committer
    metrics: Metrics
    machine_clock: MachineClock
    #: partition count of the input topics
    input_partitions: int
    make_engine: MakeEngine = Engine
    pace: Pace = Pace()
    turn: LoopTurn = field(default_factory=LoopTurn)
    shadow_rules: Rules | None = None
    read_by_schema: ReadBySchema | None = None
    spans: UnitSpans | None = None
    #: what of a customer's record the repartition topic takes
    largest_guest_bytes: int = MAX_RECORD_BYTES
    repartition: RepartitionProgress = field(default_factory=RepartitionProgress)
