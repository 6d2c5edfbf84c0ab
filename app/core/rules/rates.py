"""Send rates: evenly spaced slots in each partition (spec section 6, details R1).

A rate over all partitions is shared evenly: a partition has floor(limit / partitions) sends in each
``per``, one every ceil(per / share). The next free slot is state of the partition: it is passed in,
and decisions change it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.errors import ConfigError
from app.core.rules.model import Channel, Rate, Rules


@dataclass(slots=True)
class RateState:
    """The next free slot of every rate of one partition, in epoch ms, by channel and window."""

    next_free_ms: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, init=False)
class Slot:
    """A slot: good for sends at [at, at + space)."""

    at_ms: int
    space_ms: int

    def __init__(
        self,
        at_ms: int,
        space_ms: int,
    ) -> None:
        self.at_ms = at_ms
        self.space_ms = space_ms


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of the partitions that an engine decides for.

    ``state_of`` gives the state of the partition of a customer id. A slot is a now: the timer of a
    step that waits for it fires ``grace_ms`` of event time earlier, so when the clock reaches it.
    """

    partitions: int
    grace_ms: int
    state_of: Callable[[str], RateState]

    def space_ms(self, rate: Rate) -> int:
        """The time between two slots of a partition."""
        share = max(1, rate.limit // self.partitions)
        return -(-rate.per_ms // share)

    def next_slot(self, channel: Channel, customer_id: str, now_ms: int) -> Slot:
        """The first slot from ``now_ms`` on that is free under every rate of the channel."""
        free = self.state_of(customer_id).next_free_ms
        at_ms = max(free.get(_key(rate), now_ms) for rate in channel.rates)
        return Slot(max(now_ms, at_ms), max(self.space_ms(rate) for rate in channel.rates))

    def take(self, channel: Channel, customer_id: str, at_ms: int) -> None:
        """Use the slot at ``at_ms``: every rate of the channel moves on."""
        free = self.state_of(customer_id).next_free_ms
        for rate in channel.rates:
            next_ms = at_ms + self.space_ms(rate)
            free[_key(rate)] = max(next_ms, free.get(_key(rate), next_ms))


def require_share(rules: Rules, partitions: int) -> None:
    """See that each partition has a share of each rate. Raises ConfigError."""
    for channel in rules.channels.values():
        for rate in channel.rates:
            if rate.limit < partitions:
                raise ConfigError(
                    f"throttle.rate of {rate.channel}: expected a limit of at least {partitions},"
                    f" one for each partition, found {rate.limit}; raise the limit and `per` alike,"
                    " or use fewer partitions"
                )


def single_partition(grace_ms: int = 0) -> Rates:
    """Rates of an engine that decides for all customers as one partition."""
    state = RateState()
    return Rates(1, grace_ms, lambda _customer_id: state)


def _key(rate: Rate) -> str:
    return f"{rate.channel}/{rate.per_ms}"
