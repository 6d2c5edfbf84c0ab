"""The comparison as a table and as JSON lines: medians over the rounds, with their ranges."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from tests.bench.compare.registry import Host
from tests.bench.compare.run import Run

_HEADINGS: Final = (
    "host",
    "CPU us/event",
    "events/s",
    "peak MB",
    "x ours",
    "sends",
    "decisions",
    "changelog",
    "others %",
)


class Outcome:
    """What became of one host: its runs by round, or why there are none."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.runs: dict[int, Run] = {}
        self.missing: str | None = host.why_missing()
        self.failed: str | None = None


def ratios(outcome: Outcome, ours: Outcome | None) -> list[float]:
    """CPU of the host over that of ours, round by round, where both ran."""
    if ours is None:
        return []
    return [
        run.cpu_us_per_event / ours.runs[number].cpu_us_per_event
        for number, run in outcome.runs.items()
        if number in ours.runs
    ]


def line(outcome: Outcome, ours: Outcome | None, events: int, customers: int) -> dict[str, Any]:
    """The host's JSON line."""
    found: dict[str, Any] = {
        "host": outcome.host.name,
        "about": outcome.host.about,
        "events": events,
        "customers": customers,
    }
    if outcome.missing:
        found["missing"] = outcome.missing
    if outcome.failed:
        found["failed"] = outcome.failed
    runs = list(outcome.runs.values())
    if not runs:
        return found
    found["rounds"] = len(runs)
    _measure(found, "cpu_us_per_event", [run.cpu_us_per_event for run in runs], 1)
    cold = [run.cold_us_per_event for run in runs if run.cold_us_per_event is not None]
    if cold:
        _measure(found, "cold_us_per_event", cold, 1)
    _measure(found, "events_per_s", [run.events_per_s for run in runs])
    _measure(found, "peak_rss_mb", [run.peak_rss_mb for run in runs])
    _measure(found, "ratio_to_ours", ratios(outcome, ours), 2)
    _measure(found, "load_s", [run.load_s for run in runs], 1)
    _measure(found, "changelog_records", [run.changelog_records for run in runs])
    _measure(found, "others_percent", [run.others_percent for run in runs], 1)
    found["cores"] = sorted({core for run in runs for core in run.cores})
    found["sends"] = sorted({run.sends for run in runs})
    found["decisions"] = sorted({run.decisions for run in runs})
    found["sends_digest"] = sorted({run.digest for run in runs})
    return found


def _measure(
    found: dict[str, Any], name: str, values: Sequence[float], digits: int | None = None
) -> None:
    """Median and range, or None for both where there are no values."""
    if not values:
        found[name] = found[f"{name}_range"] = None
        return
    found[name] = round(median(values), digits)
    found[f"{name}_range"] = [round(min(values), digits), round(max(values), digits)]


def rendered(lines: Sequence[Mapping[str, Any]]) -> str:
    """The table, a row for each JSON line."""
    rows = [_HEADINGS, *(_row(each) for each in lines)]
    whole = [row for row in rows if len(row) == len(_HEADINGS)]
    widths = [max(len(row[at]) for row in whole) for at in range(len(_HEADINGS))]
    widths[0] = max(len(row[0]) for row in rows)
    text = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        if row in whole:
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        else:
            cells += row[1:]
        text.append("  ".join(cells))
    return "\n".join(text)


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    if "missing" in each:
        return each["host"], f"MISSING: {each['missing']}"
    if "rounds" not in each:
        return each["host"], f"FAILED: {each.get('failed', 'it has not run').splitlines()[0]}"
    names = ("cpu_us_per_event", "events_per_s", "peak_rss_mb", "ratio_to_ours")
    counts = [" or ".join(map(str, each[name])) for name in ("sends", "decisions")]
    return (
        each["host"],
        *(_ranged(each, name) for name in names),
        *counts,
        str(each["changelog_records"]),
        str(each["others_percent"]),
    )


def _ranged(each: Mapping[str, Any], name: str) -> str:
    if each[name] is None:
        return "-"
    low, high = each[f"{name}_range"]
    return f"{each[name]} [{low}..{high}]"
