"""How much each case does: ``TRIGGER_FAULT_EVENTS`` events at least, few by default."""

import os
from typing import Final

WHOLE: Final = 50_000
EVENTS: Final = int(os.environ.get("TRIGGER_FAULT_EVENTS") or 3_000)
#: The whole proof, or what CI has time for.
IS_WHOLE: Final = EVENTS >= WHOLE
#: A topic at its end is waited for so long: nobody publishes more than a case has published.
MAX_IDLE: Final = "1s" if IS_WHOLE else "500ms"
PARTITIONS: Final = 12 if IS_WHOLE else 4
#: Records in a commit unit, so that there are some eighty transactions whatever the budget.
UNIT_RECORDS: Final = max(5, EVENTS // (80 * PARTITIONS))
#: How long a case may take that nothing holds up.
DEADLINE_S: Final = 300.0 + EVENTS / 50


def some(of_whole: int, of_few: int) -> int:
    """How often a case does harm."""
    return of_whole if IS_WHOLE else of_few
