"""Topics: what each carries, how it has to be, and the rights that a worker needs."""

from typing import Final

from app.kafka.topic_specs import needed
from app.settings.model import Settings
from app.settings.topics import TOPICS
from deploy.checks.support.reference.markdown import code, table

_HEAD: Final = """\
# Topics and rights

All are keyed by the customer's id; `triggers topics create` makes them, `check` compares. The input
topics have one partition count, which the internal ones get too. Input topics that a rules file
declares are like `orders`.

"""
_RIGHTS: Final = """
## Rights of a worker

The least rights of a worker whose topics exist (made by somebody who may, with `triggers topics
create`). Beside the topics:

"""
_OTHERS: Final = (
    ("group `<app id>`", "Describe, Read"),
    ("transactional ids that begin with `<app id>-` (exactly once)", "Describe, Write"),
)


def topics() -> str:
    """The page."""
    specs = needed(Settings(app_id="<app id>"))
    sentences = {topic.name: topic.sentence for topic in TOPICS}
    found = table(
        ("topic", "", "kept", "at least", "operations"),
        (
            (
                code(spec.topic),
                sentences[spec.logical],
                spec.retention or "compacted",
                spec.least_retention or "",
                ", ".join(spec.operations),
            )
            for spec in specs
        ),
    )
    return _HEAD + found + _RIGHTS + table(("resource", "operations"), _OTHERS)
