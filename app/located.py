"""Where the customers of a worker are, and where their decisions are written."""

from typing import Final

from app.decisions_tail import Tail, read_back
from app.explain.live import Elsewhere, Recovering, Standing
from app.faust_app import WorkerApp
from app.outputs import Outputs
from app.partitioning import partition_for
from app.processor import Processor
from app.settings import Settings


class LocatedCustomers:
    """Implements ``app.explain.live.Partitions`` for a worker; used from its event loop."""

    def __init__(
        self,
        settings: Settings,
        processor: Processor,
        app: WorkerApp,
        outputs: Outputs,
    ) -> None:
        self._settings: Final = settings
        self._processor = processor
        self._app = app
        self._outputs = outputs

    def partition_of(self, customer_id: str) -> int:
        return partition_for(customer_id.encode(), self._processor.input_partitions)

    def standing(self, partition: int, customer_id: str) -> Standing | None:
        return self._processor.standing(partition, customer_id)

    def owner(self, partition: int) -> Elsewhere | Recovering:
        return self._app.owner(partition)

    def read_decisions(self, customer_id: str, partition: int, wanted: int) -> Tail:
        """The customer's newest decisions; may be called in a thread."""
        outputs = self._outputs
        place = outputs.place(outputs.names["decisions"], customer_id.encode(), partition)
        return read_back(self._settings, place, customer_id, wanted)
