"""A backtest in this process alone, with the interface of ``app.backtest.parallel.shards``."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from app.backtest.clock import Outage
from app.backtest.history import Arrival, read_arrivals
from app.backtest.output import OutputFolder
from app.backtest.replay import Replay
from app.backtest.saved_run import written_customers
from app.core.rules.model import Rules


class OneProcess:
    """Decides for all customers and writes what it decides."""

    #: how the lines of a file are read for ``run`` and ``learn``
    read: Final = staticmethod(read_arrivals)

    def __init__(
        self,
        rules: Rules,
        output: OutputFolder,
        *,
        grace_ms: int,
        outage: Outage | None,
        partitions: int,
    ) -> None:
        self._replay: Final = Replay(
            rules,
            output.write,
            outcome=output.write_outcome,
            stopped=output.tally.take_stopped,
            dead=output.write_dead,
            grace_ms=grace_ms,
            outage=outage,
            partitions=partitions,
        )

    @property
    def counts(self) -> Counter[str]:
        """What became of the records."""
        return self._replay.counts

    @property
    def learned(self) -> Counter[str]:
        """What became of the records that were only learned from."""
        return self._replay.learned

    @property
    def customers(self) -> int:
        """How many customers have a record."""
        return len(self._replay.customers)

    @property
    def now_ms(self) -> int | None:
        """The largest arrival so far; None before the first."""
        return self._replay.now_ms

    def learn(self, arrivals: Iterable[Arrival], from_ms: int) -> None:
        """Before ``run``: take a history that arrived before ``from_ms``, deciding nothing."""
        self._replay.learn(arrivals, from_ms)

    def run(self, arrivals: Iterable[Arrival], *, until_ms: int | None = None) -> None:
        """Take every arrival, then run the clock on to ``until_ms``."""
        self._replay.run(arrivals, until_ms=until_ms)

    def written_customers(self) -> Iterator[bytes]:
        """After ``run``, once: the records of all customers by their ids."""
        return (line for _, line in written_customers(self._replay.customers))
