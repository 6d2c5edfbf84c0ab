"""The rules that ship, with days shortened to seconds and nothing else changed."""

import copy
import math
from itertools import pairwise
from typing import Any, Final

from app.core.rules.model import DEFAULT_EXPIRES_MS, DEFAULT_RECALL_WINDOW_MS
from app.core.time.durations import parse_duration_ms
from app.demo.moment import NIGHT_HOURS, NIGHT_ZONE, PARTY_ZONE, clock_text

#: Points (real seconds, demo seconds) of a curve that is straight on logarithmic axes.
Curve = tuple[tuple[int, int], ...]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
#: how long a step waits after its anchor, or how long it is before a date
WAITS: Final[Curve] = (
    (15 * _MINUTE, 3),
    (30 * _MINUTE, 5),
    (_HOUR, 6),
    (3 * _HOUR, 8),
    (_DAY, 15),
    (10 * _DAY, 20),
)
COOLDOWNS: Final[Curve] = ((_HOUR, 5), (2 * _DAY, 25), (10 * _DAY, 40))
CAPS: Final[Curve] = ((_HOUR, 10), (_DAY, 60), (7 * _DAY, 180))
#: long enough that a step can wait for the night's end
EXPIRIES: Final[Curve] = ((3 * _HOUR, 90), (3 * _DAY, 150))
SESSIONS: Final[Curve] = ((30 * _MINUTE, 10), (_DAY, 30))
RECALLS: Final[Curve] = ((_MINUTE, 15), (15 * _MINUTE, 30))


def shorten(document: dict[str, Any], *, moment_ms: int) -> dict[str, Any]:
    """A valid rules document as the demo runs it.

    Windows follow the curves above. It is night in NIGHT_ZONE until ``moment_ms``, and yearly
    triggers are due at that minute in PARTY_ZONE.
    """
    demo = copy.deepcopy(document)
    demo["recall_window"] = _shorter(
        demo.get("recall_window", _text(DEFAULT_RECALL_WINDOW_MS)), RECALLS
    )
    throttle = demo.setdefault("throttle", {})
    if "cooldown" in throttle:
        throttle["cooldown"] = _shorter(throttle["cooldown"], COOLDOWNS)
    for cap in throttle.get("caps", ()):
        cap["per"] = _shorter(cap["per"], CAPS)
    if "quiet_hours" in throttle:
        throttle["quiet_hours"]["from"] = clock_text(
            moment_ms, NIGHT_ZONE, hours_before=NIGHT_HOURS
        )
        throttle["quiet_hours"]["to"] = clock_text(moment_ms, NIGHT_ZONE)
    for trigger in demo["triggers"].values():
        _shorten_trigger(trigger, moment_ms)
    return demo


def _shorten_trigger(trigger: dict[str, Any], moment_ms: int) -> None:
    trigger["expires"] = _shorter(trigger.get("expires", _text(DEFAULT_EXPIRES_MS)), EXPIRIES)
    if "within" in trigger:
        trigger["within"] = _shorter(trigger["within"], SESSIONS)
    if trigger["kind"] == "anniversary":
        trigger["at"] = clock_text(moment_ms, PARTY_ZONE)
    for step in trigger.get("steps", [trigger]):
        for name in ("after", "before"):
            if name in step:
                step[name] = _shorter(step[name], WAITS)


def _shorter(duration: str | int, curve: Curve) -> str:
    """The demo's duration for a real one, whole seconds and at least one; nothing stays nothing."""
    real_s = parse_duration_ms(duration) / 1000
    if real_s == 0:
        return "0s"
    if real_s <= curve[0][0]:
        return f"{curve[0][1]}s"
    for (low, low_s), (high, high_s) in pairwise(curve):
        if real_s <= high:
            share = math.log(real_s / low) / math.log(high / low)
            return f"{round(low_s * (high_s / low_s) ** share)}s"
    return f"{curve[-1][1]}s"


def _text(duration_ms: int) -> str:
    return f"{duration_ms // 1000}s"
