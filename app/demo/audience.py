"""What people do with the messages they get: answers to send requests, as ``engagement``."""

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
        if request["trigger"] == "delivered" and rng.random() < _ANSWERS:
            answers.add(rng.uniform(5, 7), "survey_answered", score=rng.randint(6, 10))
    if request["category"] == "marketing":
        if rng.random() < _COMPLAINS:
            answers.add(2, "message_complained")
        elif rng.random() < _LEAVES:
            answers.add(2, "unsubscribed")
    return answers.happenings


class _Answers:
    """Engagement events about one request."""

    def __init__(self, request: Mapping[str, Any], now_ms: int) -> None:
        self.happenings: list[Happening] = []
        self._request = request
        self._now_ms = now_ms

    def add(self, after_s: float, event_type: str, **data: Any) -> None:
        request_id = self._request["request_id"]
        at_ms = self._now_ms + round(after_s * 1000)
        body = EventBody(
            event_id=f"{request_id}-{event_type}",
            type=event_type,
            occurred_ms=at_ms,
            data={"request_id": request_id, "channel": self._request["channel"], **data},
        )
        self.happenings.append(
            Happening(
                at_ms=at_ms,
                topic="engagement",
                customer_id=self._request["customer_id"],
                body=body,
            )
        )
