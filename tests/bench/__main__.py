"""``python -m tests.bench WHAT``: each prints one JSON line, ``compare`` a table and several.

Figures are CPU microseconds per event of the engine's processes, unless they say otherwise. They
depend on the machine and on what else it does: compare runs of one machine, side by side. The
profiles of all customers are read first and not counted.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.compiled import core_kind
from tests.bench.compare.command import main as compare
from tests.bench.engine import backtest, worker
from tests.bench.guarantees import GUARANTEES, guarantees
from tests.bench.outcomes import kpis
from tests.bench.profile import profile
from tests.bench.recovery import recovery
from tests.bench.report import main as report
from tests.bench.scaling import scaling
from tests.bench.timers import timers

Figures = dict[str, float]


def main() -> None:
    """Run one benchmark."""
    for name, run in (("compare", compare), ("report", report)):
        if sys.argv[1:2] == [name]:
            sys.exit(run(sys.argv[2:]))
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = parser.add_subparsers(dest="what", required=True).add_parser
    add("compare", help="ours and other hosts on the same job: see its --help")
    add("report", help="what benchmarks printed, as tables of a document: see its --help")
    for name, text, events in (
        ("backtest", "one process, from a line to written decisions", 100_000),
        ("worker", "one worker over the embedded broker", 100_000),
        ("guarantees", "what exactly once costs against at least once", 100_000),
        ("profile", "where a worker's time goes, layer by layer", 100_000),
        ("scaling", "two workers beside one", 100_000),
    ):
        one = add(name, help=text)
        one.add_argument("--events", type=int, default=events)
        one.add_argument("--customers", type=int, default=20_000)
        if name in ("backtest", "worker"):
            one.add_argument(
                "--anonymous", action="store_true", help="no profiles: few can be reached"
            )
        if name == "guarantees":
            one.add_argument("--rate", type=int, help="events a second; default: all at once")
        if name == "profile":
            one.add_argument("--guarantee", choices=GUARANTEES, default=GUARANTEES[0])
    one = add("recovery", help="seconds until a worker with an empty disk is ready")
    one.add_argument("--customers", type=int, default=20_000)
    one = add("timers", help="timers that wait, and many that are due at once")
    one.add_argument("--pending", type=int, default=1_000_000)
    one.add_argument("--burst", type=int, default=100_000)
    one.add_argument("--live", type=int, default=20_000, help="in a worker; 0: none")
    one = add("storm", help="seconds that partitions stand still while workers join and leave")
    one.add_argument("--changes", type=int, default=12)
    one = add("kpis", help="seconds and memory of the report over files of outcomes")
    one.add_argument("--outcomes", type=int, default=5_000_000)
    args = parser.parse_args()
    print(json.dumps({"host": args.what, "core": core_kind(), **_RUN[args.what](args)}))


def _backtest(args: argparse.Namespace) -> Figures:
    return backtest(args.events, args.customers, 0 if args.anonymous else args.customers)


def _storm(args: argparse.Namespace) -> Figures:
    from tests.bench.storm import storm  # with pytest, which ``.[bench]`` does not have

    return storm(args.changes)


def _kpis(args: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        return kpis(Path(folder), args.outcomes)


_RUN: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "backtest": _backtest,
    "worker": lambda a: worker(a.events, a.customers, 0 if a.anonymous else a.customers),
    "guarantees": lambda a: guarantees(a.events, a.customers, a.rate),
    "profile": lambda a: profile(a.events, a.customers, a.guarantee),
    "scaling": lambda a: scaling(a.events, a.customers),
    "recovery": lambda a: recovery(a.customers),
    "timers": lambda a: timers(a.pending, a.burst, a.live),
    "storm": _storm,
    "kpis": _kpis,
}


if __name__ == "__main__":
    main()
