"""What one fetch returned of one partition."""

from collections.abc import Iterable

from aiokafka.structs import ConsumerRecord


class RecordBatch(list[ConsumerRecord]):
    """Records of one partition, in offset order, and what came before them.

    ``number`` counts the partition's stretches since it was assigned, from 0; ``after`` is where
    the last one ended, -1 for the first.
    """

    def __init__(self, records: Iterable[ConsumerRecord], number: int, after: int) -> None:
        super().__init__(records)
        self.number = number
        self.after = after
