"""What one fetch returned of one partition."""

from collections.abc import Iterable
from typing import Final

from app.kafka.types import InputRecord


class RecordBatch(list[InputRecord]):
    """Records of one partition, in offset order, and what came before them.

    ``number`` counts the partition's batches since it was assigned, from 0; ``after`` is the
    offset where the last one ended, -1 for the first; ``as_of_ms`` when the broker last answered
    for the partition, epoch ms.
    """

    def __init__(
        self, records: Iterable[InputRecord], *, number: int, after: int, as_of_ms: int = 0
    ) -> None:
        super().__init__(records)
        self.number: Final = number
        self.after: Final = after
        self.as_of_ms: Final = as_of_ms
