"""``python -m tests.bench report``: what benchmarks printed, as the tables of a document.

A file of results holds what one or more benchmarks printed. The hosts of one comparison are put
in relation to each other only, never to those of another file.
"""

import argparse
import json
import operator
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

_COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "more than": operator.gt,
    "under": operator.lt,
}

#: JSON lines of one file, by host; of several with the same host the last one
Results = dict[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Goal:
    """A figure, and what it should be."""

    figure: str
    #: a key of ``_COMPARED`` and a number; None where a figure is only to be known
    bound: tuple[str, float] | None
    #: of one file of results; None where they do not say
    measured: Callable[[Results], float | None]


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


def _catching_up(figure: Callable[[Mapping[str, Any]], float]) -> Callable[[Results], Any]:
    """A figure of reading the profiles of a million customers, before what is compared."""

    def measured(results: Results) -> float | None:
        found = results.get(_EXACTLY_ONCE)
        return None if found is None or found["customers"] < _MILLION else figure(found)

    return measured


_OURS: Final = (_EXACTLY_ONCE, OURS)

GOALS: Final = (
    Goal(
        "CPU of a worker, exactly once, 1,000,000 customers, over that of the floor",
        ("at most", 2.5),
        _ratio(_EXACTLY_ONCE, ("floor",), _MILLION),
    ),
    Goal(
        "the same core on Quix Streams, over ours, 1,000,000 customers",
        ("at least", 2),
        _ratio("quix", _OURS, _MILLION),
    ),
    Goal(
        "Kafka Streams with a part of the rules, warm, over ours",
        ("more than", 1),
        _ratio("kafka_streams", _OURS),
    ),
    Goal(
        "a plain Faust agent over ours",
        ("at least", 20),
        _ratio("faust_agent", _OURS),
    ),
    Goal(
        "Bytewax with the records in memory, over ours",
        ("at least", 1.5),
        _ratio("bytewax", _OURS),
    ),
    Goal(
        "`backtest`, compiled: events a CPU second",
        ("at least", 50_000),
        _figure("backtest", "events_per_cpu_s", "compiled"),
    ),
    Goal(
        "`backtest`, as Python: events a CPU second",
        ("at least", 25_000),
        _figure("backtest", "events_per_cpu_s", "pure Python"),
    ),
    Goal(
        "timers due at one instant, fired a CPU second",
        ("at least", 40_000),
        _figure("timers", "fired_per_cpu_s"),
    ),
    Goal(
        "recovery: customers a second",
        ("at least", 80_000),
        _figure("recovery", "cold_records_per_s"),
    ),
    Goal(
        "catching up with 1,000,000 profiles: records a second",
        None,
        _catching_up(lambda each: round(each["customers"] / each["load_s"])),
    ),
    Goal(
        "memory of the worker then and after, MB",
        ("under", 600),
        _catching_up(lambda each: each["peak_rss_mb"]),
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
        wanted = met = "-"
        if goal.bound is not None:
            words, number = goal.bound
            wanted = f"{words} {number:,}"
            if values:
                met = "yes" if _COMPARED[words](median(values), number) else "no"
        yield f"| {goal.figure} | {wanted} | {shown} | {met} |"


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
