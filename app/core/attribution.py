"""Attribution: for the attribution window after a marketing send or ghost send, what the customer
does is recorded against it (spec section 9).

The window is of event time and closed at both ends: decided <= occurred <= decided + window. What
an event is for is settled when it arrives, by what has arrived before it: an outcome that has been
emitted stays. A recalled send has left the record and attracts nothing more. Engagement names its
request, so only the window's end holds for it: clocks of message providers are not ours; bounces,
complaints and unsubscriptions are recorded for as long as the send is known. Nobody can
open a ghost send, so what names one is none.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from app.core.context import EventContext
from app.core.customer.facts import counting_sends
from app.core.customer.limits import MAX_ENGAGEMENTS
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.events import PURCHASES
from app.core.numbers import number
from app.core.outcome_kind import Kind
from app.core.outcomes import EmitOutcome, Role, SendOutcome
from app.core.rules.keys import key_of
from app.core.rules.model import Rules
from app.core.time.instants import BEGINNING_OF_TIME_MS

_ENGAGEMENT: Final = {
    "message_delivered": Kind.DELIVERED,
    "message_opened": Kind.OPENED,
    "message_clicked": Kind.CLICKED,
    "message_bounced": Kind.BOUNCED,
    "message_complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "survey_answered": Kind.SURVEYED,
}
#: Recorded for as long as the send is known: most complaints come after days.
_WHENEVER: Final = frozenset({Kind.BOUNCED, Kind.COMPLAINED, Kind.UNSUBSCRIBED})
_AFTER_DELIVERY: Final = {"review_completed": Kind.REVIEW, "support_contacted": Kind.SUPPORT}
#: The event types that can be an outcome of a send.
ATTRIBUTED: Final = frozenset((*PURCHASES, *_ENGAGEMENT, *_AFTER_DELIVERY))

#: The name of a conversion that another send got.
ASSISTED: Final = "assisted"
#: What ``Sent.recorded`` has a bit for, from the lowest on: new names go to the end.
_RECORDED: Final = (*Kind, ASSISTED)
_BITS: Final[dict[str, int]] = {name: 1 << bit for bit, name in enumerate(_RECORDED)}
_SURVEY: Final = "survey_answered"
_ORDER_ID: Final = "order_id"
_CURRENCY_CHARS: Final = 3


class _Record(Protocol):
    """Emits an outcome of a send."""

    def __call__(self, sent: Sent, kind: Kind, role: Role | None = None) -> None: ...


def attribute(moment: EventContext, emit: EmitOutcome) -> None:
    """Emit what an event of a type in ATTRIBUTED is for the sends before it, in their order."""
    kind = _ENGAGEMENT.get(moment.type)
    if kind is not None:
        _engage(moment, kind, emit)
        return
    sends = _sends_in_window(moment)
    if not sends:
        return
    if moment.type in PURCHASES:
        record = _recorder(moment, emit)
        _convert(moment, sends, record)
        _recover(moment, sends, record)
    else:
        _follow_delivery(moment, sends, _recorder(moment, emit))


def led_to(sent: Sent) -> list[str]:
    """The kinds of outcome recorded against a send, ``assisted`` for a conversion that it did not
    get, in the order of the contract.
    """
    return [name for name, bit in _BITS.items() if sent.recorded & bit]


def order_of(data: dict[str, Any]) -> str:
    """The order that an event's data names, empty when it names none."""
    return key_of(data, _ORDER_ID) or ""


def _sends_in_window(moment: EventContext) -> list[Sent]:
    occurred_ms = moment.occurred_ms
    sends = counting_sends(moment.customer, occurred_ms - moment.rules.attribution_ms - 1)
    if sends and sends[-1].decided_ms > occurred_ms:
        return [sent for sent in sends if sent.decided_ms <= occurred_ms]
    return sends


def _engage(moment: EventContext, kind: Kind, emit: EmitOutcome) -> None:
    """Record an engagement event against the send that it names, once per kind."""
    request_id = moment.event.data.get("request_id")
    for sent in moment.customer.sends:
        if sent.request_id == request_id and sent.is_marketing and not sent.is_ghost:
            if kind is Kind.OPENED:
                _keep_time(sent.opened_ms, moment.occurred_ms)
            elif kind is Kind.CLICKED:
                _keep_time(sent.clicked_ms, moment.occurred_ms)
            ends_ms = sent.decided_ms + moment.rules.attribution_ms
            is_in_time = moment.occurred_ms <= ends_ms or kind in _WHENEVER
            if is_in_time and not sent.recorded & _BITS[kind]:
                _recorder(moment, emit)(sent, kind)
            return


def _keep_time(times_ms: list[int], occurred_ms: int) -> None:
    times_ms.append(occurred_ms)
    times_ms.sort()
    del times_ms[:-MAX_ENGAGEMENTS]


def _convert(moment: EventContext, sends: list[Sent], record: _Record) -> None:
    """One send gets the purchase, the others assisted."""
    credited = _credited(sends, moment.occurred_ms)
    for sent in sends:
        record(sent, Kind.CONVERSION, "direct" if sent is credited else ASSISTED)


def _credited(sends: Sequence[Sent], occurred_ms: int) -> Sent:
    """The send last clicked until then, else last opened, else last sent."""
    if len(sends) == 1:
        return sends[0]

    def rank(sent: Sent) -> tuple[int, int, int]:
        clicked_ms = _last_until(sent.clicked_ms, occurred_ms)
        return clicked_ms, _last_until(sent.opened_ms, occurred_ms), sent.decided_ms

    # of equals the one decided last
    return max(reversed(sends), key=rank)


def _last_until(times_ms: list[int], until_ms: int) -> int:
    if not times_ms:
        return BEGINNING_OF_TIME_MS
    return max((at_ms for at_ms in times_ms if at_ms <= until_ms), default=BEGINNING_OF_TIME_MS)


def _recover(moment: EventContext, sends: list[Sent], record: _Record) -> None:
    """The first purchase that carries the key of an abandonment instance recovers it."""
    instances: dict[tuple[str, str, int], list[Sent]] = {}
    for sent in sends:
        if _key_in(moment, sent.trigger) == sent.key:
            instances.setdefault(_instance_of(sent), []).append(sent)
    recovered = _recovered(moment.customer) if instances else set()
    for instance, its_sends in instances.items():
        if instance not in recovered:
            credited = _credited(its_sends, moment.occurred_ms)
            record(credited, Kind.RECOVERY)


def _key_in(moment: EventContext, trigger_name: str) -> str | None:
    """The key of an abandonment trigger that the event carries."""
    trigger = moment.rules.triggers.get(trigger_name)
    if trigger is None or not trigger.kind.is_recoverable or trigger.kind.key is None:
        return None
    return trigger.kind.key.of(moment.data)


def _instance_of(sent: Sent) -> tuple[str, str, int]:
    return sent.trigger, sent.key, sent.anchor_ms


def _recovered(customer: Customer) -> set[tuple[str, str, int]]:
    bit = _BITS[Kind.RECOVERY]
    return {_instance_of(sent) for sent in customer.sends if sent.recorded & bit}


def _follow_delivery(moment: EventContext, sends: list[Sent], record: _Record) -> None:
    """A review or a call for help, unless it names another order than the one delivered."""
    order = order_of(moment.data)
    for sent in sends:
        delivered = sent.delivered_order
        if delivered is not None and (delivered == order or not delivered or not order):
            record(sent, _AFTER_DELIVERY[moment.type])


def _recorder(moment: EventContext, emit: EmitOutcome) -> _Record:
    """What records outcomes of one event: their event and money are the same."""
    is_purchase = moment.type in PURCHASES
    data = moment.event.data
    value = number(data.get("value")) if is_purchase else None
    margin = number(data.get("margin")) if is_purchase else None
    currency = _currency(data.get("currency"), moment.rules) if is_purchase else None
    has_journeys = moment.rules.has_journeys
    score = number(data.get("score")) if moment.type == _SURVEY else None
    customer_id, occurred_ms, cause = moment.customer.customer_id, moment.occurred_ms, moment.cause

    def record(sent: Sent, kind: Kind, role: Role | None = None) -> None:
        if has_journeys and (kind is Kind.CONVERSION or kind is Kind.RECOVERY):
            moment.converted += (sent,)
        sent.recorded |= _BITS[ASSISTED if role == ASSISTED else kind]
        emit(
            # by position: Python hands over more than 15 keywords in a dictionary
            SendOutcome(
                sent.request_id,
                customer_id,
                sent.trigger,
                sent.step,
                sent.channel,
                sent.experiment,
                sent.is_ghost,
                kind,
                max(0, occurred_ms - sent.decided_ms),
                occurred_ms,
                cause,
                design=sent.design,
                segments=sent.segments,
                cluster=sent.cluster,
                role=role,
                value=value,
                margin=margin,
                currency=currency,
                score=score,
                merged_from=sent.opened_by,
            )
        )

    return record


def _currency(given: object, rules: Rules) -> str | None:
    """The purchase's currency, else the rules'; None when it is not a code of three letters."""
    if given is None:
        return rules.currency
    return given if isinstance(given, str) and len(given) == _CURRENCY_CHARS else None
