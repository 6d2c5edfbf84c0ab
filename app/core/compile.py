"""From a rules document that was found valid to the compiled ``Rules``."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import accumulate
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from app.core.conditions import Facts, compile_condition, compile_field
from app.core.customer import NEVER_MS, Customer
from app.core.durations import parse_duration_ms
from app.core.events import ALL_TYPES, BOOKINGS, ORDERS, TYPES
from app.core.facts import ALWAYS_SUMMED, FACTS
from app.core.instants import parse_rfc3339
from app.core.profiles import parse_date
from app.core.request_ids import BUCKETS
from app.core.rules import (
    DEFAULT_CHANNELS,
    DEFAULT_EXPIRES_MS,
    DEFAULT_HORIZON_MS,
    DEFAULT_MIN_OPENS,
    DEFAULT_PRIORITY,
    DEFAULT_RECALL_WINDOW_MS,
    MIN_MEMORY_MS,
    Abandonment,
    Anniversary,
    Cap,
    Channel,
    Experiment,
    Fatigue,
    Frequency,
    Holdout,
    Inactivity,
    Kind,
    Milestone,
    OnEvent,
    QuietHours,
    Rules,
    SendTime,
    Step,
    Trigger,
    TypePlan,
    Variant,
)
from app.core.zones import instant_of_local, zone

Document = Mapping[str, Any]


def compile_rules(document: dict[str, Any], *, version: str) -> Rules:
    """Compile a document without problems (``app.core.checks`` and the schema say which)."""
    throttle: Document = document.get("throttle", {})
    facts = _facts(document.get("segments", {}))
    channels = _channels(document)
    timezone = zone(document.get("timezone", "UTC"))
    bodies: Document = document.get("triggers", {})
    experiments = {
        body["trigger"]: _experiment(name, body, bodies[body["trigger"]], timezone)
        for name, body in document.get("experiments", {}).items()
    }
    triggers = {
        name: _trigger(name, body, facts, experiments.get(name)) for name, body in bodies.items()
    }
    caps = _caps(throttle)
    cooldown_ms = parse_duration_ms(throttle.get("cooldown", 0))
    fatigue = _fatigue(throttle.get("fatigue"), cooldown_ms)
    recall_ms = (
        parse_duration_ms(document["recall_window"])
        if "recall_window" in document
        else DEFAULT_RECALL_WINDOW_MS
    )
    holdout: Document | None = document.get("holdout")
    return Rules(
        version=version,
        timezone=timezone,
        currency=document.get("currency"),
        channels=channels,
        addresses=frozenset(channel.requires for channel in channels.values()),
        cooldown_ms=cooldown_ms,
        caps=caps,
        fatigue=fatigue,
        arbitration_ms=parse_duration_ms(throttle.get("arbitration", 0)),
        quiet_hours=_quiet_hours(throttle.get("quiet_hours"), channels),
        holdout=Holdout(percent=holdout["percent"], salt=holdout["salt"]) if holdout else None,
        recall_window_ms=recall_ms,
        triggers=triggers,
        by_type={name: _plan(name, triggers.values()) for name in ALL_TYPES},
        anniversaries=tuple(t for t in triggers.values() if isinstance(t.kind, Anniversary)),
        memory_ms=max(
            MIN_MEMORY_MS,
            recall_ms,
            cooldown_ms,
            *(cap.per_ms for cap in caps),
            *((fatigue.window_ms, fatigue.cooldown_ms) if fatigue else ()),
        ),
        document=document,
    )


def _facts(segments: Document) -> Facts:
    compiled = [(name, compile_condition(tree)) for name, tree in segments.items()]

    def held(customer: Customer, now_ms: int) -> list[str]:
        return [name for name, condition in compiled if condition({}, customer, now_ms)]

    return {**FACTS, "segments": held}


def _channels(document: Document) -> dict[str, Channel]:
    defaults = document.get("consent_default", {})
    return {
        name: Channel(
            name=name,
            requires=body["requires"],
            address=compile_field(f"profile.{body['requires']}"),
            consent_default=body.get("consent_default", defaults.get(name, name != "sms")),
        )
        for name, body in document.get("channels", DEFAULT_CHANNELS).items()
    }


def _caps(throttle: Document) -> tuple[Cap, ...]:
    factor = throttle.get("fatigue", {}).get("cap_factor", 1)
    return tuple(
        Cap(
            limit=cap["limit"],
            tired_limit=max(1, int(_exact(factor) * cap["limit"])),
            per_ms=parse_duration_ms(cap["per"]),
            channel=cap.get("channel"),
        )
        for cap in throttle.get("caps", ())
    )


def _fatigue(body: Document | None, cooldown_ms: int) -> Fatigue | None:
    if body is None:
        return None
    return Fatigue(
        window_ms=parse_duration_ms(body["window"]),
        min_sends=body["min_sends"],
        open_rate_below=body["open_rate_below"],
        cooldown_ms=int(_exact(body.get("cooldown_factor", 1)) * cooldown_ms),
    )


def _exact(factor: float) -> Fraction:
    """The number as it is written: 0.29 times 100 is 29 and not a little less."""
    return Fraction(repr(factor))


def minute_of_day(text: str) -> int:
    """Minutes past midnight in ``HH:MM``."""
    return int(text[:2]) * 60 + int(text[3:])


def _quiet_hours(body: Document | None, channels: Iterable[str]) -> QuietHours | None:
    if body is None:
        return None
    return QuietHours(
        start=minute_of_day(body["from"]),
        end=minute_of_day(body["to"]),
        channels=frozenset(body.get("channels", channels)),
    )


def types_of(value: str | list[str]) -> tuple[str, ...]:
    """One event type or a list of them, without repeats."""
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _trigger(name: str, body: Document, facts: Facts, experiment: Experiment | None) -> Trigger:
    tokens: Document = body.get("tokens", {})
    return Trigger(
        name=name,
        kind=_kind(body, facts),
        is_marketing=is_marketing(body),
        priority=body.get("priority", DEFAULT_PRIORITY),
        family=body.get("family", name),
        expires_ms=(
            parse_duration_ms(body["expires"]) if "expires" in body else DEFAULT_EXPIRES_MS
        ),
        when=compile_condition(body["when"], facts) if "when" in body else None,
        cancel=frozenset(types_of(body.get("cancel", []))),
        steps=_steps(body),
        experiment=experiment,
        tokens=tuple((token, path, compile_field(path, facts)) for token, path in tokens.items()),
        keeps_items="event.items" in {*fields_of(body.get("when", {})), *tokens.values()},
    )


def is_marketing(trigger: Document) -> bool:
    """Whether a trigger of the document has that category."""
    return bool(trigger.get("category", "marketing") == "marketing")


def _steps(trigger: Document, variant: Document | None = None) -> tuple[Step, ...]:
    """The trigger's steps, the first of them as the variant has it."""
    first, *others = trigger.get("steps", [trigger])
    if variant is not None:
        first = {**first, **{name: variant[name] for name in VARIED if name in variant}}
    return tuple(_step(step, is_marketing(trigger)) for step in (first, *others))


def _step(body: Document, is_marketing: bool) -> Step:
    return Step(
        after_ms=parse_duration_ms(body.get("after", 0)),
        template=body["template"],
        channels=tuple(dict.fromkeys(body["channels"])),
        send_time=_send_time(body["send_time"]) if is_marketing and "send_time" in body else None,
    )


def _send_time(body: Document) -> SendTime:
    return SendTime(
        horizon_ms=parse_duration_ms(body["horizon"]) if "horizon" in body else DEFAULT_HORIZON_MS,
        min_opens=body.get("min_opens", DEFAULT_MIN_OPENS),
    )


#: What a variant may change in a step.
VARIED = ("after", "template", "channels")


def start_ms_of(experiment: Document, timezone: ZoneInfo) -> int:
    """When an experiment starts: RFC 3339, or a date that begins in the rules' time zone.

    Raises ValueError when ``start`` is neither.
    """
    day = parse_date(experiment["start"])
    if day is not None:
        return instant_of_local(day, 0, timezone)
    return parse_rfc3339(experiment["start"])


def end_ms_of(experiment: Document, timezone: ZoneInfo) -> int:
    """When an experiment ends, NEVER_MS when it does not. Raises ValueError like its start."""
    if "max_duration" not in experiment:
        return NEVER_MS
    return start_ms_of(experiment, timezone) + parse_duration_ms(experiment["max_duration"])


def _experiment(name: str, body: Document, trigger: Document, timezone: ZoneInfo) -> Experiment:
    weights = [_exact(variant.get("weight", 1)) for variant in body["variants"].values()]
    shares = accumulate(weight / sum(weights) for weight in weights)
    return Experiment(
        name=name,
        salt=body["salt"],
        start_ms=start_ms_of(body, timezone),
        end_ms=end_ms_of(body, timezone),
        variants=tuple(
            Variant(
                name=variant_name,
                below=ceil(share * BUCKETS),
                is_ghost=variant.get("ghost", False),
                steps=_steps(trigger, variant),
            )
            for share, (variant_name, variant) in zip(shares, body["variants"].items(), strict=True)
        ),
    )


def fields_of(tree: Document) -> set[str]:
    """Every field path that a condition names."""
    if "field" in tree:
        return {tree["field"]}
    if "not" in tree:
        return fields_of(tree["not"])
    parts = [*tree.get("all", ()), *tree.get("any", ())]
    return set().union(*(fields_of(part) for part in parts))


def _kind(body: Document, facts: Facts) -> Kind:
    match body["kind"]:
        case "event":
            return OnEvent(types=types_of(body["on"]))
        case "abandonment":
            return Abandonment(types=types_of(body["start"]), key=body["key"])
        case "milestone":
            event_type, _, field = body.get("sum", body.get("count", "")).partition(".")
            return Milestone(
                type=event_type,
                field=field or None,
                mark=body["every"] if "every" in body else body["reaches"],
                is_repeating="every" in body,
            )
        case "inactivity":
            return Inactivity(types=types_of(body["since"]))
        case "anniversary":
            path = body["of"]
            return Anniversary(
                source="profile" if path.startswith("profile.") else "customer",
                date=compile_field(path, facts),
                minute=minute_of_day(body.get("at", "09:00")),
            )
        case "frequency":
            return Frequency(
                types=types_of(body["on"]),
                key=body.get("key"),
                times=body["times"],
                within_ms=parse_duration_ms(body["within"]),
            )
        case unknown:
            raise ValueError(f"no such kind: {unknown!r}")


def opening_types(kind: Kind) -> tuple[str, ...]:
    """The event types that can open an instance of this kind."""
    if isinstance(kind, Milestone):
        return (kind.type,)
    return () if isinstance(kind, Anniversary) else kind.types


def _plan(event_type: str, triggers: Iterable[Trigger]) -> TypePlan:
    ordered = sorted(triggers, key=lambda trigger: (-trigger.priority, trigger.name))
    is_move = event_type in TYPES[ORDERS] | TYPES[BOOKINGS]
    opens = tuple(
        t
        for t in ordered
        if event_type in opening_types(t.kind) or (is_move and isinstance(t.kind, Inactivity))
    )
    sums = {
        t.kind.field for t in opens if isinstance(t.kind, Milestone) and t.kind.field is not None
    } | ({"value"} if f"{event_type}.value" in ALWAYS_SUMMED else set())
    return TypePlan(
        cancels=tuple(t for t in ordered if event_type in t.cancel),
        opens=opens,
        abandonments=tuple((t, t.kind.key) for t in opens if isinstance(t.kind, Abandonment)),
        summed=tuple(sorted(sums)),
    )
