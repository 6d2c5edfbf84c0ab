"""``python -m tests.bench report``: what benchmarks printed, as the tables of a document.

A file of results holds what one or more benchmarks printed. The hosts of one comparison are put
in relation to each other only, never to those of another file.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.bench.compare.registry import OURS

BEGIN: Final = "<!-- written by `python -m tests.bench report`: begin -->"
END: Final = "<!-- written by `python -m tests.bench report`: end -->"

_EXACTLY_ONCE: Final = "ours_exactly_once"
_MILLION: Final = 1_000_000

#: JSON lines of one file, by host; of several with the same host the last one
Results = dict[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Goal:
    """A figure, and what it should be."""

    figure: str
    #: in words
    goal: str
    #: of one file of results; None where they do not say
    measured: Callable[[Results], float | None]
    #: None where a figure is only to be known
    is_met: Callable[[float], bool] | None


def _ratio(of: str, to: Sequence[str], least_customers: int = 0) -> Callable[[Results], Any]:
    """CPU of a host over that of the first of the others that ran with it."""

    def measured(results: Results) -> float | None:
        one = results.get(of)
        other = next((results[name] for name in to if name in results), None)
        if one is None or other is None or one["customers"] < least_customers:
            return None
        ratio: float = one["cpu_us_per_event"] / other["cpu_us_per_event"]
        return round(ratio, 2)

    return measured


def _figure(host: str, name: str, core: str | None = None) -> Callable[[Results], Any]:
    """A figure of a benchmark, where the core is as wanted."""

    def measured(results: Results) -> Any:
        found = results.get(host, {})
        return found.get(name) if core in (None, found.get("core")) else None

    return measured


def _catching_up(name: str) -> Callable[[Results], Any]:
    """A figure of reading the profiles of a million customers, before what is compared."""

    def measured(results: Results) -> Any:
        found = results.get(_EXACTLY_ONCE, {})
        if found.get("customers", 0) < _MILLION:
            return None
        return round(found["customers"] / found["load_s"]) if name == "rate" else found[name]

    return measured


_OURS: Final = (_EXACTLY_ONCE, OURS)

GOALS: Final = (
    Goal(
        "CPU of a worker, exactly once, 1,000,000 customers, over that of the floor",
        "at most 2.5",
        _ratio(_EXACTLY_ONCE, ("floor",), _MILLION),
        lambda value: value <= 2.5,
    ),
    Goal(
        "the same core on Quix Streams, over ours, 1,000,000 customers",
        "at least 2",
        _ratio("quix", _OURS, _MILLION),
        lambda value: value >= 2,
    ),
    Goal(
        "Kafka Streams with a part of the rules, warm, over ours",
        "more than 1",
        _ratio("kafka_streams", _OURS),
        lambda value: value > 1,
    ),
    Goal(
        "a plain Faust agent over ours",
        "at least 20",
        _ratio("faust_agent", _OURS),
        lambda value: value >= 20,
    ),
    Goal(
        "Bytewax with the records in memory, over ours",
        "at least 1.5",
        _ratio("bytewax", _OURS),
        lambda value: value >= 1.5,
    ),
    Goal(
        "`backtest`, compiled: events a CPU second",
        "50,000",
        _figure("backtest", "events_per_cpu_s", "compiled"),
        lambda value: value >= 50_000,
    ),
    Goal(
        "`backtest`, as Python: events a CPU second",
        "25,000",
        _figure("backtest", "events_per_cpu_s", "pure Python"),
        lambda value: value >= 25_000,
    ),
    Goal(
        "timers due at one instant, fired a CPU second",
        "40,000",
        _figure("timers", "fired_per_cpu_s"),
        lambda value: value >= 40_000,
    ),
    Goal(
        "recovery: customers a second",
        "80,000",
        _figure("recovery", "cold_records_per_s"),
        lambda value: value >= 80_000,
    ),
    Goal(
        "catching up with 1,000,000 profiles: records a second",
        "-",
        _catching_up("rate"),
        None,
    ),
    Goal(
        "memory of the worker then and after, MB",
        "under 600",
        _catching_up("peak_rss_mb"),
        lambda value: value < 600,
    ),
)


def read(text: str) -> Results:
    """The results in what benchmarks printed; hosts that are missing or failed are left out."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith('{"host": ')]
    return {each["host"]: each for each in found if not each.keys() & {"missing", "failed"}}


def tables(files: Sequence[Results]) -> str:
    """The goals with what was measured, by the median; and all comparisons."""
    return "\n".join([*_goals(files), "", *_comparisons(files)])


def _goals(files: Sequence[Results]) -> Iterator[str]:
    yield "| figure | goal | measured | met |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        values = [value for each in files if (value := goal.measured(each)) is not None]
        shown = ", ".join(f"{value:,}" for value in values) or "-"
        met = "-"
        if values and goal.is_met is not None:
            met = "yes" if goal.is_met(median(values)) else "no"
        yield f"| {goal.figure} | {goal.goal} | {shown} | {met} |"


def _comparisons(files: Sequence[Results]) -> Iterator[str]:
    yield (
        "| customers | events | rounds | host | CPU µs an event | events a second | peak MB"
        " | others % |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for results in files:
        for host, each in results.items():
            if "rounds" not in each:
                continue
            low, high = each["cpu_us_per_event_range"]
            cpu_us = f"{low}" if low == high else f"{each['cpu_us_per_event']} ({low} to {high})"
            warm = ", warm" if "cold_us_per_event" in each else ""
            yield (
                f"| {each['customers']:,} | {each['events']:,}{warm} | {each['rounds']} | {host}"
                f" | {cpu_us} | {each['events_per_s']:,} | {each['peak_rss_mb']}"
                f" | {each['others_percent']} |"
            )


def placed(document: str, text: str) -> str:
    """The document with that between its two marks. Raises ValueError when it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN!r} and {END!r} around the tables")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def main(argv: Sequence[str]) -> int:
    """Write the tables into the document; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench report", description=__doc__)
    parser.add_argument("document", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    args = parser.parse_args(argv)
    files = [read(each.read_text()) for each in args.results]
    document: Path = args.document
    document.write_text(placed(document.read_text(), tables(files)))
    return 0
