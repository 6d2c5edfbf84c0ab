"""Send rates in a backtest: the states of all partitions, shared as the live workers share them."""

from typing import Final

from app.core.rules.rates import Rates, RateState
from app.kafka.partitioning import partition_for

DEFAULT_PARTITIONS: Final = 12


def partition_of(customer_id: str, partitions: int) -> int:
    """The partition of a customer's records."""
    return partition_for(customer_id.encode(errors="surrogatepass"), partitions)


def partitioned_rates(partitions: int, grace_ms: int) -> Rates:
    """Rates of a run over history: every customer has the state of their partition."""
    states = [RateState() for _ in range(partitions)]
    return Rates(
        partitions, grace_ms, lambda customer_id: states[partition_of(customer_id, partitions)]
    )
