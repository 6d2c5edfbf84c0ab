"""The history that cases run over, and what the backtest makes of it.

Two weeks of a shop: all topics, events that come late, publishers that send one twice, customers
who are erased, and what people did with the messages that all this sets off. Arrivals are in order
and no two at the same time. The last record of each topic and partition comes at one closing time,
so that every partition's clock ends there.
"""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from app.backtest.clock import Outage
from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.decisions import Decision
from app.core.events import INPUT_TOPICS
from app.core.outcomes import SendOutcome
from app.formats import encode
from app.kafka.partitioning import partition_for
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path
from tests.fault.budget import PARTITIONS
from tests.process.test_worker_clock import EXAMPLES, engagement

START_MS: Final = 1_700_000_000_000
SPAN_MS: Final = 14 * 86_400_000
GRACE_MS: Final = 5_000
_EVENTS_OF_A_CUSTOMER: Final = 30
_REMEMBERED: Final = 5
_SHUFFLED: Final = 20


class Expected(NamedTuple):
    """The values of each output, as the backtest writes them."""

    decisions: list[bytes]
    dispatch: list[bytes]
    outcomes: list[bytes]


class History(NamedTuple):
    """Lines in the order of arrival, and what is to come of them."""

    lines: list[bytes]
    expected: Expected

    def part(self, number: int, of: int) -> list[bytes]:
        """The lines of one of so many parts, from 0 on."""
        lines = self.lines
        return lines[len(lines) * number // of : len(lines) * (number + 1) // of]


@cache
def history(events: int) -> History:
    """At least so many events; always the same ones."""
    choice = random.Random(7)
    lines = _events(events, choice)
    made = [orjson.loads(each) for each in backtest(lines).decisions]
    lines += [
        line
        for number, each in enumerate(made)
        if each["outcome"] == "send" and choice.random() < 0.2
        for line in engagement(each, number, choice)
    ]
    lines.sort(key=lambda line: int(orjson.loads(line)["arrived_at"]))
    last_ms = int(orjson.loads(lines[-1])["arrived_at"])
    lines += closing(last_ms + 1)
    return History(lines, backtest(lines))


def _events(events: int, choice: random.Random) -> list[bytes]:
    customers = max(10, events // _EVENTS_OF_A_CUSTOMER)
    lately: dict[str, list[dict[str, Any]]] = {}
    lines = []
    for number, at_ms in enumerate(sorted(choice.sample(range(0, SPAN_MS, 2), events))):
        customer, arrived_ms = f"c{choice.randrange(customers)}", START_MS + at_ms
        seen, dice = lately.setdefault(customer, []), choice.random()
        if dice < 0.002:
            line: dict[str, Any] = {"topic": "profiles", "key": customer, "value": None}
            seen.clear()
        elif dice < 0.04 and seen:
            line = dict(choice.choice(seen))
        else:
            line = _event(f"e{number}", customer, arrived_ms, choice)
            seen.append(line)
            del seen[:-_REMEMBERED]
        lines.append(orjson.dumps(line | {"arrived_at": arrived_ms}))
    return lines


def _event(event_id: str, customer: str, at_ms: int, choice: random.Random) -> dict[str, Any]:
    topic, name, data = choice.choice(EXAMPLES)
    late_ms = choice.choice([0, 0, 0, 1_000, 60_000, 3_600_000])
    return {
        "topic": topic,
        "event_id": event_id,
        "type": name,
        "customer_id": customer,
        "occurred_at": at_ms - late_ms,
        "data": {
            name: value.format(c=customer) if isinstance(value, str) else value
            for name, value in data.items()
        },
    }


def closing(at_ms: int) -> list[bytes]:
    """A record of no known type on every partition of every input topic."""
    names: dict[int, str] = {}
    number = 0
    while len(names) < PARTITIONS:
        name = f"closing-{number}"
        names.setdefault(partition_for(name.encode(), PARTITIONS), name)
        number += 1
    return [
        orjson.dumps(
            {
                "topic": topic,
                "event_id": f"{topic}-{name}",
                "type": "closing",
                "customer_id": name,
                "occurred_at": at_ms,
                "arrived_at": at_ms,
                "data": {},
            }
        )
        for topic in ("profiles", *(each for each in INPUT_TOPICS if each != "profiles"))
        for name in names.values()
    ]


@cache
def disordered(events: int) -> tuple[list[bytes], History]:
    """What a careless publisher makes of such a history: what happened comes in another order, and
    one event in five comes again later. The lines so; and without what comes again, with what is
    to come of both.
    """
    choice = random.Random(9)
    whole = history(events)
    came = [orjson.loads(line) for line in whole.lines]
    stamps = [each["arrived_at"] for each in came]
    for at in range(0, len(came) - _SHUFFLED, _SHUFFLED):
        part = came[at : at + _SHUFFLED]
        choice.shuffle(part)
        came[at : at + _SHUFFLED] = part
    came = [each | {"arrived_at": at_ms} for each, at_ms in zip(came, stamps, strict=True)]
    lines = [orjson.dumps(each) for each in came]
    erased = {each["key"] for each in came if "key" in each}
    again: dict[str, list[dict[str, Any]]] = {}
    sent = []
    for each, line in zip(came, lines, strict=True):
        sent.append(line)
        customer = each.get("customer_id")
        if customer is None or customer in erased:
            continue
        waiting = again.setdefault(customer, [])
        if waiting and choice.random() < 0.5:
            sent.append(orjson.dumps(waiting.pop() | {"arrived_at": each["arrived_at"]}))
        if choice.random() < 0.2 and len(waiting) < _REMEMBERED:
            waiting.insert(0, each)
    return sent, History(lines, backtest(lines))


def backtest(lines: Sequence[bytes], *, outage: Outage | None = None) -> Expected:
    """What comes of the lines under the default rules."""
    made: list[Decision] = []
    led_to: list[SendOutcome] = []
    rules = load_rules(default_rules_path())
    replay = Replay(rules, made.append, outcome=led_to.append, grace_ms=GRACE_MS, outage=outage)
    replay.run(read_arrivals(lines))
    replay.finish(None if outage is None else outage.to_ms)
    both = [encode.written(each) for each in made]
    return Expected(
        decisions=[decision for decision, _ in both],
        dispatch=[request for _, request in both if request is not None],
        outcomes=[encode.written_outcome(each) for each in led_to],
    )
