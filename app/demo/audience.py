"""What people do with the messages they get: answers to send requests, as ``engagement``, and
for some what they were reminded of.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from app.demo.happening import EventBody, Happening

_BOUNCES: Final = 0.02
_OPENS: Final = 0.5
_CLICKS: Final = 0.4
_LEAVES: Final = 0.03
_COMPLAINS: Final = 0.01
_ANSWERS: Final = 0.3
#: of those who click
_BUYS: Final = 0.6
_MARGIN: Final = 0.3
_CURRENCY: Final = "EUR"


def react(request: Mapping[str, Any], seed: int, now_ms: int) -> list[Happening]:
    """What follows from one send request read at ``now_ms``; nothing from a recall.

    What a person does depends on seed and message, not on when it comes.
    """
    if request["kind"] != "send":
        return []
    message = "|".join(str(request[name]) for name in ("customer_id", "trigger", "key", "step"))
    rng = Random(f"{seed}|{message}")
    answers = _Answers(request, now_ms)
    if rng.random() < _BOUNCES and request["channel"] == "email":
        answers.add(0.5, "message_bounced", hard=True)
        return answers.happenings
    answers.add(0.3, "message_delivered")
    if rng.random() < _OPENS:
        answers.add(rng.uniform(0.7, 3), "message_opened")
        if rng.random() < _CLICKS:
            answers.add(rng.uniform(3, 5), "message_clicked")
            if rng.random() < _BUYS:
                answers.buy(rng.uniform(6, 9))
        if request["trigger"] == "delivered" and rng.random() < _ANSWERS:
            answers.add(rng.uniform(5, 7), "survey_answered", score=rng.randint(6, 10))
    if request["category"] == "marketing":
        if rng.random() < _COMPLAINS:
            answers.add(2, "message_complained")
        elif rng.random() < _LEAVES:
            answers.add(2, "unsubscribed")
    return answers.happenings


class _Answers:
    """Events that one request brings about."""

    def __init__(self, request: Mapping[str, Any], now_ms: int) -> None:
        self.happenings: list[Happening] = []
        self._request = request
        self._now_ms = now_ms

    def add(self, after_s: float, event_type: str, **data: Any) -> None:
        """An engagement event so long after the message."""
        named = {"request_id": self._request["request_id"], "channel": self._request["channel"]}
        self._add("engagement", after_s, event_type, named | data)

    def buy(self, after_s: float) -> None:
        """The cart that the message is about, if it is about one."""
        tokens = self._request["tokens"]
        cart_id, value = tokens.get("cart_id"), tokens.get("value")
        if cart_id is not None and value is not None:
            money = {"value": value, "margin": round(value * _MARGIN, 2), "currency": _CURRENCY}
            order = {"order_id": f"order-of-{cart_id}", "cart_id": cart_id}
            self._add("orders", after_s, "order_placed", order | money)

    def _add(self, topic: str, after_s: float, event_type: str, data: dict[str, Any]) -> None:
        at_ms = self._now_ms + round(after_s * 1000)
        body = EventBody(
            event_id=f"{self._request['request_id']}-{event_type}",
            type=event_type,
            occurred_ms=at_ms,
            data=data,
        )
        customer_id = self._request["customer_id"]
        self.happenings.append(
            Happening(at_ms=at_ms, topic=topic, customer_id=customer_id, body=body)
        )
