"""What was seen held against what was to be seen: lost, twice, wrong."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.time.instants import parse_rfc3339
from app.rules_file.yaml_reader import read_yaml
from tests.oracle.invariants import caps_are_never_exceeded

Identity = Callable[[dict[str, Any]], tuple[object, ...]]

#: What makes two records of an output the same one.
IDENTITIES: Final[dict[str, Identity]] = {
    "dispatch": lambda each: (each["request_id"], each["kind"]),
    "decisions": lambda each: (each["request_id"], each["outcome"]),
    "outcomes": lambda each: (each["request_id"], each["kind"], each["cause"]["event_id"]),
}


class Verdict(NamedTuple):
    """How many records are not as they should be."""

    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    #: some of them
    examples: tuple[str, ...] = ()

    def plus(self, other: "Verdict") -> "Verdict":
        """Both together."""
        return Verdict(
            self.lost + other.lost,
            self.duplicated + other.duplicated,
            self.wrong + other.wrong,
            (self.examples + other.examples)[:6],
        )


def compare(topic: str, expected: Iterable[bytes], found: Iterable[bytes]) -> Verdict:
    """Record by record, whatever their order; where the events were read does not matter.

    A record that is there more often than expected is duplicated; one that is not expected, or
    says something else, is wrong; one that is not there at all is lost.
    """
    identity = IDENTITIES[topic]
    wanted, seen = _grouped(expected, identity), _grouped(found, identity)
    verdict = Verdict()
    for each in wanted.keys() | seen.keys():
        want, see = wanted.get(each, Counter()), seen.get(each, Counter())
        if want == see:
            continue
        missing, beyond = want - see, see - want
        repeats = sum(count for body, count in beyond.items() if body in want)
        strange = beyond.total() - repeats
        lost = max(0, missing.total() - strange)
        example = f"{topic} {each}: missing {list(missing)}, beyond {list(beyond)}"
        verdict = verdict.plus(Verdict(lost, repeats, strange, (example,)))
    return verdict


def _grouped(
    values: Iterable[bytes], identity: Identity
) -> dict[tuple[object, ...], Counter[bytes]]:
    grouped: dict[tuple[object, ...], Counter[bytes]] = {}
    for value in values:
        each = orjson.loads(value)
        cause = each["cause"]
        each["cause"] = {"event_id": cause["event_id"], "topic": cause["topic"]}
        body = orjson.dumps(each, option=orjson.OPT_SORT_KEYS)
        grouped.setdefault(identity(each), Counter())[body] += 1
    return grouped


def caps_broken(rules_text: bytes, decisions: Sequence[bytes], erased: set[str]) -> Verdict:
    """Customers who got more than a cap allows in some window; of those never erased."""
    rules = read_yaml(rules_text)
    by_customer: dict[str, list[dict[str, Any]]] = {}
    for value in decisions:
        each = orjson.loads(value)
        each["decided_ms"] = parse_rfc3339(each["decided_at"])
        by_customer.setdefault(each["customer_id"], []).append(each)
    broken = []
    for customer, made in by_customer.items():
        if customer not in erased:
            made.sort(key=lambda each: int(each["decided_ms"]))
            try:
                caps_are_never_exceeded(rules, (), made)
            except AssertionError as exc:
                broken.append(f"cap: {exc}")
    return Verdict(wrong=len(broken), examples=tuple(broken[:3]))
