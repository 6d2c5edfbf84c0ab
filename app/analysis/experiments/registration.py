"""Whether an experiment is still what was registered: its design by the decisions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from app.analysis.data.database import Database
from app.core.rules.compile_steps import design_of
from app.core.time.instants import format_rfc3339


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A design that customers were assigned under, first and last in epoch ms."""

    design: str
    first_ms: int
    last_ms: int
    decisions: int


def registered(database: Database, name: str, now_ms: int) -> list[Registered]:
    """In the order in which they were first used; empty when the decisions do not say."""
    rows = database.rows(
        """
        SELECT design, min(decided_ms) AS first_ms, max(decided_ms) AS last_ms,
            count(*) AS decisions
        FROM steps WHERE experiment = $name AND design IS NOT NULL AND decided_ms <= $now_ms
        GROUP BY design ORDER BY first_ms, design
        """,
        {"name": name, "now_ms": now_ms},
    )
    return [Registered(**row) for row in rows]


def why_changed(
    found: Sequence[Registered],
    name: str,
    entry: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
) -> str | None:
    """What to say when the design is not the one of the first assignment; None when it is.

    ``entry`` is the experiment in the rules, ``earlier`` the documents of earlier rules files.
    """
    now = design_of(entry)
    if not found or {each.design for each in found} == {now}:
        return None
    first = found[0]
    history = "; ".join(
        f"{each.design} from {format_rfc3339(each.first_ms)[:16]}"
        f" to {format_rfc3339(each.last_ms)[:16]}"
        for each in found
    )
    known = {
        design_of(document["experiments"][name]): document["experiments"][name]
        for document in earlier
        if name in document.get("experiments", {})
    } | {now: entry}
    what = f"the design was changed after the first assignment ({history}; the rules: {now})"
    others = [each.design for each in found[1:]] or [now]
    if first.design not in known or others[-1] not in known:
        return f"{what}: to see what was changed give the rules of then with --earlier"
    changed = "; ".join(differences(known[first.design], known[others[-1]]))
    return f"{what}: {changed}"


def differences(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """``min_sample: 2000 -> 700``, one for each value that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            place = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key), now.get(key), place)
    elif before != now:
        yield f"{path}: {_shown(before)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
