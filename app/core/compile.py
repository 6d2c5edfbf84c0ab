"""From a rules document that was found valid to the compiled ``Rules``."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from app.core.customer.facts import ALWAYS_SUMMED, FACTS, RATES_WINDOW_MS
from app.core.customer.purchases import CANCELLATIONS
from app.core.customer.record import Customer
from app.core.customer.scoring_model import NO_MODEL, Model
from app.core.events import BOOKINGS, ORDERS, TYPES
from app.core.rules.compile_steps import compile_experiment, exact, is_marketing, steps_of
from app.core.rules.conditions import Facts, compile_condition, compile_field, fields_of
from app.core.rules.document_values import minute_of_day, types_of
from app.core.rules.model import (
    DEFAULT_ATTRIBUTION_MS,
    DEFAULT_CHANNELS,
    DEFAULT_EXPIRES_MS,
    DEFAULT_PRIORITY,
    DEFAULT_RECALL_WINDOW_MS,
    LATENESS_MS,
    Cap,
    Channel,
    Experiment,
    Fatigue,
    Holdout,
    QuietHours,
    Rules,
    Trigger,
    TypePlan,
)
from app.core.rules.tokens import compile_token, path_of
from app.core.time.durations import parse_duration_ms
from app.core.time.zones import zone
from app.core.triggers.kinds import compile_kind

Document = Mapping[str, Any]


def compile_rules(document: dict[str, Any], *, version: str, model: Model | None = None) -> Rules:
    """Compile a document without problems (``app.core.validation.document`` and the schema say
    which).

    ``model`` is the one that the document names; without it what it gives is missing.
    """
    throttle: Document = document.get("throttle", {})
    facts = _facts(document.get("segments", {}), model)
    caps = _caps(throttle)
    channels = _channels(document, caps)
    timezone = zone(document.get("timezone", "UTC"))
    bodies: Document = document.get("triggers", {})
    factor = throttle.get("fatigue", {}).get("cooldown_factor", 1)
    experiments = {
        body["trigger"]: compile_experiment(
            name, body, bodies[body["trigger"]], timezone, facts, factor
        )
        for name, body in document.get("experiments", {}).items()
    }
    variants = {
        body["trigger"]: (*body["variants"].values(), body)
        for body in document.get("experiments", {}).values()
    }
    triggers = {
        name: _trigger(name, body, facts, experiments.get(name), variants.get(name, ()))
        for name, body in bodies.items()
    }
    cooldown_ms = parse_duration_ms(throttle.get("cooldown", 0))
    fatigue = _fatigue(throttle.get("fatigue"), cooldown_ms)
    recall_ms = (
        parse_duration_ms(document["recall_window"])
        if "recall_window" in document
        else DEFAULT_RECALL_WINDOW_MS
    )
    attribution_ms = (
        parse_duration_ms(document["attribution_window"])
        if "attribution_window" in document
        else DEFAULT_ATTRIBUTION_MS
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
        attribution_ms=attribution_ms,
        triggers=triggers,
        plans={
            topic: {name: _plan(name, triggers.values()) for name in names}
            for topic, names in TYPES.items()
        },
        dated=tuple(t for t in triggers.values() if t.kind.follows_dates),
        memory_ms=max(
            attribution_ms + LATENESS_MS,
            RATES_WINDOW_MS,
            recall_ms,
            cooldown_ms,
            *(cap.per_ms for cap in caps),
            *((fatigue.window_ms, fatigue.cooldown_ms) if fatigue else ()),
            *(
                ms
                for experiment in experiments.values()
                for variant in experiment.variants
                for ms in variant.cooldown or ()
            ),
        ),
        document=document,
    )


def _facts(segments: Document, model: Model | None) -> Facts:
    facts = Facts(values={**FACTS, **NO_MODEL, **({} if model is None else model.facts)})
    compiled = [(name, compile_condition(tree, facts)) for name, tree in sorted(segments.items())]

    def held(customer: Customer, now_ms: int) -> list[str]:
        return [name for name, condition in compiled if condition({}, customer, now_ms)]

    return msgspec.structs.replace(facts, values={**facts.values, "segments": held})


def _channels(document: Document, caps: tuple[Cap, ...]) -> dict[str, Channel]:
    defaults = document.get("consent_default", {})
    return {
        name: Channel(
            name=name,
            requires=body["requires"],
            address=compile_field(f"profile.{body['requires']}"),
            consent_default=body.get("consent_default", defaults.get(name, name != "sms")),
            caps=tuple(cap for cap in caps if cap.channel in (None, name)),
        )
        for name, body in document.get("channels", DEFAULT_CHANNELS).items()
    }


def _caps(throttle: Document) -> tuple[Cap, ...]:
    factor = throttle.get("fatigue", {}).get("cap_factor", 1)
    return tuple(
        Cap(
            limit=cap["limit"],
            fatigued_limit=max(1, int(exact(factor) * cap["limit"])),
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
        cooldown_ms=int(exact(body.get("cooldown_factor", 1)) * cooldown_ms),
    )


def _quiet_hours(body: Document | None, channels: Iterable[str]) -> QuietHours | None:
    if body is None:
        return None
    return QuietHours(
        start=minute_of_day(body["from"]),
        end=minute_of_day(body["to"]),
        channels=frozenset(body.get("channels", channels)),
    )


def _trigger(
    name: str,
    body: Document,
    facts: Facts,
    experiment: Experiment | None,
    variants: Iterable[Document],
) -> Trigger:
    tokens: Document = body.get("tokens", {})
    kind = compile_kind(body, facts)
    return Trigger(
        name=name,
        kind=kind,
        category="marketing" if is_marketing(body) else "transactional",
        is_marketing=is_marketing(body),
        priority=body.get("priority", DEFAULT_PRIORITY),
        family=body.get("family", name),
        expires_ms=(
            parse_duration_ms(body["expires"]) if "expires" in body else DEFAULT_EXPIRES_MS
        ),
        when=compile_condition(body["when"], facts) if "when" in body else None,
        cancel=frozenset(types_of(body.get("cancel", []))),
        key_field=kind.key_field,
        steps=steps_of(body, facts),
        experiment=experiment,
        tokens=tuple(compile_token(token, text, facts) for token, text in tokens.items()),
        keeps_items="event.items" in _fields_used(body, variants),
    )


def _fields_used(trigger: Document, variants: Iterable[Document]) -> set[str]:
    """Every field path that the trigger's conditions and tokens name."""
    used = {path_of(text) for text in trigger.get("tokens", {}).values()}
    used |= fields_of(trigger.get("when", {}))
    bodies = (trigger, *variants)
    for step in (*bodies, *(step for body in bodies for step in body.get("steps", ()))):
        used |= fields_of(step.get("when", {}))
        template = step.get("template")
        for entry in template if isinstance(template, list) else ():
            used |= fields_of(entry.get("when", {}))
    return used


def _plan(event_type: str, triggers: Iterable[Trigger]) -> TypePlan:
    ordered = sorted(triggers, key=lambda trigger: (-trigger.priority, trigger.name))
    is_activity = event_type in TYPES[ORDERS] | TYPES[BOOKINGS]
    opens = tuple(
        t
        for t in ordered
        if event_type in t.kind.types or (is_activity and t.kind.is_moved_by_activity)
    )
    sums = {t.kind.summed_field for t in opens if t.kind.summed_field is not None}
    if f"{event_type}.value" in ALWAYS_SUMMED:
        sums.add("value")
    taken_back, _ = CANCELLATIONS.get(event_type, ("", ""))
    return TypePlan(
        is_activity=is_activity,
        takes_back=tuple(t for t in ordered if t.kind.is_counted and taken_back in t.kind.types),
        cancels=tuple(t for t in ordered if event_type in t.cancel),
        opens=opens,
        keyed=tuple(t for t in opens if t.kind.requires_key),
        summed=tuple(sorted(sums)),
    )
