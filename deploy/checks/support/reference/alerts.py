"""Alerts: what each says and where the runbook goes on."""

from typing import Any, Final

from deploy.checks.support.reference.markdown import code, table
from deploy.monitoring import alerts as rules

_HEAD: Final = """\
# Alerts

[`deploy/prometheus/rules.yaml`](../../prometheus/rules.yaml) has them with their expressions; each
name leads to its section of the runbook.

"""


def alerts() -> str:
    """The page."""
    found = [rule for rule in rules.rules() if "alert" in rule]
    return _HEAD + table(("alert", "severity", "after", ""), map(_row, found))


def _row(rule: dict[str, Any]) -> tuple[str, ...]:
    name = rule["alert"]
    link = f"[{name}](../../RUNBOOK.md#{name.lower()})"
    summary = rule["annotations"]["summary"]
    if "{{" in summary:
        summary = code(summary)
    return link, rule["labels"]["severity"], str(rule.get("for", "")), summary
