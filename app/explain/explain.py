"""The explanation of one customer: a function of record, rules, now and decisions."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.core.attribution import led_to
from app.core.customer.declared_facts import under
from app.core.customer.facts import FACTS, INSTANT_FACTS, counting_sends
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.decisions import Outcome
from app.core.gates.fatigue import is_fatigued
from app.core.gates.usage import cap_use, channel_state, cooldown_ms_of, last_sent_by_family
from app.core.identity import bucket_of
from app.core.rules.compile_facts import is_instant
from app.core.rules.messages import message_of
from app.core.rules.model import Cap, Rules
from app.core.rules.variants import steps_of
from app.core.rules.zone import zone_of
from app.core.time.instants import SECOND_MS, format_rfc3339, parse_rfc3339
from app.core.triggers.merging import FORWARD_MS, forwarded_to
from app.core.triggers.starts import STOP_WORDS
from app.explain.explanation import (
    CapUse,
    CooldownUse,
    ExplainedDecision,
    Explanation,
    KnownStop,
    OpenInstance,
    Timer,
)
from app.explain.history import known_events, known_sends

#: Profile fields that say nothing about who it is.
_IMPERSONAL: Final = frozenset({"timezone", "locale", "channels", "consent"})
DEFAULT_RECENT: Final = 20


def explain(
    customer: Customer,
    rules: Rules,
    now_ms: int,
    decisions: Iterable[Mapping[str, Any]],
    *,
    show_personal: bool = False,
    recent: int = DEFAULT_RECENT,
    since_ms: int | None = None,
    waits_for: Iterable[str] = (),
) -> Explanation:
    """Where the customer stands at ``now_ms``, and the newest ``recent`` decisions, newest first.

    ``decisions`` are records as they are on the ``decisions`` topic, in the order made; those of
    other customers are left out. Before ``since_ms`` there may be more that are not among them.
    ``waits_for`` are the topics whose end the partition has not reached. The record is not changed.
    """
    customer = under(customer, rules.facts_version, rules.facts)
    own = [record for record in decisions if record["customer_id"] == customer.customer_id]
    results = {sent.request_id: led_to(sent) for sent in customer.sends}
    fatigued = rules.fatigue is not None and is_fatigued(customer, rules.fatigue, now_ms, [])
    into = forwarded_to(customer, now_ms)
    return Explanation(
        merged_into=into,
        merged_ms=None if into is None else customer.merged_at_ms,
        merged_until_ms=None if into is None else customer.merged_at_ms + FORWARD_MS,
        customer_id=customer.customer_id,
        now_ms=now_ms,
        timezone=zone_of(rules, customer).key,
        rules_version=rules.version,
        waits_for=list(waits_for),
        profile=_profile(customer, show_personal),
        facts=_facts(customer, rules, now_ms),
        is_fatigued=fatigued,
        is_held_out=_is_held_out(customer, rules),
        channels=[channel_state(customer, rules, c, now_ms) for c in rules.channels.values()],
        caps=[_cap(customer, cap, now_ms, fatigued=fatigued) for cap in _caps(rules)],
        cooldowns=_cooldowns(customer, rules, now_ms, fatigued=fatigued),
        instances=[
            _instance(customer, instance, rules, now_ms)
            for instance in _by_next_timer(customer)
            if show_personal or not _tells_a_date(instance, rules)
        ],
        events=known_events(customer, rules, own),
        sends=known_sends(customer),
        stopped=[
            KnownStop(
                occurred_ms=stop.occurred_ms,
                trigger=stop.trigger,
                key=stop.key,
                reason=stop.reason,
                words=STOP_WORDS[stop.reason],
            )
            for stop in reversed(customer.stopped)
        ],
        decisions_since_ms=since_ms,
        decisions=[
            _decision(record, results) for record in reversed(own[-recent:] if recent else [])
        ],
    )


def _cap(customer: Customer, cap: Cap, now_ms: int, *, fatigued: bool) -> CapUse:
    sends = counting_sends(customer, now_ms - cap.per_ms)
    count, limit, free_ms = cap_use(sends, cap, now_ms, fatigued=fatigued)
    return CapUse(
        limit=limit,
        per_s=cap.per_ms // SECOND_MS,
        scope=cap.channel or cap.family or cap.trigger,
        used=count,
        free_ms=free_ms,
    )


def _caps(rules: Rules) -> list[Cap]:
    """The caps of the file, then those of the triggers."""
    own = [cap for t in rules.triggers.values() for caps in t.caps.values() for cap in caps]
    return list(dict.fromkeys([*rules.caps, *own]))


def _cooldowns(
    customer: Customer, rules: Rules, now_ms: int, *, fatigued: bool
) -> list[CooldownUse]:
    """The families that cool down, by name; a trigger may have a cooldown of its own."""
    lengths_ms = {
        (trigger.family, cooldown_ms_of(trigger.cooldown, fatigued=fatigued))
        for trigger in rules.triggers.values()
    }
    found: list[CooldownUse] = []
    for family, cooldown_ms in sorted(lengths_ms):
        sent_ms = last_sent_by_family(customer, now_ms - cooldown_ms).get(family)
        if sent_ms is not None:
            until_ms = sent_ms + cooldown_ms
            found.append(CooldownUse(family=family, last_ms=sent_ms, until_ms=until_ms))
    return found


def _tells_a_date(instance: Instance, rules: Rules) -> bool:
    """Whether the due time gives a date of the profile away, as a birthday's does."""
    trigger = rules.triggers.get(instance.trigger)
    return trigger is not None and trigger.kind.tells_personal_date


def _profile(customer: Customer, show_personal: bool) -> dict[str, Any]:
    return {
        field: value if show_personal or field in _IMPERSONAL else True
        for field, value in sorted(customer.profile.items())
    }


def _facts(customer: Customer, rules: Rules, now_ms: int) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, fact in FACTS.items():
        value = fact(customer, now_ms)
        is_time = name in INSTANT_FACTS and value is not None
        facts[name] = format_rfc3339(value) if is_time else value
    bodies = rules.document.get("facts", {})
    for name, declared in rules.facts.items():
        value = declared.value(customer, now_ms)
        is_time = value is not None and is_instant(bodies[name], rules.taxonomy)
        facts[name] = format_rfc3339(value) if is_time else value
    if rules.model is not None:
        known = {name: declared.value for name, declared in rules.facts.items()}
        for name, predict in rules.model.facts(known, rules.channels).items():
            value = predict(customer, now_ms)
            facts[name] = round(value, 4) if isinstance(value, float) else value
    facts["segments"] = [] if rules.segments_of is None else rules.segments_of(customer, now_ms)
    return facts


def _is_held_out(customer: Customer, rules: Rules) -> bool | None:
    holdout = rules.holdout
    if holdout is None:
        return None
    return bucket_of(holdout.salt, customer.customer_id) < holdout.below


def _by_next_timer(customer: Customer) -> list[Instance]:
    return sorted(
        customer.instances,
        key=lambda instance: (
            min((pending.fire_ms for pending in instance.steps), default=0),
            instance.trigger,
            instance.key,
        ),
    )


def _instance(customer: Customer, instance: Instance, rules: Rules, now_ms: int) -> OpenInstance:
    cause = instance.cause
    return OpenInstance(
        trigger=instance.trigger,
        key=instance.key,
        anchor_ms=instance.anchor_ms,
        cause={
            "topic": cause.topic,
            "partition": cause.partition,
            "offset": cause.offset,
            "event_id": cause.event_id,
        },
        timers=[
            _timer(customer, instance, pending, rules, now_ms)
            for pending in sorted(instance.steps, key=lambda pending: pending.fire_ms)
        ],
    )


def _timer(
    customer: Customer, instance: Instance, pending: PendingStep, rules: Rules, now_ms: int
) -> Timer:
    trigger = rules.triggers.get(instance.trigger)
    template: str | None = None
    expires_ms: int | None = None
    if trigger is not None and pending.step < len(
        steps_of(trigger, customer.customer_id, instance)
    ):
        template = message_of(trigger, pending.step, instance, customer, now_ms).template
        expires_ms = pending.due_ms + trigger.expires_ms
    return Timer(
        step=pending.step,
        template=template,
        due_ms=pending.due_ms,
        fires_ms=pending.fire_ms,
        expires_ms=expires_ms,
        is_deferred=pending.deferred,
        is_parked=pending.parked,
        is_awaiting=pending.awaits,
    )


def _decision(record: Mapping[str, Any], results: Mapping[str, list[str]]) -> ExplainedDecision:
    next_at = record["next_eligible_at"]
    return ExplainedDecision(
        request_id=record["request_id"],
        decided_ms=parse_rfc3339(record["decided_at"]),
        due_ms=parse_rfc3339(record["due_at"]),
        expires_ms=parse_rfc3339(record["expires_at"]),
        next_eligible_ms=None if next_at is None else parse_rfc3339(next_at),
        trigger=record["trigger"],
        key=record["key"],
        step=record["step"],
        outcome=record["outcome"],
        reason=record["reason"],
        channel=record["channel"],
        template=record["template"],
        gates=list(record["gates"]),
        led_to=(
            results.get(record["request_id"], [])
            if record["outcome"] in (Outcome.SEND, Outcome.HOLDOUT)
            else []
        ),
    )
