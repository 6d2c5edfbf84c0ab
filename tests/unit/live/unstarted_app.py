"""The Faust app of a worker that is made and not started."""

from app.live.clock.machine_clock import MachineClock
from app.live.faust_app import WorkerApp
from app.live.input.broker_offsets import BrokerOffsets
from app.live.input.progress import InputProgress
from app.live.input.rebalance_listener import RebalanceListener
from app.settings.model import Settings


def unstarted_app(
    settings: Settings,
    progress: InputProgress,
    offsets: BrokerOffsets,
    listener: RebalanceListener,
) -> WorkerApp:
    """An app for one partition, whose consumer's thread never runs."""
    app = WorkerApp(
        settings,
        progress=progress,
        offsets=offsets,
        listener=listener,
        machine_clock=MachineClock(lambda _: None),
        partitions=1,
    )
    app.consumer._thread.thread_loop.close()
    return app
