"""What an event does to a customer's record, in the order of the contract.

The functions change the record in place and emit decisions; they ask nothing of the world, so the
same calls with the same arguments always give the same result. Due timers: ``app.core.timers``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.core.attribution import ATTRIBUTED, attribute
from app.core.context import (
    Emit,
    EmitStopped,
    EventContext,
    ignore_stopped,
    usable_data,
)
from app.core.customer.declared_facts import forget_undeclared
from app.core.customer.digests import digest_of
from app.core.customer.facts import count_event
from app.core.customer.limits import MAX_EVENT_IDS, MAX_MERGED_EVENT_IDS
from app.core.customer.profile import (
    ProfileError,
    ProfileUpdate,
    apply_update,
    parse_update,
    withdraw,
)
from app.core.customer.purchases import cancel_purchases
from app.core.customer.record import DIGEST_BYTES, Customer
from app.core.customer.suppression import (
    is_machine_open,
    send_named,
    take_engagement,
    take_machine_open,
)
from app.core.errors import EventError
from app.core.events import ENGAGEMENT, MAX_CUSTOMER_ID_CHARS, Event
from app.core.outcomes import EmitOutcome, ignore_outcome
from app.core.rules.conditions import is_same_value
from app.core.rules.keys import key_of
from app.core.rules.model import Rules, Trigger, TypePlan
from app.core.rules.rates import Rates
from app.core.timers import decide_due, timer_order
from app.core.triggers import journey
from app.core.triggers.answers import answer_fields
from app.core.triggers.cancel import cancel, take_back
from app.core.triggers.merging import leave, take_in

_MAX_SEEN_BYTES: Final = MAX_EVENT_IDS * DIGEST_BYTES
#: Of a topic that the rules no longer declare.
_NO_TYPES: Final[dict[str, TypePlan]] = {}


class Handled(StrEnum):
    """What became of an event that is not a dead letter."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    UNKNOWN_TYPE = "unknown_type"
    MACHINE_OPEN = "machine_open"
    FORWARDED = "forwarded"


#: The enum's members by names of their own: asking an enum for one costs a Python call.
APPLIED: Final = Handled.APPLIED
DUPLICATE: Final = Handled.DUPLICATE


def handle_event(
    customer: Customer,
    event: Event,
    rules: Rules,
    now_ms: int,
    emit: Emit,
    rates: Rates,
    emit_outcome: EmitOutcome = ignore_outcome,
    emit_stopped: EmitStopped = ignore_stopped,
    *,
    is_current: bool = True,
) -> Handled:
    """Take one event into the record, in the order of the code below.

    An event ahead of now counts as happening now. Raises EventError before anything changed, save
    by ProfileError: what a wrong profile update withdraws has been applied.
    """
    plan = rules.plans.get(event.topic, _NO_TYPES).get(event.type)
    if plan is None:
        return Handled.UNKNOWN_TYPE
    seen, known = digest_of(event.event_id), customer.seen
    if known.find(seen) >= 0:  # `in` makes an error first: it asks for an integer
        _renew(customer, seen)
        return DUPLICATE
    if event.topic == ENGAGEMENT and is_machine_open(event.type, event.data):
        customer.seen = _remembered(known, seen)
        take_machine_open(customer, event.data)
        return Handled.MACHINE_OPEN
    data = usable_data(event.data, rules.currency, plan.declared)
    if plan.keyed:
        _require_keys(plan, data)
    update = None
    if event.type == "profile_updated":
        update = _parse_update(customer, event, rules, now_ms)
    is_first_profile = update is not None and not customer.has_profile
    if event.decide_from_ms > customer.decide_from_ms:
        customer.decide_from_ms = event.decide_from_ms
    customer.seen = known + seen if len(known) < _MAX_SEEN_BYTES else _remembered(known, seen)
    moment = EventContext(
        event, data, customer, rules, now_ms, emit, rates, emit_stopped, is_current=is_current
    )
    if event.topic == ENGAGEMENT:
        _take_answer(moment, plan)
    _learn(moment, event, plan, update)
    if event.type in ATTRIBUTED and customer.send_log.count():
        attribute(moment, emit_outcome)
        for sent in moment.converted:
            journey.take_conversion(moment, sent)
    _act(moment, plan)
    if is_first_profile:
        _decide_patient(moment)
    return APPLIED


def _remembered(known: bytes, digest: bytes) -> bytes:
    """The digests with one more; a merged record, which knows more than others, keeps as many."""
    return (known + digest)[-max(len(known), _MAX_SEEN_BYTES) :]


def _parse_update(customer: Customer, event: Event, rules: Rules, now_ms: int) -> ProfileUpdate:
    """The update of the event. Raises ProfileError, with what it withdraws applied."""
    try:
        return parse_update(customer, event.data, rules.feedback, rules.addresses)
    except ProfileError as error:
        withdraw(customer, error.withdrawn, min(event.occurred_ms, now_ms))
        raise


def target_of(event: Event) -> str:
    """The customer that a ``customer_merged`` names. Raises EventError."""
    into = event.data.get("into")
    if not isinstance(into, str) or not 0 < len(into) <= MAX_CUSTOMER_ID_CHARS:
        raise EventError(
            "merge",
            f"data.into: expected the id of a customer, text of 1..{MAX_CUSTOMER_ID_CHARS}"
            " characters, got something else; nothing of the event was applied",
        )
    return into


def begin_merge(customer: Customer, event: Event, now_ms: int) -> Customer | Handled:
    """Take the record of a customer who is merged out of it, to be put into another one's.

    Returns a ``Handled`` when the event changes nothing. Raises EventError.
    """
    seen = digest_of(event.event_id)
    if seen in customer.seen:
        _renew(customer, seen)
        return DUPLICATE
    into = target_of(event)
    if into in (customer.customer_id, event.customer_id):
        return APPLIED
    return leave(customer, into, now_ms)


def end_merge(
    member: Customer,
    guest: Customer,
    event: Event,
    rules: Rules,
    now_ms: int,
    emit: Emit,
    rates: Rates,
    emit_stopped: EmitStopped = ignore_stopped,
    *,
    is_current: bool = True,
) -> None:
    """Put what ``begin_merge`` took out into the member's record."""
    brings_profile = guest.has_profile != member.has_profile
    moment = EventContext(
        event, {}, member, rules, now_ms, emit, rates, emit_stopped, is_current=is_current
    )
    take_in(moment, guest)
    member.seen = (member.seen + digest_of(event.event_id))[-MAX_MERGED_EVENT_IDS * DIGEST_BYTES :]
    _emit_ended(moment)
    moment.ended = None
    if brings_profile:
        _decide_patient(moment)


def _act(moment: EventContext, plan: TypePlan) -> None:
    """Cancel and open. Decisions come in the order of spec section 5: what ended, recalls, and
    what the event opened.
    """
    for trigger in plan.cancels:
        cancel(moment, trigger)
    recalls = take_back(moment) if moment.recalled else None
    if moment.has_taken_back:
        for trigger in plan.takes_back:
            trigger.kind.take_back(moment, trigger)
    for trigger in plan.opens:
        trigger.kind.take_event(moment, trigger)
    if moment.ended:
        _emit_ended(moment)
    if recalls is not None:
        for decision in recalls:
            moment.emit(decision)
    moment.ended = None
    if moment.immediate:
        _decide_immediate(moment)


def _renew(customer: Customer, seen: bytes) -> None:
    """A copy renews the event's id: it counts as the newest."""
    at = customer.seen.index(seen)
    customer.seen = customer.seen[:at] + customer.seen[at + DIGEST_BYTES :] + seen


def _take_answer(moment: EventContext, plan: TypePlan) -> None:
    """An engagement event: tell journeys of it, and find the send that it names."""
    if moment.rules.has_journeys:
        journey.take_engagement(moment)
    if not plan.opens and not plan.cancels and not plan.facts:
        return
    answered = send_named(moment.customer, moment.event.data.get("request_id"))
    moment.answered = answered
    data = {field: value for field, value in moment.data.items() if field != "channel"}
    if answered is not None:
        data |= answer_fields(moment.rules, answered)
    moment.data = data


def _emit_ended(moment: EventContext) -> None:
    """The decisions on what ended with the event, best priority first."""
    assert moment.ended is not None
    moment.ended.sort(
        key=lambda decision: (
            -decision.priority,
            decision.trigger,
            decision.key,
            decision.anchor_ms,
            decision.step,
        )
    )
    for decision in moment.ended:
        moment.emit(decision)


def _require_keys(plan: TypePlan, data: dict[str, object]) -> None:
    for trigger in plan.keyed:
        key = trigger.kind.key
        assert key is not None
        for field in key.fields:
            if key_of(data, field) is None:
                raise EventError(
                    "missing_key",
                    f"data.{field}: expected text or an integer, because trigger {trigger.name} is"
                    " kept by it; nothing of the event was applied",
                )


def _learn(
    moment: EventContext, event: Event, plan: TypePlan, update: ProfileUpdate | None
) -> None:
    """Counters, profile and suppression: what the rest of the handling looks at."""
    customer, rules = moment.customer, moment.rules
    before = _dates(customer, update) if plan.dated else None
    watched_before = (
        [get({}, customer, moment.now_ms) for _, get in plan.watched] if plan.watched else None
    )
    occurred_ms, data = moment.occurred_ms, moment.data
    moment.is_counted = count_event(
        customer, moment.type, occurred_ms, data, plan.summed, moment.now_ms
    )
    if customer.facts_version != rules.facts_version:
        forget_undeclared(customer, rules.facts_version, rules.facts)
    for fact in plan.facts:
        fact.take(customer, occurred_ms, data, moment.now_ms)
    if plan.is_activity:
        seen_ms = customer.last_seen_ms
        if seen_ms is None or occurred_ms > seen_ms:
            customer.last_seen_ms = occurred_ms
        if plan.is_cancellation:
            moment.has_taken_back = cancel_purchases(customer, moment.type, occurred_ms, data)
    if update is not None:
        apply_update(customer, update, moment.occurred_ms, rules.addresses)
        customer.has_profile = True
    elif event.topic == ENGAGEMENT:
        take_engagement(customer, moment.type, moment.occurred_ms, event.data, rules.feedback)
    if watched_before is not None:
        moment.unchanged = tuple(
            name
            for (name, get), before in zip(plan.watched, watched_before, strict=True)
            if is_same_value(before, get({}, customer, moment.now_ms))
        )
    if before is not None:
        _reschedule(moment, plan.dated, before, _dates(customer, update))


@dataclass(slots=True, init=False)
class _Dates:
    """What the record says of dates: where from, and the zone that they are read in."""

    zone: Any
    customer: tuple[int | None, int | None]
    profile: tuple[Any, dict[str, Any] | None]

    def __init__(
        self,
        zone: Any,
        customer: tuple[int | None, int | None],
        profile: tuple[Any, dict[str, Any] | None],
    ) -> None:
        self.zone = zone
        self.customer = customer
        self.profile = profile


def _dates(customer: Customer, update: ProfileUpdate | None) -> _Dates:
    """All that an anniversary can depend on; attributes only when the update can change them."""
    profile = customer.profile
    can_change = update is not None and update.attributes
    attributes = dict(profile.get("attributes", {})) if can_change else None
    return _Dates(
        profile.get("timezone"),
        (customer.first_order_ms, customer.last_order_ms),
        (profile.get("birthday"), attributes),
    )


def _reschedule(
    moment: EventContext, dated: tuple[Trigger, ...], before: _Dates, after: _Dates
) -> None:
    """When something has changed, give those of the triggers their instances whose dates, or the
    zone, have changed; and those that lack them.
    """
    is_zone_new = before.zone != after.zone
    is_customer_new = before.customer != after.customer
    is_profile_new = before.profile != after.profile
    if not (is_zone_new or is_customer_new or is_profile_new):
        return
    is_new: dict[str | None, bool] = {"customer": is_customer_new, "profile": is_profile_new}
    for trigger in dated:
        kind = trigger.kind
        if (
            is_zone_new
            or is_new.get(kind.source_of_dates)
            or not kind.is_scheduled(moment, trigger)
        ):
            kind.reschedule(moment, trigger)


def _decide_immediate(moment: EventContext) -> None:
    """Steps due with the event that opened them, best priority first."""
    immediate = moment.immediate
    if len(immediate) > 1:
        immediate.sort(key=lambda due: (-due[0].priority, due[0].name, due[1].key, due[2].step))
    for trigger, instance, pending in immediate:
        if pending in instance.steps:
            journey.decide_step(moment, trigger, instance, pending)


def _decide_patient(moment: EventContext) -> None:
    """Decide the steps that waited for the first profile update, in the order of timers."""
    customer, rules = moment.customer, moment.rules
    waiting = [
        (timer_order(customer, instance, pending, rules), instance, pending)
        for instance in customer.instances
        for pending in instance.steps
        if pending.was_patient and pending.deferred
    ]
    for _, instance, pending in sorted(waiting, key=lambda timer: timer[0]):
        if pending in instance.steps:
            decide_due(moment, instance, pending)
