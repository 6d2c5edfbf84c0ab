"""What a worker can say of a customer's record: the record itself, or where it is."""

from typing import NamedTuple

from app.core.customer.record import Customer
from app.core.rules.model import Rules


class CustomerSnapshot(NamedTuple):
    """A record as the last commit unit left it, with the rules and the now of its partition."""

    customer: Customer | None
    rules: Rules
    now_ms: int
    #: topics that are not read up to their end: marketing steps wait for them
    waits_for: tuple[str, ...] = ()


class OwnedElsewhere(NamedTuple):
    """Another worker has the partition; ``url`` is where it serves, None when it does not say."""

    partition: int
    url: str | None


class Recovering(NamedTuple):
    """This worker will have the partition; its state is not complete yet."""

    partition: int
