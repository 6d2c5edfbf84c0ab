"""Narrowing what is shown: decisions of one trigger or of late, customers who match a text."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec

from app.core.time.instants import parse_rfc3339
from app.explain.explanation import Explanation

#: Beside the addresses that channels need: what a person is known by.
_NAME_FIELDS: Final = frozenset({"first_name", "email", "phone"})


def narrow_decisions(
    decisions: Iterable[Mapping[str, Any]], trigger: str | None, since_ms: int | None
) -> list[Mapping[str, Any]]:
    """Decisions of the trigger (None: of any) that were made at ``since_ms`` or later."""
    return [
        record
        for record in decisions
        if (trigger is None or record["trigger"] == trigger)
        and (since_ms is None or parse_rfc3339(record["decided_at"]) >= since_ms)
    ]


def narrow(explanation: Explanation, trigger: str | None, since_ms: int | None) -> Explanation:
    """Without the open instances and sends of other triggers, and without what is earlier."""
    since = -(1 << 62) if since_ms is None else since_ms
    return msgspec.structs.replace(
        explanation,
        instances=[one for one in explanation.instances if trigger in (None, one.trigger)],
        sends=[
            sent
            for sent in explanation.sends
            if trigger in (None, sent.trigger) and sent.sent_ms >= since
        ],
        events=[event for event in explanation.events if event.occurred_ms >= since],
    )


class HasProfile(Protocol):
    """A customer's record, or the part of it that is searched."""

    customer_id: str
    profile: dict[str, Any]


Found = TypeVar("Found", bound=HasProfile)


def find_customers(
    customers: Iterable[Found], text: str, addresses: frozenset[str]
) -> Iterator[tuple[Found, str]]:
    """Customers whose id, name or address contains the text in any case, and the field it is in."""
    sought = text.strip().casefold()
    fields = sorted(_NAME_FIELDS | addresses)
    for customer in customers:
        if sought in customer.customer_id.casefold():
            yield customer, "id"
            continue
        for field in fields:
            value = customer.profile.get(field)
            if isinstance(value, str) and sought in value.casefold():
                yield customer, field
                break
