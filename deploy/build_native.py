"""Compiles the core to machine code with mypyc when a wheel is built.

A build hook of hatchling. The wheel holds each compiled module beside its ``.py``, which tracebacks
quote and which runs where ``TRIGGER_PURE_PYTHON=1`` is set (``app/compiled.py``). Without a C
compiler or Python's headers the wheel is pure Python, and the build's log says why.
``TRIGGER_COMPILE=0`` asks for that; with ``TRIGGER_COMPILE=1`` the build fails where it cannot
compile, and an editable install is compiled too, in place.

    python deploy/build_native.py FOLDER

compiles into FOLDER, which may be a copy of the checkout: tests run on it (deploy/compiled-tests).
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).resolve().parents[1]
WISH: Final = "TRIGGER_COMPILE"
#: What is compiled: patterns of paths from the checkout's root.
COMPILED: Final = (
    "app/core/**/*.py",
    "app/backtest/clock.py",
    "app/backtest/history.py",
    "app/backtest/rates.py",
    "app/backtest/replay.py",
    "app/backtest/report/tally.py",
    "app/formats/checks.py",
    "app/formats/decode.py",
    "app/formats/encode.py",
    "app/formats/event_lines.py",
    "app/formats/json_lines.py",
    "app/formats/trace_context.py",
    "app/kafka/partitioning.py",
    "app/live/clock/partition_clock.py",
    "app/live/clock/watermark.py",
    "app/live/commit/at_least_once.py",
    "app/live/commit/deliveries.py",
    "app/live/commit/exactly_once.py",
    "app/live/commit/outbox.py",
    "app/live/commit/output_records.py",
    "app/live/commit/unit.py",
    "app/live/input/record_decoding.py",
    "app/live/input/timestamp_merge.py",
    "app/live/partition/processor.py",
    "app/live/partition/record_handler.py",
    "app/live/partition/shadow.py",
    "app/live/repartition/outgoing.py",
    "tables/customers.py",
    "tables/in_memory.py",
    "tables/layout.py",
    "tables/records.py",
)
#: What of it is not, and why.
LEFT_OUT: Final[Mapping[str, tuple[str, ...]]] = {
    "a package's docstring and short tables": ("app/core/**/__init__.py",),
    "runs once for a rules file, and would be half of the C": (
        "app/core/compile.py",
        "app/core/rules/compile_steps.py",
        "app/core/rules/compile_throttle.py",
        "app/core/rules/document_values.py",
        "app/core/validation/*.py",
    ),
    "enums that the contracts quote: mypyc keeps no docstrings": (
        "app/core/gates/registry.py",
        "app/core/outcome_kind.py",
        "app/core/verdicts.py",
    ),
    "classes of msgspec, which mypyc takes for Python's": (
        "app/core/customer/columns.py",
        "app/core/customer/flat.py",
        "app/core/customer/parts.py",
        "app/core/customer/scoring_model.py",
        "app/core/recorded.py",
    ),
}
#: Of the project's dependencies, those whose types the compiled modules use.
_TYPED: Final = ("msgspec", "orjson")
#: The library that all compiled modules share is named after it.
_GROUP: Final = "trigger_engine"
_OPTIMIZATION: Final = "2"


class CannotCompileError(Exception):
    """``TRIGGER_COMPILE=1``, and it cannot be compiled, or the variable has no known value."""


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the compiled modules to the wheel."""

    _folder: "TemporaryDirectory[str] | None" = None

    def dependencies(self) -> list[str]:
        """What the build environment has to have: the compiler, only where it will be used."""
        if lacking(os.environ) or os.environ.get(WISH) == "0":
            return []
        core = self.metadata.core
        typed = [each for each in core.dependencies if each.startswith(_TYPED)]
        return [*core.optional_dependencies["compile"], *typed]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, for an editable install in place. Raises CannotCompileError."""
        is_editable = version == "editable"
        reason = why_pure(os.environ, is_editable=is_editable)
        if reason is None:
            self._folder = TemporaryDirectory(prefix="trigger-engine-")
            into = ROOT if is_editable else Path(self._folder.name)
            reason = compiled_into(into)
            if reason is not None and os.environ.get(WISH) == "1":
                raise CannotCompileError(f"{WISH}=1, and mypyc failed: {reason}")
            if reason is None and not is_editable:
                build_data["pure_python"] = False
                build_data["infer_tag"] = True
                for path in into.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
                    build_data["force_include"][str(path)] = path.relative_to(into).as_posix()
        if reason is not None:
            self.app.display_warning(f"trigger-engine is built as pure Python: {reason}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written."""
        if self._folder is not None:
            self._folder.cleanup()


def modules() -> list[str]:
    """The paths of what is compiled, from the checkout's root."""
    left_out = {path for each in LEFT_OUT.values() for path in _matching(each)}
    return sorted(path.relative_to(ROOT).as_posix() for path in _matching(COMPILED) - left_out)


def why_pure(environ: Mapping[str, str], *, is_editable: bool) -> str | None:
    """Why nothing is to be compiled, or None. Raises CannotCompileError."""
    wish = environ.get(WISH, "")
    if wish not in ("", "0", "1"):
        raise CannotCompileError(f"{WISH}: got {wish!r}, expected 0, 1 or nothing")
    if wish == "0":
        return f"{WISH}=0"
    if is_editable and wish != "1":
        return f"an editable install is compiled with {WISH}=1 only"
    reason = lacking(environ)
    if reason is not None and wish == "1":
        raise CannotCompileError(f"{WISH}=1, and there is {reason}")
    return reason


def lacking(environ: Mapping[str, str]) -> str | None:
    """What it takes to compile C for this Python and is not here, or None."""
    if sys.implementation.name != "cpython":
        return f"no mypyc for {sys.implementation.name}"
    program = shlex.split(environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(program, path=environ.get("PATH")) is None:
        return f"no C compiler: no program {program}"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "no Python.h: Debian has it in python3-dev"
    return None


def compiled_into(folder: Path) -> str | None:
    """Compile in a process of its own, which mypyc may crash; the first error, or None."""
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode == 0:
        return None
    lines = done.stdout.splitlines() or [f"exit code {done.returncode}"]
    return next((line for line in lines if "rror:" in line), lines[-1])


def _matching(patterns: tuple[str, ...]) -> set[Path]:
    return {path for pattern in patterns for path in ROOT.glob(pattern)}


def _types_of_others(folder: str) -> Path:
    """A configuration for mypy, in the folder: packages whose types it does not look at, so that
    it makes the same C whether or not they are installed.
    """
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    lines = ["[mypy]", "ignore_missing_imports = True"]
    for each in mypy["overrides"]:
        if each.get("follow_imports") == "skip":
            for name in each["module"]:
                lines += [f"[mypy-{name}]", "follow_imports = skip"]
    config = Path(folder) / "mypy.ini"
    config.write_text("\n".join(lines))
    return config


def _compile(folder: Path) -> None:
    """One C file a module, and one compiler a processor: half the time of a single C file."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    jobs = os.cpu_count() or 1
    pool = ThreadPoolExecutor(jobs)

    class ManyAtOnce(build_ext):  # type: ignore[misc]
        def build_extensions(self) -> None:
            one = self.compiler.compile

            def many(sources: list[str], **options: Any) -> list[str]:
                longest_first = sorted(sources, key=os.path.getsize, reverse=True)
                objects = pool.map(lambda each: one([each], **options), longest_first)
                return [*chain.from_iterable(objects)]

            self.compiler.compile = many
            super().build_extensions()

    os.chdir(ROOT)
    with TemporaryDirectory(prefix="trigger-engine-c-") as scratch, pool:
        extensions = mypycify(
            [
                f"--config-file={_types_of_others(scratch)}",
                f"--cache-dir={scratch}/mypy",
                *modules(),
            ],
            opt_level=_OPTIMIZATION,
            debug_level="0",
            multi_file=True,
            group_name=_GROUP,
            target_dir=f"{scratch}/c",
        )
        for extension in extensions:
            # a newer compiler may warn of what it finds in mypyc's C
            extension.extra_compile_args.append("-Wno-error")
        command = ManyAtOnce(Distribution({"ext_modules": extensions}))
        command.build_lib, command.build_temp = str(folder), f"{scratch}/objects"
        command.parallel = jobs
        command.ensure_finalized()
        command.run()


if __name__ == "__main__":
    _compile(Path(sys.argv[1]).resolve())
