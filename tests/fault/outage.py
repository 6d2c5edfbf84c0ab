"""An hour of events that nobody has read, ending now, and what is to come of it.

Everybody leaves a cart. Some buy it before the reminder is due, some after it was due: that
purchase waits in the backlog too, so that its reminder must not go, or be recalled at once.
"""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from app.backtest.clock import Outage
from app.core.time.instants import parse_rfc3339
from tests.fault.history import backtest
from tests.fault.judge import Verdict, compare

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_TRIGGER: Final = "cart_abandoned"
#: What is due later may be decided by now, or not yet.
_MARGIN_MS: Final = _MINUTE_MS


class Backlog(NamedTuple):
    """Lines in the order of arrival. ``requests`` is what the backtest sends after such an outage,
    of what was due in it; ``late`` are the carts bought after their reminder was due.
    """

    lines: list[bytes]
    requests: list[bytes]
    late: set[str]
    end_ms: int

    def judge(self, values: dict[str, list[bytes]]) -> Verdict:
        """Lost and duplicated requests; wrong are reminders of what was bought."""
        parsed = [orjson.loads(value) for value in values["dispatch"]]
        due = [each for each in parsed if is_due(each, self.end_ms)]
        certain = [each for each in due if not self._is_late(each)]
        verdict = compare("dispatch", self.requests, map(timeless, certain))
        told: dict[str, Counter[str]] = {}
        for each in due:
            if self._is_late(each):
                told.setdefault(each["request_id"], Counter())[each["kind"]] += 1
        pair = Counter(send=1, recall=1)
        wrong = [story for story in told.values() if story != pair]
        return verdict.plus(Verdict(wrong=len(wrong), examples=tuple(map(str, wrong[:3]))))

    def _is_late(self, request: dict[str, Any]) -> bool:
        return request["trigger"] == _TRIGGER and request["key"] in self.late


def is_due(request: dict[str, Any], end_ms: int) -> bool:
    """Whether it was due in the outage for certain."""
    return parse_rfc3339(request["due_at"]) <= end_ms - _MARGIN_MS


def timeless(request: dict[str, Any]) -> bytes:
    """The request without the time at which it was decided."""
    return orjson.dumps({name: request[name] for name in request if name != "decided_at"})


def backlog(events: int, end_ms: int) -> Backlog:
    """At least so many events, the last just before ``end_ms``."""
    choice = random.Random(11)
    start_ms = end_ms - _HOUR_MS
    # nobody's quiet hours begin or end meanwhile: for all of them it is about noon
    hour = datetime.fromtimestamp(end_ms / 1000, UTC).hour
    zone = f"Etc/GMT{hour - 12:+d}"
    late: set[str] = set()
    timed: list[tuple[int, dict[str, Any]]] = []
    number = 0
    while len(timed) < events:
        number += 1
        name, cart = f"o{number}", f"cart-{number}"

        def add(at_ms: int, topic: str, type: str, name: str = name, **data: Any) -> None:
            envelope = {
                "topic": topic,
                "event_id": f"{type}-{name}",
                "type": type,
                "customer_id": name,
                "occurred_at": at_ms,
                "data": data,
            }
            timed.append((at_ms, envelope))

        add(start_ms + 1, "profiles", "profile_updated", email=f"{name}@example.org", timezone=zone)
        minutes = choice.uniform(1, 20)
        at_ms = start_ms + int(minutes * _MINUTE_MS)
        add(at_ms, "orders", "cart_updated", cart_id=cart, value=60)
        after = choice.choice([None, choice.uniform(1, 25), choice.uniform(32, 38)])
        if after is not None:
            bought_ms = at_ms + int(after * _MINUTE_MS)
            add(
                bought_ms,
                "orders",
                "order_placed",
                order_id=f"order-{number}",
                cart_id=cart,
                value=60,
            )
            if after > 30:
                late.add(cart)
    timed.sort(key=lambda each: each[0])
    lines = [orjson.dumps(each | {"arrived_at": at_ms}) for at_ms, each in timed]
    outage = Outage(start_ms, end_ms)
    made = map(orjson.loads, backtest(lines, outage=outage).dispatch)
    requests = [
        timeless(each)
        for each in made
        if is_due(each, end_ms) and not (each["trigger"] == _TRIGGER and each["key"] in late)
    ]
    return Backlog(lines, requests, late, end_ms)
