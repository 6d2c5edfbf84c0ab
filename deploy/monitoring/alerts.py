"""The alert rules: complete, explained in the runbook, and each with cases that fire and do not."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from deploy.monitoring.runbook import RUNBOOK, anchors

FOLDER: Final = Path(__file__).parents[1] / "prometheus"
RULES: Final = FOLDER / "rules.yaml"
CASES: Final = sorted((FOLDER / "tests").glob("*.yaml"))

_SEVERITIES: Final = ("critical", "warning")
_LINK: Final = f"deploy/{RUNBOOK.name}#"
_NAMED: Final = re.compile(r'alertname="(\w+)"')


def rules() -> list[dict[str, Any]]:
    """All rules, recorded and alerting."""
    return [rule for group in _read(RULES)["groups"] for rule in group["rules"]]


def alert_names() -> list[str]:
    """The alerts, in the order of the file."""
    return [rule["alert"] for rule in rules() if "alert" in rule]


def incomplete() -> list[str]:
    """Alerts without severity, texts or a place in the runbook."""
    known, problems = anchors(RUNBOOK), []
    for rule in rules():
        name = rule.get("alert")
        if name is None:
            continue
        if rule.get("labels", {}).get("severity") not in _SEVERITIES:
            problems.append(f"{name}: severity: expected one of {', '.join(_SEVERITIES)}")
        texts = rule.get("annotations", {})
        problems += [
            f"{name}: no {each}" for each in ("summary", "description") if not texts.get(each)
        ]
        link = texts.get("runbook_url", "")
        if link != _LINK + name.lower():
            problems.append(f"{name}: runbook_url: got {link!r}, expected {_LINK + name.lower()!r}")
        elif link.removeprefix(_LINK) not in known:
            problems.append(f"{name}: {RUNBOOK.name} has no section of this name")
    return problems


def untested() -> list[str]:
    """Alerts without a case in which they fire and, at another time of it, stay silent."""
    tested = {name for path in CASES for case in _read(path)["tests"] for name in _fires(case)}
    return [
        f"{name}: no case fires and stays silent" for name in alert_names() if name not in tested
    ]


def _fires(case: dict[str, Any]) -> Iterator[str]:
    """The alerts that a case wants to fire at one time and not at another."""
    asked = [each for each in case["promql_expr_test"] if each["expr"].startswith("ALERTS{")]
    wanted = [
        {name for sample in each["exp_samples"] for name in _NAMED.findall(sample["labels"])}
        for each in asked
    ]
    for name in set().union(*wanted):
        could_say = [
            names
            for each, names in zip(asked, wanted, strict=True)
            if _NAMED.findall(each["expr"]) in ([], [name])
        ]
        if any(name not in names for names in could_say):
            yield name


def count(cases: Path) -> int:
    """How many cases a file has."""
    return len(_read(cases)["tests"])


def promtool(*arguments: str | Path) -> list[str]:
    """What promtool has against it. Raises FileNotFoundError where there is none."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [done.stdout + done.stderr]


def _read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)
