"""How much each case does: ``TRIGGER_FAULT_EVENTS`` events at least, few by default."""

import os
from typing import Final

WHOLE: Final = 50_000
EVENTS: Final = int(os.environ.get("TRIGGER_FAULT_EVENTS") or 3_000)
#: The whole proof, or what CI has time for.
IS_WHOLE: Final = EVENTS >= WHOLE
#: A topic that seems to be slow is waited for so long; a busy machine makes it seem so.
MAX_IDLE: Final = "3s" if IS_WHOLE else "1s"
#: So many that one fetch has all of a partition: no topic is then read later than another.
PARTITIONS: Final = 12 if IS_WHOLE else 4
#: Records in a commit unit, so that there are some eighty transactions whatever the budget.
UNIT_RECORDS: Final = max(5, EVENTS // (80 * PARTITIONS))
#: How long a case may take that nothing holds up.
DEADLINE_S: Final = 60.0 + EVENTS / 200


def some(of_whole: int, of_few: int) -> int:
    """How often a case does harm."""
    return of_whole if IS_WHOLE else of_few
