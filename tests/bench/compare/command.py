"""The command: rounds over hosts in shuffled order, then the table and the JSON lines."""

import argparse
import json
import os
import platform
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from app.core.errors import ConfigError
from tests.bench import compare
from tests.bench.compare.brokers import Broker, started
from tests.bench.compare.inputs import Inputs, make
from tests.bench.compare.process import apart
from tests.bench.compare.registry import HOSTS, OURS
from tests.bench.compare.run import PARTITIONS, run
from tests.bench.compare.table import Outcome, line, rendered
from tests.bench.compare.watch import HostFailed

_LIBRARIES: Final = (
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "rocksdict",
    "orjson",
    "msgspec",
    "quixstreams",
    "bytewax",
    "noida-db",
)

_EMBEDDED: Final = (
    "NOTE: the embedded broker answers a fetch at once when there is nothing to fetch. Ours paces"
    " itself; the others ask thousands of times a second and pay for it, the floor most in"
    " proportion. Quote figures of --broker kafka."
)


def main(argv: Sequence[str]) -> int:
    """0 when every host that is here did the same job in every round, otherwise 1."""
    args = _parser().parse_args(argv)
    if not hasattr(os, "sched_setaffinity"):
        _say("the comparison needs Linux: it pins processes to cores")
        return 1
    outcomes = [Outcome(host) for host in HOSTS if host.name in args.hosts]
    for outcome in outcomes:
        if outcome.missing:
            _say(f"MISSING: {outcome.host.name}: {outcome.missing}")
    worker_cores, others = apart()
    os.sched_setaffinity(0, others)
    _say(_machine(args, worker_cores, others))
    if args.broker == "embedded":
        _say(_EMBEDDED)
    inputs = make(args.warm_up + args.events, args.customers, PARTITIONS)
    try:
        with started(args.broker) as broker:
            _rounds(args, outcomes, inputs, broker, worker_cores)
    except ConfigError as exc:
        _say(str(exc))
        return 1
    except KeyboardInterrupt:
        _say("INTERRUPTED: what follows is of the rounds until then")
    ours = next((each for each in outcomes if each.host.name == OURS), None)
    lines = [line(each, ours, args.events, args.customers) for each in outcomes]
    print(rendered(lines))
    for each in lines:
        print(json.dumps(each))
    problems = list(_problems(outcomes, inputs.expected_sends))
    for problem in problems:
        _say(problem)
    return 1 if problems else 0


def _rounds(
    args: argparse.Namespace,
    outcomes: list[Outcome],
    inputs: Inputs,
    broker: Broker,
    cores: Sequence[int],
) -> None:
    """Every host once a round; one that fails takes no more part."""
    order = random.Random(args.seed)
    for number in range(1, args.rounds + 1):
        going = [each for each in outcomes if not each.missing and not each.failed]
        order.shuffle(going)
        for outcome in going:
            name = f"bench-{number}-{outcome.host.name.replace('_', '-')}"
            try:
                found = outcome.runs[number] = run(
                    outcome.host, name, inputs, broker, cores, args.warm_up
                )
            except HostFailed as exc:
                outcome.failed = str(exc)
                _say(f"FAILED: {outcome.host.name}: {exc}")
            else:
                _say(
                    f"round {number}: {outcome.host.name}: {found.cpu_us_per_event:.1f} us/event,"
                    f" {found.events_per_s:.0f} events/s (profiles read in {found.load_s:.0f} s)"
                )


def _problems(outcomes: list[Outcome], expected: int) -> Iterator[str]:
    """Failures, and hosts that have not sent what they should have."""
    digests = set()
    for outcome in outcomes:
        name = outcome.host.name
        if outcome.failed or not (outcome.missing or outcome.runs):
            yield f"FAILED: {name}"
        sends = {run.sends for run in outcome.runs.values()}
        if sends - {expected}:
            yield f"NOT THE SAME JOB: {name}: {sorted(sends)} sends, expected {expected}"
        digests |= {run.digest for run in outcome.runs.values()}
    if len(digests) > 1:
        yield "NOT THE SAME JOB: hosts sent different things, see sends_digest"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench compare",
        description=compare.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument(
        "--warm-up",
        type=int,
        default=0,
        metavar="EVENTS",
        help="how many come before those measured; with them it is cold_us_per_event",
    )
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--broker", choices=["embedded", "kafka"], default="kafka")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the order of hosts")
    names = [host.name for host in HOSTS]
    parser.add_argument("--hosts", nargs="+", choices=names, default=names, metavar="HOST")
    return parser


def _machine(args: argparse.Namespace, worker: list[int], others: list[int]) -> str:
    """What the figures depend on, in words."""
    pinned = f"worker on core {worker}, broker and publisher on {others}"
    if worker == others:
        pinned = f"NOT PINNED APART: there is one core, {worker}, for everything"
    libraries = []
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            libraries.append(f"{name} {version(name)}")
    return (
        f"{_processor()}, {os.cpu_count()} cores; {pinned}\n"
        f"broker {args.broker}, {PARTITIONS} partitions, seed {args.seed};"
        f" Python {platform.python_version()}, {', '.join(libraries)}"
    )


def _processor() -> str:
    with suppress(OSError):
        for found in Path("/proc/cpuinfo").read_text().splitlines():
            if found.startswith("model name"):
                return found.partition(":")[2].strip()
    return platform.machine()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
