"""What can be wrong with caps, rates, windows and quiet hours beyond their shape."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from app.core.rules.compile_steps import is_marketing
from app.core.rules.document_values import minute_of_day
from app.core.rules.model import DEFAULT_EXPIRES_MS
from app.core.time.durations import parse_duration_ms
from app.core.validation.conditions import Known
from app.core.validation.problems import Problem, check_channel, check_positive

Document = Mapping[str, Any]

_SCOPES: Final = ("channel", "family", "trigger")
#: What holds back marketing alone.
_FOR_MARKETING: Final = ("deliver", "caps", "cooldown", "holdout")


def check_throttle(document: Document, known: Known) -> Iterator[Problem]:
    """The ``throttle`` of a document, against the triggers and channels that it has."""
    throttle = document.get("throttle", {})
    bodies: Document = document.get("triggers", {})
    families = {body.get("family", name) for name, body in bodies.items()}
    for index, cap in enumerate(throttle.get("caps", ())):
        yield from _check_cap(f"throttle.caps[{index}]", cap, known, families)
    for index, rate in enumerate(throttle.get("rate", ())):
        path = f"throttle.rate[{index}]"
        yield from check_channel(f"{path}.channel", rate["channel"], known.channels)
        yield from check_positive(f"{path}.per", rate["per"])
    if "fatigue" in throttle:
        yield from check_positive("throttle.fatigue.window", throttle["fatigue"]["window"])
    if "soft_bounces" in throttle:
        yield from check_positive(
            "throttle.soft_bounces.within", throttle["soft_bounces"]["within"]
        )
    quiet = throttle.get("quiet_hours")
    if isinstance(quiet, Mapping):
        yield from _check_quiet("throttle.quiet_hours", quiet, known)
    else:
        for index, window in enumerate(quiet or ()):
            yield from _check_quiet(f"throttle.quiet_hours[{index}]", window, known)
    yield from _check_arbitration(throttle, bodies)


def _check_cap(path: str, cap: Document, known: Known, families: set[str]) -> Iterator[Problem]:
    named = [scope for scope in _SCOPES if scope in cap]
    if len(named) > 1:
        expected = "one of channel, family and trigger, not several"
        yield Problem(
            f"{path}.{named[1]}", expected, f"together with {named[0]}: {cap[named[1]]!r}"
        )
    if "channel" in cap:
        yield from check_channel(f"{path}.channel", cap["channel"], known.channels)
    if "trigger" in cap and cap["trigger"] not in known.triggers:
        yield Problem(f"{path}.trigger", "the name of a trigger", repr(cap["trigger"]))
    if "family" in cap and cap["family"] not in families:
        yield Problem(f"{path}.family", "the family of a trigger", repr(cap["family"]))
    yield from check_positive(f"{path}.per", cap["per"])


def _check_quiet(path: str, quiet: Document, known: Known) -> Iterator[Problem]:
    for index, name in enumerate(quiet.get("channels", ())):
        yield from check_channel(f"{path}.channels[{index}]", name, known.channels)
    yield from _check_length(path, quiet)


def _check_length(path: str, window: Document) -> Iterator[Problem]:
    if minute_of_day(window["from"]) == minute_of_day(window["to"]):
        yield Problem(f"{path}.to", "another time than `from`", repr(window["to"]))


def _check_arbitration(throttle: Document, bodies: Document) -> Iterator[Problem]:
    """A step whose trigger expires before its bucket ends could never go."""
    length_ms = parse_duration_ms(throttle.get("arbitration", 0))
    for name, body in bodies.items():
        if not is_marketing(body):
            continue
        expires = body.get("expires")
        expires_ms = DEFAULT_EXPIRES_MS if expires is None else parse_duration_ms(expires)
        if length_ms > expires_ms:
            expected = f"no longer than `expires` of {name} ({expires or '24h'})"
            yield Problem("throttle.arbitration", expected, repr(throttle["arbitration"]))
            return


def check_limits(path: str, trigger: Document) -> Iterator[Problem]:
    """A trigger's own cooldown, caps, delivery window and holdout, and those of its steps."""
    for index, cap in enumerate(trigger.get("caps", ())):
        yield from check_positive(f"{path}.caps[{index}].per", cap["per"])
    usual = trigger.get("deliver")
    if usual is not None:
        yield from check_deliver(f"{path}.deliver", usual)
    for index, step in enumerate(trigger.get("steps", ())):
        yield from check_step_limits(f"{path}.steps[{index}]", step, usual)
    if "steps" not in trigger:
        yield from check_step_limits(path, {**trigger, "deliver": None}, usual)
    if is_marketing(trigger):
        return
    expected = "nothing here, because a transactional message is not held back"
    for field in _FOR_MARKETING:
        if field in trigger:
            yield Problem(f"{path}.{field}", expected, repr(trigger[field]))
    for index, step in enumerate(trigger.get("steps", ())):
        if "deliver" in step:
            yield Problem(f"{path}.steps[{index}].deliver", expected, repr(step["deliver"]))


def check_step_limits(path: str, step: Document, usual: Document | None) -> Iterator[Problem]:
    """The delivery window of one step; ``usual`` is that of its trigger."""
    own = step.get("deliver")
    if own is not None:
        yield from check_deliver(f"{path}.deliver", own)
    if "send_time" in step and (own or usual):
        expected = "either send_time or deliver, because each waits for another hour"
        yield Problem(f"{path}.send_time", expected, repr(step["send_time"]))


def check_deliver(path: str, deliver: Document) -> Iterator[Problem]:
    """A delivery window: its dates exist and it is not empty."""
    if "at" not in deliver:
        yield from _check_length(path, deliver)
    for index, text in enumerate(deliver.get("except", ())):
        try:
            date.fromisoformat(text)
        except ValueError:
            yield Problem(
                f"{path}.except[{index}]", "a date that exists, as YYYY-MM-DD", repr(text)
            )
