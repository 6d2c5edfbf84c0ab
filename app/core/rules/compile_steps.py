"""From the steps and experiments of a valid rules document to compiled ones."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate
from math import ceil
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.core.customer.profile import parse_date
from app.core.identity import BUCKETS
from app.core.rules.conditions import Condition, Facts, compile_condition, compile_field
from app.core.rules.document_values import minute_of_day
from app.core.rules.model import (
    DEFAULT_HORIZON_MS,
    DEFAULT_MIN_OPENS,
    Cooldown,
    Deliver,
    Experiment,
    Follows,
    SendTime,
    Step,
    Variant,
)
from app.core.rules.step_marks import MARKS
from app.core.time.durations import parse_duration_ms
from app.core.time.instants import END_OF_TIME_MS, parse_rfc3339
from app.core.time.windows import WEEKDAYS, Window
from app.core.time.zones import instant_of_local

Document = Mapping[str, Any]


def exact(factor: float) -> Fraction:
    """The number as it is written: 0.29 times 100 is 29 and not a little less."""
    return Fraction(repr(factor))


#: In place of a list of channels: the best of all for the customer.
BEST: Final = "best"


def is_marketing(trigger: Document) -> bool:
    """Whether a trigger of the document has that category."""
    return bool(trigger.get("category", "marketing") == "marketing")


def steps_of(
    trigger: Document, facts: Facts, channels: Sequence[str], variant: Document | None = None
) -> tuple[Step, ...]:
    """The trigger's steps; with a variant its own, or the trigger's with the first changed."""
    if variant is not None and "steps" in variant:
        trigger = {**trigger, "steps": variant["steps"]}
    single = {name: body for name, body in trigger.items() if name != "when"}
    first, *others = trigger.get("steps", [single])
    if variant is not None:
        first = {**first, **{name: variant[name] for name in VARIED if name in variant}}
    usual = trigger.get("deliver")
    return tuple(
        _step({"deliver": usual, **step}, is_marketing(trigger), facts, channels)
        for step in (first, *others)
    )


def _step(body: Document, is_marketing: bool, facts: Facts, channels: Sequence[str]) -> Step:
    is_best = body["channels"] == BEST
    template = body["template"]
    is_conditional = isinstance(template, list)
    return Step(
        after_ms=parse_duration_ms(body.get("after", 0)) - parse_duration_ms(body.get("before", 0)),
        when=_condition(body, facts),
        template=None if is_conditional else template,
        templates=tuple(
            (_condition(entry, facts), entry["template"])
            for entry in (template if is_conditional else ())
        ),
        channels=tuple(channels if is_best else dict.fromkeys(body["channels"])),
        best=compile_field("customer.best_channel", facts) if is_best else None,
        send_time=_send_time(body["send_time"]) if is_marketing and "send_time" in body else None,
        deliver=_deliver(body["deliver"]) if is_marketing and body["deliver"] else None,
        follows=_follows(body.get("from")),
    )


def _follows(body: Document | None) -> Follows | None:
    return None if body is None else Follows(body["step"], MARKS[body["on"]])


def _condition(body: Document, facts: Facts) -> Condition | None:
    return compile_condition(body["when"], facts) if "when" in body else None


def _send_time(body: Document) -> SendTime:
    return SendTime(
        horizon_ms=parse_duration_ms(body["horizon"]) if "horizon" in body else DEFAULT_HORIZON_MS,
        min_opens=body.get("min_opens", DEFAULT_MIN_OPENS),
    )


def _deliver(body: Document) -> Deliver:
    if "at" in body:
        return Deliver(window=window_of({**body, "from": body["at"], "to": "24:00"}), is_at=True)
    return Deliver(window=window_of(body), is_at=False)


def window_of(body: Document) -> Window:
    """The window of local time that ``from``, ``to``, ``days`` and ``except`` say."""
    return Window(
        start=minute_of_day(body["from"]),
        end=minute_of_day(body["to"]),
        days=frozenset(WEEKDAYS.index(day) for day in body.get("days", ())),
        except_days=frozenset(date.fromisoformat(day) for day in body.get("except", ())),
    )


#: What a variant may change in the first step.
VARIED = ("after", "template", "channels", "deliver")


def start_ms_of(experiment: Document, timezone: ZoneInfo) -> int:
    """When an experiment starts: RFC 3339, or a date that begins in the rules' time zone.

    Raises ValueError when ``start`` is neither.
    """
    day = parse_date(experiment["start"])
    if day is not None:
        return instant_of_local(day, 0, timezone)
    return parse_rfc3339(experiment["start"])


def end_ms_of(experiment: Document, timezone: ZoneInfo) -> int:
    """When an experiment ends, END_OF_TIME_MS if it does not. Raises ValueError like its start."""
    if "max_duration" not in experiment:
        return END_OF_TIME_MS
    return start_ms_of(experiment, timezone) + parse_duration_ms(experiment["max_duration"])


def design_of(experiment: Document) -> str:
    """The first 16 hexadecimal digits of SHA-256 of the entry as canonical JSON: sorted keys, no
    blanks, UTF-8, values as they are written, without the experiment's name.
    """
    text = json.dumps(experiment, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def compile_experiment(
    name: str,
    body: Document,
    trigger: Document,
    timezone: ZoneInfo,
    facts: Facts,
    channels: Sequence[str],
    cooldown_factor: float = 1,
) -> Experiment:
    """The experiment on that trigger. ``cooldown_factor`` is that of the fatigued."""
    weights = [exact(variant.get("weight", 1)) for variant in body["variants"].values()]
    shares = accumulate(weight / sum(weights) for weight in weights)
    return Experiment(
        name=name,
        design=design_of(body),
        audience=_condition(body, facts),
        salt=body["salt"],
        start_ms=start_ms_of(body, timezone),
        end_ms=end_ms_of(body, timezone),
        variants=tuple(
            Variant(
                name=variant_name,
                below=ceil(share * BUCKETS),
                is_ghost=variant.get("ghost", False),
                steps=steps_of(trigger, facts, channels, variant),
                cooldown=compile_cooldown(variant, cooldown_factor),
            )
            for share, (variant_name, variant) in zip(shares, body["variants"].items(), strict=True)
        ),
    )


def compile_cooldown(body: Document, factor: float) -> Cooldown | None:
    """The ``cooldown`` of a throttle, trigger or variant; ``factor`` is that of the fatigued."""
    if "cooldown" not in body:
        return None
    cooldown_ms = parse_duration_ms(body["cooldown"])
    return Cooldown(cooldown_ms, int(exact(factor) * cooldown_ms))
