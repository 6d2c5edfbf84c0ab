"""From the ``throttle`` of a valid rules document to compiled limits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.core.customer.suppression import Feedback
from app.core.rules.compile_steps import exact, is_marketing, window_of
from app.core.rules.model import Cap, Channel, Fatigue, QuietHours, Rate
from app.core.time.durations import parse_duration_ms
from app.core.time.windows import Window

Document = Mapping[str, Any]


def compile_caps(
    bodies: Iterable[Document], throttle: Document, own: str | None = None
) -> tuple[Cap, ...]:
    """The caps, with the limits of the fatigued; ``own``: the trigger that they are written on."""
    factor = throttle.get("fatigue", {}).get("cap_factor", 1)
    return tuple(
        Cap(
            limit=cap["limit"],
            fatigued_limit=max(1, int(exact(factor) * cap["limit"])),
            per_ms=parse_duration_ms(cap["per"]),
            channel=cap.get("channel"),
            family=cap.get("family"),
            trigger=own or cap.get("trigger"),
        )
        for cap in bodies
    )


def caps_by_channel(
    name: str, trigger: Document, channels: Iterable[str], caps: tuple[Cap, ...], throttle: Document
) -> dict[str, tuple[Cap, ...]]:
    """The caps that bind a send of the trigger on each channel: the file's, then its own."""
    if not is_marketing(trigger):
        return dict.fromkeys(channels, ())
    family = trigger.get("family", name)
    own = compile_caps(trigger.get("caps", ()), throttle, own=name)
    return {
        channel: (
            *(
                cap
                for cap in caps
                if cap.channel in (None, channel)
                and cap.family in (None, family)
                and cap.trigger in (None, name)
            ),
            *own,
        )
        for channel in channels
    }


def compile_rates(bodies: Iterable[Document], channel: str) -> tuple[Rate, ...]:
    """The rates of one channel."""
    return tuple(
        Rate(channel=channel, limit=body["limit"], per_ms=parse_duration_ms(body["per"]))
        for body in bodies
        if body["channel"] == channel
    )


def compile_fatigue(body: Document | None) -> Fatigue | None:
    """When a customer is fatigued; None: never."""
    if body is None:
        return None
    return Fatigue(
        window_ms=parse_duration_ms(body["window"]),
        min_sends=body["min_sends"],
        open_rate_below=body["open_rate_below"],
    )


def compile_feedback(channels: Mapping[str, Channel], throttle: Document) -> Feedback:
    """The channels that feedback is about, and when soft bounces close one."""
    soft: Document | None = throttle.get("soft_bounces")
    return Feedback(
        names={name.casefold(): name for name in channels},
        fields={name: channel.requires for name, channel in channels.items()},
        soft_limit=0 if soft is None else soft["limit"],
        soft_within_ms=0 if soft is None else parse_duration_ms(soft["within"]),
    )


def compile_quiet_hours(
    body: Document | Sequence[Document] | None, channels: Iterable[str]
) -> tuple[QuietHours, ...]:
    """One window of quiet hours or a list of them."""
    if body is None:
        return ()
    bodies = [body] if isinstance(body, Mapping) else body
    return tuple(
        QuietHours(window=window_of(each), channels=frozenset(each.get("channels", channels)))
        for each in bodies
    )


def windows_by_channel(quiet_hours: tuple[QuietHours, ...]) -> dict[str, tuple[Window, ...]]:
    """The windows of quiet hours of each channel that has any."""
    found: dict[str, tuple[Window, ...]] = {}
    for quiet in quiet_hours:
        for channel in quiet.channels:
            found[channel] = (*found.get(channel, ()), quiet.window)
    return found
