"""The reference pages of the documentation, written from the code that they describe."""

from collections.abc import Callable
from typing import Final

from deploy.checks.support.reference.alerts import alerts
from deploy.checks.support.reference.commands import commands
from deploy.checks.support.reference.decisions import decisions
from deploy.checks.support.reference.events import events
from deploy.checks.support.reference.limits import limits
from deploy.checks.support.reference.metrics import metrics
from deploy.checks.support.reference.rules import rules
from deploy.checks.support.reference.settings import settings
from deploy.checks.support.reference.topics import topics

_PAGES: Final[dict[str, Callable[[], str]]] = {
    "alerts": alerts,
    "commands": commands,
    "decisions": decisions,
    "events": events,
    "limits": limits,
    "metrics": metrics,
    "rules": rules,
    "settings": settings,
    "topics": topics,
}
_NOTE: Final = "\n*Written by `deploy/check --write docs`; change the code instead.*\n"


def pages() -> dict[str, str]:
    """Path under deploy/docs -> content."""
    return {f"reference/{name}.md": page() + _NOTE for name, page in _PAGES.items()}
