"""From a rules document that was found valid to the compiled ``Rules``."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from app.core.customer.addresses import ADDRESS_FIELDS, address_identity
from app.core.customer.declared_facts import DeclaredFact
from app.core.customer.facts import ALWAYS_SUMMED, FACTS, INSTANT_FACTS, RATES_WINDOW_MS, SUM_FACTS
from app.core.customer.purchases import CANCELLATIONS
from app.core.customer.scoring_model import NO_MODEL, Model
from app.core.events import ENGAGEMENT, PROFILES
from app.core.identity import BUCKETS
from app.core.rules.compile_facts import compile_facts, is_instant
from app.core.rules.compile_steps import (
    compile_cooldown,
    compile_experiment,
    is_marketing,
    steps_of,
)
from app.core.rules.compile_throttle import (
    caps_by_channel,
    compile_caps,
    compile_fatigue,
    compile_feedback,
    compile_quiet_hours,
    compile_rates,
    windows_by_channel,
)
from app.core.rules.conditions import (
    Condition,
    Facts,
    Getter,
    compile_condition,
    compile_field,
    compile_segments,
    fields_of,
)
from app.core.rules.document_values import BY_KEY, cancel_items_of, cancel_types_of, types_of
from app.core.rules.model import (
    DEFAULT_ATTRIBUTION_MS,
    DEFAULT_CHANNELS,
    DEFAULT_EXPIRES_MS,
    DEFAULT_PRIORITY,
    DEFAULT_PROFILE_PATIENCE_MS,
    DEFAULT_RECALL_WINDOW_MS,
    FEEDBACK_MS,
    LATENESS_MS,
    Cap,
    Channel,
    Cooldown,
    Entry,
    Experiment,
    Holdout,
    Rules,
    Trigger,
    TypePlan,
)
from app.core.rules.taxonomy import Fields, Taxonomy, declare
from app.core.rules.tokens import compile_token, path_of
from app.core.time.durations import parse_duration_ms
from app.core.time.zones import zone
from app.core.triggers.kinds import compile_kind

Document = Mapping[str, Any]

#: Only these events can set a date that comes again each year, or the zone it is read in.
_DATING_TYPES: Final = frozenset({"profile_updated", "order_placed", "order_cancelled"})


def compile_rules(document: dict[str, Any], *, version: str, model: Model | None = None) -> Rules:
    """Compile a document without problems (``app.core.validation.document`` and the schema say
    which).

    ``model`` is the one that the document names; without it what it gives is missing.
    """
    throttle: Document = document.get("throttle", {})
    taxonomy = declare(document.get("events"))
    declared = compile_facts(document.get("facts", {}), taxonomy, document.get("currency"))
    facts = _facts(document, model, taxonomy, declared)
    channels = _channels(document)
    addresses = ADDRESS_FIELDS | {channel.requires for channel in channels.values()}
    timezone = zone(document.get("timezone", "UTC"))
    bodies: Document = document.get("triggers", {})
    factor = throttle.get("fatigue", {}).get("cooldown_factor", 1)
    experiments = {
        body["trigger"]: compile_experiment(
            name, body, bodies[body["trigger"]], timezone, facts, tuple(channels), factor
        )
        for name, body in document.get("experiments", {}).items()
    }
    variants = {
        body["trigger"]: (*body["variants"].values(), body)
        for body in document.get("experiments", {}).values()
    }
    caps = compile_caps(throttle.get("caps", ()), throttle)
    cooldown = compile_cooldown(throttle, factor) or Cooldown(0, 0)
    triggers = {
        name: _trigger(
            name,
            body,
            facts,
            tuple(channels),
            experiments.get(name),
            variants.get(name, ()),
            addresses=addresses,
            cooldown=compile_cooldown(body, factor) or cooldown,
            caps=caps_by_channel(name, body, channels, caps, throttle),
        )
        for name, body in bodies.items()
    }
    fatigue = compile_fatigue(throttle.get("fatigue"))
    recall_ms = _duration(document, "recall_window", DEFAULT_RECALL_WINDOW_MS)
    attribution_ms = _duration(document, "attribution_window", DEFAULT_ATTRIBUTION_MS)
    holdout: Document | None = document.get("holdout")
    limits_ms = max(_limits_ms(triggers.values()), default=0)
    quiet_hours = compile_quiet_hours(throttle.get("quiet_hours"), channels)
    return Rules(
        version=version,
        timezone=timezone,
        currency=document.get("currency"),
        channels=channels,
        feedback=compile_feedback(channels, throttle),
        addresses=addresses,
        cooldown=cooldown,
        caps=caps,
        fatigue=fatigue,
        arbitration_ms=parse_duration_ms(throttle.get("arbitration", 0)),
        quiet_hours=quiet_hours,
        quiet_windows=windows_by_channel(quiet_hours),
        holdout=_holdout(holdout["percent"], holdout["salt"]) if holdout else None,
        profile_patience_ms=_duration(document, "profile_patience", DEFAULT_PROFILE_PATIENCE_MS),
        recall_window_ms=recall_ms,
        attribution_ms=attribution_ms,
        triggers=triggers,
        plans={
            topic: {
                name: _plan(topic, name, fields, triggers.values(), declared)
                for name, fields in names.items()
            }
            for topic, names in taxonomy.types.items()
        },
        taxonomy=taxonomy,
        facts=declared,
        facts_version=" ".join(f"{name}={fact.definition}" for name, fact in declared.items()),
        has_journeys=any(trigger.is_journey for trigger in triggers.values()),
        dated=tuple(t for t in triggers.values() if t.kind.follows_dates),
        memory_ms=max(
            FEEDBACK_MS,
            attribution_ms + LATENESS_MS,
            RATES_WINDOW_MS,
            recall_ms,
            limits_ms,
            *((fatigue.window_ms,) if fatigue else ()),
        ),
        limits_ms=limits_ms,
        segments_of=facts.values["segments"] if document.get("segments") else None,
        cluster_of=None if model is None else model.cluster_of,
        document=document,
        model=model,
    )


def _duration(body: Document, name: str, usual_ms: int) -> int:
    return parse_duration_ms(body[name]) if name in body else usual_ms


def _limits_ms(triggers: Iterable[Trigger]) -> Iterator[int]:
    """Every cooldown, and the length of every cap, that can hold for a send."""
    for trigger in triggers:
        yield from (cap.per_ms for caps in trigger.caps.values() for cap in caps)
        own = (
            [variant.cooldown for variant in trigger.experiment.variants]
            if trigger.experiment
            else []
        )
        for cooldown in (trigger.cooldown, *own):
            if cooldown is not None:
                yield from (cooldown.usual_ms, cooldown.fatigued_ms)


def _facts(
    document: Document,
    model: Model | None,
    taxonomy: Taxonomy,
    declared: Mapping[str, DeclaredFact],
) -> Facts:
    """What ``customer.*`` means, and which paths have values of which type."""
    bodies: Document = document.get("facts", {})
    times = {name for name, body in bodies.items() if is_instant(body, taxonomy)}
    sums = {name for name, body in bodies.items() if "sum" in body}
    known = {**FACTS, **{name: fact.value for name, fact in declared.items()}}
    channels = document.get("channels", DEFAULT_CHANNELS)
    predicted = {} if model is None else model.facts(known, channels)
    facts = Facts(
        values={**known, **NO_MODEL, **predicted},
        instants=frozenset(
            [
                *(f"customer.{name}" for name in INSTANT_FACTS | times),
                *(f"event.{name}" for name, kind in taxonomy.fields.items() if kind == "time"),
            ]
        ),
        sums=frozenset(f"customer.{name}" for name in SUM_FACTS | sums),
    )
    segments = compile_segments(document.get("segments", {}), facts)
    return replace(facts, values={**facts.values, "segments": segments})


def _channels(document: Document) -> dict[str, Channel]:
    defaults = document.get("consent_default", {})
    rates = document.get("throttle", {}).get("rate", ())
    return {
        name: Channel(
            name=name,
            requires=body["requires"],
            address=compile_field(f"profile.{body['requires']}"),
            consent_default=body.get("consent_default", defaults.get(name, name != "sms")),
            rates=compile_rates(rates, name),
        )
        for name, body in document.get("channels", DEFAULT_CHANNELS).items()
    }


def _trigger(
    name: str,
    body: Document,
    facts: Facts,
    channels: tuple[str, ...],
    experiment: Experiment | None,
    variants: Iterable[Document],
    *,
    addresses: frozenset[str],
    cooldown: Cooldown,
    caps: dict[str, tuple[Cap, ...]],
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
        cancel=frozenset(cancel_types_of(body)),
        cancel_when=_cancel_when(body, facts),
        entry=_entries(body),
        changed=_compile_changed(body["changed"], addresses) if "changed" in body else None,
        is_journey=_is_journey(body, variants),
        steps=steps_of(body, facts, channels),
        experiment=experiment,
        tokens=tuple(compile_token(token, text, facts) for token, text in tokens.items()),
        keeps_items="event.items" in _fields_used(body, variants),
        cooldown=cooldown,
        caps=caps,
        holdout=_own_holdout(name, body),
    )


def _own_holdout(name: str, body: Document) -> Holdout | None:
    holdout = body.get("holdout")
    if holdout is None or not is_marketing(body):
        return None
    return _holdout(holdout["percent"], holdout.get("salt", name))


def _holdout(percent: float, salt: str) -> Holdout:
    return Holdout(percent=percent, salt=salt, below=round(percent * (BUCKETS / 100), 6))


def _cancel_when(body: Document, facts: Facts) -> dict[str, tuple[Condition, ...]]:
    """The conditions of cancel types none of whose items goes without one."""
    found: dict[str, list[Condition | None]] = {}
    for item in cancel_items_of(body):
        is_conditional = isinstance(item, Mapping) and "when" in item
        condition = compile_condition(item["when"], facts) if is_conditional else None
        for name in types_of(item["on"]) if isinstance(item, Mapping) else (item,):
            found.setdefault(name, []).append(condition)
    return {
        name: tuple(condition for condition in conditions if condition is not None)
        for name, conditions in found.items()
        if None not in conditions
    }


def _entries(body: Document) -> tuple[Entry, ...]:
    """``once`` and ``limit``; both have to let a start in."""
    found: list[Entry] = []
    once, limit = body.get("once", False), body.get("limit")
    if once:
        found.append(Entry(times=1, per_ms=None, is_by_key=once == BY_KEY))
    if limit is not None:
        is_by_key = limit.get("each") == BY_KEY
        per_ms = parse_duration_ms(limit["per"])
        found.append(Entry(times=limit["times"], per_ms=per_ms, is_by_key=is_by_key))
    return tuple(found)


def _is_journey(body: Document, variants: Iterable[Document]) -> bool:
    steps = [step for one in (body, *variants) for step in (one, *one.get("steps", ()))]
    fields = set().union(*(_fields_of_step(step) for step in steps))
    return any("from" in step for step in steps) or any(f.startswith("step.") for f in fields)


def _fields_of_step(step: Document) -> set[str]:
    used = fields_of(step.get("when", {}))
    template = step.get("template")
    for entry in template if isinstance(template, list) else ():
        used |= fields_of(entry.get("when", {}))
    return used


def _fields_used(trigger: Document, variants: Iterable[Document]) -> set[str]:
    """Every field path that the trigger's conditions and tokens name."""
    used = {path_of(text) for text in trigger.get("tokens", {}).values()}
    used |= fields_of(trigger.get("when", {}))
    bodies = (trigger, *variants)
    for step in (*bodies, *(step for body in bodies for step in body.get("steps", ()))):
        used |= _fields_of_step(step)
    return used


def _plan(
    topic: str,
    event_type: str,
    fields: Fields,
    triggers: Collection[Trigger],
    facts: Mapping[str, DeclaredFact],
) -> TypePlan:
    ordered = sorted(triggers, key=lambda trigger: (-trigger.priority, trigger.name))
    is_activity = topic not in (PROFILES, ENGAGEMENT)
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
        declared=fields or None,
        facts=tuple(fact for fact in facts.values() if fact.type == event_type),
        is_activity=is_activity,
        is_cancellation=event_type in CANCELLATIONS,
        takes_back=tuple(t for t in ordered if t.kind.is_counted and taken_back in t.kind.types),
        dated=tuple(t for t in triggers if t.kind.follows_dates and event_type in _DATING_TYPES),
        cancels=tuple(t for t in ordered if event_type in t.cancel),
        opens=opens,
        keyed=tuple(t for t in opens if t.kind.requires_key),
        summed=tuple(sorted(sums)),
        watched=tuple(
            (t.name, watched)
            for t in opens
            if (watched := t.kind.watched_field or t.changed) is not None
        ),
    )


def _compile_changed(path: str, addresses: frozenset[str]) -> Getter:
    """What ``changed`` compares: of an address two spellings are one value."""
    get = compile_field(path)
    field = path.removeprefix("profile.")
    if field not in addresses:
        return get
    return lambda data, customer, now_ms: address_identity(field, get(data, customer, now_ms))
