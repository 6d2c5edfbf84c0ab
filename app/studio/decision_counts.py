"""Decisions of a backtest counted by the groups of the studio's first page."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from app.core.decisions import Outcome
from app.core.time.instants import MINUTE_MS, parse_rfc3339
from app.core.time.zones import local

#: All UTC offsets in use are multiples of it, so that a slot lies in one local hour.
_SLOT_MS: Final = 15 * MINUTE_MS


class DecisionLine(msgspec.Struct, frozen=True, gc=False):
    """What is counted of a line of ``decisions.jsonl``."""

    customer_id: str
    trigger: str
    step: int
    key: str
    category: str
    channel: str | None
    outcome: str
    reason: str
    decided_at: str


class Kind(msgspec.Struct, frozen=True, gc=False):
    """Decisions that are counted together."""

    slot: int
    trigger: str
    outcome: str
    reason: str


DecisionCounts = Counter[Kind]


def count_decisions(lines: Iterable[DecisionLine]) -> DecisionCounts:
    """How many of each kind. Raises ValueError for a time that is none."""
    counts: DecisionCounts = Counter()
    for line in lines:
        counts[Kind(slot_of(line.decided_at), line.trigger, line.outcome, line.reason)] += 1
    return counts


@lru_cache(maxsize=1 << 12)
def slot_of(decided_at: str) -> int:
    """Number of the quarter of an hour (since 1970) that an RFC 3339 time is in."""
    return parse_rfc3339(decided_at) // _SLOT_MS


def local_hours(zone: ZoneInfo) -> Callable[[int], tuple[date, int]]:
    """The local day and hour of a slot."""

    @lru_cache(maxsize=1 << 12)
    def local_hour(slot: int) -> tuple[date, int]:
        local_time = local(slot * _SLOT_MS, zone)
        return local_time.date(), local_time.hour

    return local_hour


def sends_by_hour(
    counts: DecisionCounts, zone: ZoneInfo, trigger: str | None
) -> Counter[tuple[date, int]]:
    """Sends by local day and hour; of one trigger, or of all (None)."""
    local_hour = local_hours(zone)
    found: Counter[tuple[date, int]] = Counter()
    for kind, count in counts.items():
        if kind.outcome == Outcome.SEND and trigger in (None, kind.trigger):
            found[local_hour(kind.slot)] += count
    return found


def by_verdict(counts: DecisionCounts) -> dict[str, Counter[tuple[str, str]]]:
    """By trigger: (outcome, reason) and how many; the trigger with the most decisions first."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for kind, count in counts.items():
        found.setdefault(kind.trigger, Counter())[kind.outcome, kind.reason] += count
    return dict(sorted(found.items(), key=lambda item: (-item[1].total(), item[0])))
