"""Every topic that the engine reads or writes, in one table.

Subscription, ``topics create|check``, access lists, the chart, KEDA, AsyncAPI and the reference all
come from these rows and from ``Settings.declared_inputs``, the input topics that a rules file adds.
"""

from typing import Final, Literal

import msgspec

from app.core.events import INPUT_TOPICS, PROFILES

#: Operations on a topic in the words of Kafka's access lists. Every topic's configuration is read,
#: to compare it with what is needed.
_LOOK: Final = ("Describe", "DescribeConfigs")
_READ: Final = (*_LOOK, "Read")
_WRITE: Final = (*_LOOK, "Write")
_READ_WRITE: Final = (*_READ, "Write")

#: Retention of a topic that keeps everything: a rehearsal publishes history under its old
#: timestamps, which a broker would otherwise delete before they are read.
FOR_EVER: Final = "for ever"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic under its logical name. Durations are written as in settings."""

    name: str
    role: Literal["input", "output", "internal"]
    sentence: str
    #: access that a worker needs once the topic exists
    operations: tuple[str, ...]
    #: retention of a created topic; None: compacted
    retention: str | None
    #: the shortest retention that does the job
    least_retention: str | None
    #: holds encoded customer records or whole input records: larger than Kafka's default allows
    is_large: bool = False


def input_topic(name: str, sentence: str = "Declared in the rules file.") -> Topic:
    """An input topic: it must outlast an outage of the workers."""
    return Topic(
        name=name,
        role="input",
        sentence=sentence,
        operations=_READ,
        retention=FOR_EVER,
        least_retention="1d",
    )


def _output(name: str, sentence: str, retention: str, least: str) -> Topic:
    return Topic(
        name=name,
        role="output",
        sentence=sentence,
        operations=_WRITE,
        retention=retention,
        least_retention=least,
    )


DEAD_LETTERS: Final = "dead-letters"
#: The internal topic that is read in addition to the inputs (app/live/repartition/envelope.py).
REPARTITION: Final = "repartition"
CHANGELOG: Final = "customers-changelog"

TOPICS: Final[tuple[Topic, ...]] = (
    input_topic("orders", "Shop events: browsing, carts, orders, delivery."),
    input_topic("bookings", "Travel events: itineraries, passengers, seats, payments, prices."),
    Topic(
        name=PROFILES,
        role="input",
        sentence="Profile and consent updates, compacted; a null value erases the customer.",
        operations=_READ,
        retention=None,
        least_retention=None,
    ),
    input_topic("engagement", "What happened to messages."),
    _output("dispatch", "Send requests and recalls, for the channel senders.", "7d", "1d"),
    msgspec.structs.replace(
        _output(
            "decisions",
            "Every decision with its whole reasoning, those that send nothing included.",
            "30d",
            "7d",
        ),
        # explained decisions are read back
        operations=_READ_WRITE,
    ),
    # reports need their attribution windows
    _output("outcomes", "What each send, or ghost send, led to.", "90d", "7d"),
    msgspec.structs.replace(
        _output(
            DEAD_LETTERS,
            "Records that could not be understood, whole, with the reason in headers.",
            "30d",
            "7d",
        ),
        is_large=True,
    ),
    Topic(
        name=CHANGELOG,
        role="internal",
        sentence="Internal: the customers table. Its values are not a contract.",
        operations=_READ_WRITE,
        retention=None,
        least_retention=None,
        is_large=True,
    ),
    Topic(
        name=REPARTITION,
        role="internal",
        sentence="Internal: records that were published to a partition that is not their key's, and"
        " what merged customers send on.",
        operations=_READ_WRITE,
        retention="7d",
        least_retention="1d",
        is_large=True,
    ),
)

#: In the order in which records of one timestamp are handled.
INPUTS: Final = INPUT_TOPICS
OUTPUTS: Final[tuple[str, ...]] = tuple(topic.name for topic in TOPICS if topic.role == "output")
INTERNAL: Final = tuple(topic.name for topic in TOPICS if topic.role == "internal")


def topics_with(declared_inputs: tuple[str, ...]) -> tuple[Topic, ...]:
    """The table with the input topics that a rules file declares behind the built-in ones."""
    inputs = [topic for topic in TOPICS if topic.role == "input"]
    others = [topic for topic in TOPICS if topic.role != "input"]
    return (*inputs, *map(input_topic, declared_inputs), *others)
