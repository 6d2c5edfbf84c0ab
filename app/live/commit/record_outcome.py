"""What becomes of an input record, as metrics count it."""

from enum import StrEnum


class RecordOutcome(StrEnum):
    """Each record that is read ends in exactly one of these."""

    APPLIED = "applied"
    #: not understood: kept whole as a dead letter
    DEAD = "dead"
    DUPLICATE = "duplicate"
    ERASED = "erased"
    #: of a merged customer: sent on to the partition of whom they were merged into
    FORWARDED = "forwarded"
    #: an open or click by a scanner or a privacy proxy: counted at its send alone
    MACHINE_OPEN = "machine_open"
    #: forwarded to its own partition
    MISROUTED = "misrouted"
    #: applied before: read again after a restart
    SKIPPED = "skipped"
    #: of a type that the rules do not know
    UNKNOWN = "unknown"
