"""YAML that means harm: refused with a clear error, in little time and memory."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app.rules_file import yaml_reader
from app.rules_file.load import RulesError, load_rules
from app.rules_file.yaml_reader import (
    MAX_DEPTH,
    MAX_FILE_BYTES,
    MAX_VALUES,
    UnreadableYaml,
    read_yaml,
)

ROOT = Path(__file__).parents[3]
MEMORY_MIB = 1024
CPU_S = 60


def laughs(first: str, wrapped: str, of: str) -> str:
    """Nine generations, each with nine of the one before."""
    lines = [f"a0: &a0 {first}"]
    for number in range(1, 10):
        nine = ", ".join([f"*a{number - 1}"] * 9)
        lines.append(f"a{number}: &a{number} {wrapped % (of % nine)}")
    return "\n".join(lines)


BOMBS = {
    "billion laughs": laughs("[x]", "%s", "[%s]"),
    "billion merges": laughs("{x: 1}", "{%s}", "<<: [%s]"),
    "wide aliases": f"a: &a [{'1, ' * 20_000}1]\nb: [{'*a, ' * 20_000}*a]",
    "aliases of aliases": "a0: &a0 x\n"
    + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5_000)),
    "open brackets": "[" * (MAX_FILE_BYTES - 1),
    "open braces": "{a: " * (MAX_FILE_BYTES // 5),
    "dashes": "- " * (MAX_FILE_BYTES // 3),
    "question marks": "? " * (MAX_FILE_BYTES // 3),
    "many values": f"[{'1,' * (MAX_FILE_BYTES // 3)}1]",
    "many anchors": "\n".join(f"- &a{n} x" for n in range(80_000)),
    "too large": "a" * (MAX_FILE_BYTES + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str, tmp_path: Path) -> None:
    """In a process that may not take much memory or time; the error says what is allowed."""
    path = tmp_path / "rules.yaml"
    path.write_text(BOMBS[name])
    script = f"""
        import resource, sys
        from pathlib import Path
        from app.rules_file.load import RulesError, load_rules
        resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_MIB} << 20, {MEMORY_MIB} << 20))
        resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
        try:
            load_rules(Path(sys.argv[1]))
        except RulesError as exc:
            print(exc)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    expected = "bytes" if name == "too large" else f"{MAX_DEPTH} levels and {MAX_VALUES} values"
    assert expected in done.stdout, done.stderr


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['echo hi']",
        "!!python/name:os.system",
        "!!python/object/new:os.system {}",
        "!ours x",
    ],
)
def test_a_tag_builds_nothing(tag: str, tmp_path: Path) -> None:
    """Only plain values are built."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"version: {tag}")
    with pytest.raises(RulesError, match="constructor for the tag"):
        load_rules(path)


def test_a_number_of_a_thousand_digits_is_refused() -> None:
    """Python would convert it in quadratic time."""
    with pytest.raises(UnreadableYaml, match="a YAML document"):
        read_yaml(b"a: " + b"9" * 10_000)


def test_aliases_and_merges_within_bounds_are_what_they_stand_for() -> None:
    """The bounds refuse nothing that a person would write."""
    found = read_yaml(b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]\nd: 2026-01-01")
    assert found == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": [{"x": 1, "y": 2}] * 2,
        "d": "2026-01-01",
    }


def test_the_bounds_are_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """As deep, and as many, as the error says is allowed; fewer here, to be quick."""
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", 1_000)
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read_yaml(deepest.encode()) is not None
    with pytest.raises(UnreadableYaml, match="more"):
        read_yaml(f"[{deepest}]".encode())
    most = f"[{'1,' * 998}1]"
    assert len(read_yaml(most.encode())) == 999
    with pytest.raises(UnreadableYaml, match="more"):
        read_yaml(f"[{most}]".encode())
