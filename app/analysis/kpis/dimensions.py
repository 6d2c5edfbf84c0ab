"""The dimensions of KPIs: SQL for the group of a message, and of a purchase."""

from typing import Final

#: The one group of a report that is not split.
ALL: Final = "all"
#: Customers of no segment, messages of no experiment.
NO_SEGMENT: Final = "(no segment)"
NO_CLUSTER: Final = "(no cluster)"
NO_EXPERIMENT: Final = "(no experiment)"

#: dimension -> group of a row of ``messages``; a segment is joined (a customer may have several)
GROUPS: Final[dict[str | None, str]] = {
    None: f"'{ALL}'",
    "trigger": "trigger",
    "step": "trigger || ', step ' || step",
    "channel": "coalesce(channel, '-')",
    "variant": f"coalesce(experiment || ': ' || variant, '{NO_EXPERIMENT}')",
    "week": "strftime(date_trunc('week', make_timestamp(decided_ms * 1000)), '%Y-%m-%d')",
    "segment": f"coalesce(segment, '{NO_SEGMENT}')",
    "cluster": f"coalesce(cluster, '{NO_CLUSTER}')",
}
DIMENSIONS: Final = tuple(name for name in GROUPS if name is not None)


def grouped(table: str, by: str | None, instant: str = "decided_ms") -> str:
    """SQL: the rows of the table with their ``grp``; with segments one row for each of them.

    A message has the segments of its decision, a purchase those of its customer. The week is that
    of ``instant``.
    """
    group = GROUPS[by].replace("decided_ms", instant)
    if by == "segment" and table == "facts":
        own = f"CASE WHEN len(segments) > 0 THEN segments ELSE ['{NO_SEGMENT}'] END"
        return f"(SELECT *, unnest({own}) AS grp FROM facts)"
    if by == "cluster" and table != "facts":
        table = f"{table} LEFT JOIN clusters USING (customer)"
    joined = f"{table} LEFT JOIN segments USING (customer)" if by == "segment" else table
    return f"(SELECT *, {group} AS grp FROM {joined})"
