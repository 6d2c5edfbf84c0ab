"""What a worker sets up before it joins the group: topics, shadow rules, event loop, collector."""

import asyncio
import gc
import logging
from contextlib import suppress
from typing import Final

from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.kafka import topics
from app.rules_file.load import load_rules
from app.settings.model import Settings

_log: Final = logging.getLogger(__name__)

#: More new objects than the units in progress hold, so that none is walked for these.
_COLLECT_AFTER: Final = 500_000


def load_shadow_rules(settings: Settings) -> Rules | None:
    """The rules that only decide to be compared; they stay until the worker ends."""
    if settings.shadow_path is None:
        return None
    rules = load_rules(settings.shadow_path)
    _log.info(
        "shadow rules decide in parallel and send nothing",
        extra={"action": "shadow", "rules_version": rules.version},
    )
    return rules


def create_missing_topics(settings: Settings) -> None:
    """Make the output and internal topics that are not there, and say what else is not right."""
    report = topics.create(settings)
    for topic in report.created:
        _log.info("topic created", extra={"action": "topic_created", "topic": topic})
    for finding in report.findings:
        internal = settings.changelog_topic, settings.repartition_topic
        if finding.topic in internal and finding.what == "partitions":
            raise ConfigError(
                f"{finding}: the state of {settings.app_id} is of other input topics than these, or"
                " of another number of partitions; give them back the number they had, or read"
                " them from the start under another TRIGGER_APP_ID"
            )
        _log.warning(
            "topic is not as needed", extra={"action": "topic_finding", "finding": str(finding)}
        )


def use_uvloop() -> None:
    """For the worker's loop and those that Faust makes in its threads."""
    with suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def collect_rarely() -> None:
    """Records are trees of objects, never cycles: collecting after every 700 new ones, which is
    Python's default, takes half of the worker's time.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)
