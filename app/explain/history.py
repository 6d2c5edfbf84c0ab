"""What a record still knows of what happened: events, engagement, profile changes, sends.

A record is no log. It remembers instants that rules can ask for, so of a type of event it may know
the first and the last only; and events are named by what they set off, not by their type.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.core.attribution import led_to
from app.core.customer.record import Customer
from app.core.customer.suppression import ALL
from app.core.rules.model import Rules
from app.core.time.instants import MINUTE_MS, parse_rfc3339
from app.explain.explanation import KnownEvent, KnownSend

#: Of each kind of thing the newest: a page about one customer stays a page.
MAX_EVENTS: Final = 50
MAX_SENDS: Final = 50


def known_events(
    customer: Customer, rules: Rules, decisions: Iterable[Mapping[str, Any]]
) -> list[KnownEvent]:
    """Newest first."""
    found = [*_marks(customer), *_profile_changes(customer), *_causes(customer, rules, decisions)]
    return sorted(found, key=lambda event: (-event.occurred_ms, event.what))[:MAX_EVENTS]


def known_sends(customer: Customer) -> list[KnownSend]:
    """Newest first; ghost sends are among them."""
    newest = sorted(customer.sends, key=lambda sent: -sent.decided_ms)[:MAX_SENDS]
    return [
        KnownSend(
            sent_ms=sent.decided_ms,
            trigger=sent.trigger,
            key=sent.key,
            step=sent.step,
            channel=sent.channel,
            is_ghost=sent.is_ghost,
            is_opened=sent.is_opened,
            led_to=led_to(sent),
        )
        for sent in newest
    ]


def _marks(customer: Customer) -> Iterator[KnownEvent]:
    first_ms, last_ms = customer.first_order_ms, customer.last_order_ms
    if first_ms is not None:
        yield KnownEvent(occurred_ms=first_ms, kind="event", what="first order")
    if last_ms is not None and last_ms != first_ms:
        yield KnownEvent(occurred_ms=last_ms, kind="event", what="last order")
    if customer.last_purchase_ms not in (None, first_ms, last_ms):
        assert customer.last_purchase_ms is not None
        yield KnownEvent(occurred_ms=customer.last_purchase_ms, kind="event", what="last purchase")
    for view_ms in customer.views_ms[-MAX_EVENTS:]:
        yield KnownEvent(occurred_ms=view_ms, kind="event", what="viewed a product")
    for minute in customer.opened_minutes[-MAX_EVENTS:]:
        what = "opened or clicked a message"
        yield KnownEvent(occurred_ms=minute * MINUTE_MS, kind="engagement", what=what)
    for words, instants in (
        ("unsubscribed from {}", customer.unsubscribed_ms),
        ("a message bounced: {}", customer.bounced_ms),
        ("complained about {}", customer.complained_ms),
    ):
        for channel, at_ms in instants.items():
            named = "all channels" if channel == ALL else channel
            yield KnownEvent(occurred_ms=at_ms, kind="engagement", what=words.format(named))


def _profile_changes(customer: Customer) -> Iterator[KnownEvent]:
    """Which fields were last written when; attributes all together, their names can say a lot."""
    fields_at: dict[int, set[str]] = {}
    for field, at_ms in customer.profile_ms.items():
        fields_at.setdefault(at_ms, set()).add(field.split(".")[0])
    for at_ms, fields in fields_at.items():
        what = f"profile: {', '.join(sorted(fields))}"
        yield KnownEvent(occurred_ms=at_ms, kind="profile", what=what)


def _causes(
    customer: Customer, rules: Rules, decisions: Iterable[Mapping[str, Any]]
) -> Iterator[KnownEvent]:
    """The events that anchor instances. An anniversary's anchor is a day of the calendar."""
    anchors: dict[tuple[str, int], dict[str, None]] = {}

    def add(trigger: str, key: str, event_id: str, at_ms: int) -> None:
        found = rules.triggers.get(trigger)
        if found is None or found.kind.is_anchored_at_event:
            name = trigger if key in ("", event_id) else f"{trigger} {key}"
            anchors.setdefault((event_id, at_ms), {})[name] = None

    for record in decisions:
        event_id, at_ms = record["cause"]["event_id"], parse_rfc3339(record["anchor_at"])
        add(record["trigger"], record["key"], event_id, at_ms)
    for instance in customer.instances:
        add(instance.trigger, instance.key, instance.cause.event_id, instance.anchor_ms)
    for sent in customer.sends:
        add(sent.trigger, sent.key, sent.cause.event_id, sent.anchor_ms)
    for (event_id, at_ms), triggers in anchors.items():
        what = f"what set off {', '.join(triggers)}"
        yield KnownEvent(occurred_ms=at_ms, kind="event", what=what, event_id=event_id)
