"""Profile updates: checked whole, then applied field by field (spec section 3)."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec

from app.core.customer.limits import MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES
from app.core.customer.record import Customer
from app.core.errors import EventError
from app.core.time.zones import zone

TEXT_FIELDS: Final = frozenset(
    {"first_name", "email", "phone", "push_token", "timezone", "locale", "birthday"}
)
PROFILE_FIELDS: Final = TEXT_FIELDS | {"channels", "consent", "attributes"}
_ATTRIBUTE: Final = "attributes."
#: Stands for the year of a date without one: a leap year before any customer's birth.
NO_YEAR: Final = 4
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


class ProfileUpdate(msgspec.Struct, frozen=True):
    """The understood fields of one ``profile_updated``; only those present change."""

    fields: dict[str, Any]
    consent: dict[str, bool | None]
    attributes: dict[str, Any]


def parse_date(text: object) -> date | None:
    """The date in ``YYYY-MM-DD``, None when it is not one."""
    if not isinstance(text, str) or _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_yearly(text: object) -> date | None:
    """The date in ``YYYY-MM-DD``, or in ``--MM-DD`` as one of the year NO_YEAR; else None."""
    if isinstance(text, str) and text.startswith("--"):
        return parse_date(f"{NO_YEAR:04}{text[1:]}")
    return parse_date(text)


def parse_update(data: dict[str, Any], channels: Mapping[str, object]) -> ProfileUpdate:
    """Check every profile field in ``data``. Raises EventError (reason ``profile``)."""
    fields: dict[str, Any] = {}
    for field, value in data.items():
        if field not in TEXT_FIELDS:
            continue
        if value is not None and not isinstance(value, str):
            raise _wrong(field, "text or null")
        fields[field] = value
    if fields.get("timezone") is not None:
        try:
            zone(fields["timezone"])
        except ValueError:
            raise _wrong("timezone", "the name of an IANA time zone") from None
    if fields.get("birthday") is not None and parse_yearly(fields["birthday"]) is None:
        raise _wrong("birthday", "a date that exists, as YYYY-MM-DD or --MM-DD")
    if "channels" in data:
        fields["channels"] = _channel_order(data["channels"], channels)
    return ProfileUpdate(fields, _consent(data, channels), _attributes(data))


def require_room(customer: Customer, update: ProfileUpdate) -> None:
    """See that the record can take the update's attributes. Raises EventError."""
    if not update.attributes:
        return
    known = {f"{_ATTRIBUTE}{name}" for name in update.attributes}
    known.update(field for field in customer.profile_ms if field.startswith(_ATTRIBUTE))
    if len(known) > MAX_ATTRIBUTES:
        raise _wrong("attributes", f"at most {MAX_ATTRIBUTES} names for a customer over time")
    after = customer.profile.get("attributes", {}) | update.attributes
    if len(msgspec.json.encode(after)) > MAX_ATTRIBUTES_BYTES:
        raise _wrong("attributes", f"at most {MAX_ATTRIBUTES_BYTES} bytes for a customer in all")


def _channel_order(value: object, channels: Mapping[str, object]) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(c, str) and c in channels for c in value):
        raise _wrong("channels", f"a list of {', '.join(sorted(channels))}")
    return list(dict.fromkeys(value))


def _consent(data: dict[str, Any], channels: Mapping[str, object]) -> dict[str, bool | None]:
    consent = data.get("consent", {})
    if not isinstance(consent, dict) or not all(
        channel in channels and (given is None or isinstance(given, bool))
        for channel, given in consent.items()
    ):
        raise _wrong("consent", f"an object from {', '.join(sorted(channels))} to true or false")
    return consent


def _attributes(data: dict[str, Any]) -> dict[str, Any]:
    attributes = data.get("attributes", {})
    if not isinstance(attributes, dict):
        raise _wrong("attributes", "an object")
    return attributes


def _wrong(field: str, expected: str) -> EventError:
    return EventError("profile", f"data.{field}: expected {expected}; nothing was applied")


def apply_update(
    customer: Customer, update: ProfileUpdate, occurred_ms: int, addresses: frozenset[str]
) -> None:
    """Write each field whose last writer is not newer; a null takes the field away.

    ``addresses`` are the fields that channels need: when one changes to another value is kept.
    """
    profile = customer.profile
    for field, value in update.fields.items():
        if not _is_newest(customer, field, occurred_ms):
            continue
        if field in addresses and profile.get(field) != value:
            customer.address_ms[field] = occurred_ms
        _set(profile, field, value)
    for channel, given in update.consent.items():
        if given and customer.consent_given_ms.get(channel, occurred_ms) <= occurred_ms:
            customer.consent_given_ms[channel] = occurred_ms
        if _is_newest(customer, f"consent.{channel}", occurred_ms):
            _set(profile.setdefault("consent", {}), channel, given)
    for name, value in update.attributes.items():
        field = f"attributes.{name}"
        if _is_newest(customer, field, occurred_ms):
            attributes = profile.setdefault("attributes", {})
            if field in addresses and attributes.get(name) != value:
                customer.address_ms[field] = occurred_ms
            _set(attributes, name, value)


def _is_newest(customer: Customer, field: str, occurred_ms: int) -> bool:
    if customer.profile_ms.get(field, occurred_ms) > occurred_ms:
        return False
    customer.profile_ms[field] = occurred_ms
    return True


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value
