"""Runs the checks and prints the table. ``deploy/check`` starts it."""

import argparse
import importlib
import os
import pkgutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy import checks
from deploy.checks.support.place import ROOT, Place
from deploy.checks.support.results import Broken, NotHere, Result, Verdict, failed, skipped

_STYLES = {Verdict.OK: "green", Verdict.FAILED: "bold red", Verdict.SKIPPED: "bold yellow"}
_WIDTH = 150


def main() -> int:
    """0 when nothing failed, 1 when something did, 2 on bad usage."""
    found = {
        each.name
        for each in pkgutil.iter_modules(checks.__path__)
        if not each.ispkg and each.name != "__main__"
    }
    parser = argparse.ArgumentParser(prog="deploy/check", description="Check what is in deploy/.")
    parser.add_argument("names", nargs="*", metavar="CHECK", help=", ".join(sorted(found)))
    parser.add_argument("--list", action="store_true", help="say what each check is")
    parser.add_argument("--write", action="store_true", help="write what is generated first")
    args = parser.parse_args()
    unknown = set(args.names) - found
    if unknown:
        parser.error(
            f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(sorted(found))}"
        )
    names = sorted(args.names or found)
    if args.list:
        for name in names:
            print(f"{name:<14} {_title(_module(name))}")
        return 0
    with tempfile.TemporaryDirectory(prefix="deploy-check-") as scratch:
        place = Place(root=ROOT, scratch=Path(scratch), cache=_cache())
        with place.ends:
            if args.write:
                for module in map(_module, names):
                    if hasattr(module, "write"):
                        module.write(place)
            return _report(names, place)


def _cache() -> Path:
    home = os.environ.get("DEPLOY_CHECK_CACHE")
    cache = Path(home) if home else Path.home() / ".cache" / "trigger-deploy-check"
    cache.mkdir(parents=True, exist_ok=True)
    return cache.resolve()


def _report(names: list[str], place: Place) -> int:
    table = Table(title="deploy/check", title_justify="left", show_lines=False)
    for column in ("check", "what", "verdict", "figures, problem or reason"):
        table.add_column(column, overflow="fold")
    table.add_column("s", justify="right")
    tally: Counter[Verdict] = Counter()
    for name in names:
        print(f"deploy/check: {name} ...", flush=True)
        started = time.monotonic()
        for result in _rows(name, place):
            took_s = time.monotonic() - started
            tally[result.verdict] += 1
            if result.verdict is not Verdict.OK:
                print(f"  {result.verdict}: {result.what}: {result.detail}", flush=True)
            verdict = Text(result.verdict, style=_STYLES[result.verdict])
            table.add_row(name, Text(result.what), verdict, Text(result.detail), f"{took_s:.1f}")
            started = time.monotonic()
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
    print(
        f"{tally[Verdict.OK]} passed, {tally[Verdict.FAILED]} failed,"
        f" {tally[Verdict.SKIPPED]} skipped"
    )
    return 1 if tally[Verdict.FAILED] else 0


def _rows(name: str, place: Place) -> Iterator[Result]:
    """The check's rows; what it raises becomes the last one."""
    title = name
    try:
        module = _module(name)
        title = _title(module)
        yield from module.run(place)
    except NotHere as exc:
        yield skipped(title, str(exc))
    except Broken as exc:
        yield failed(title, str(exc))
    except Exception:
        yield failed(title, traceback.format_exc(limit=-3))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{checks.__name__}.{name}")


def _title(module: ModuleType) -> str:
    return (module.__doc__ or module.__name__).strip().splitlines()[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
