"""Profile updates: checked whole, then applied field by field (spec section 3)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec

from app.core.customer.addresses import NotAnAddressError, address_identity, read_address
from app.core.customer.limits import (
    MAX_ATTRIBUTE_NAMES_BYTES,
    MAX_ATTRIBUTES,
    MAX_ATTRIBUTES_BYTES,
    MAX_PROFILE_TEXT_CHARS,
)
from app.core.customer.record import Customer
from app.core.customer.suppression import Feedback
from app.core.errors import EventError
from app.core.time.zones import zone

TEXT_FIELDS: Final = frozenset(
    {"first_name", "email", "phone", "push_token", "timezone", "locale", "birthday"}
)
PROFILE_FIELDS: Final = TEXT_FIELDS | {"channels", "consent", "attributes"}
#: Fields that name channels.
CHANNEL_FIELDS: Final = ("channels", "consent")
_ATTRIBUTE: Final = "attributes."
#: Stands for the year of a date without one: a leap year before any customer's birth.
NO_YEAR: Final = 4
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(slots=True)
class ProfileUpdate:
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


class ProfileError(EventError):
    """A profile update with wrong fields.

    ``withdrawn`` are the channels whose consent it takes back, which holds all the same.
    """

    def __init__(self, problems: list[tuple[str, str]], withdrawn: list[str]) -> None:
        text = "; ".join(f"data.{field}: expected {expected}" for field, expected in problems)
        kept = f"nothing but the withdrawal of {', '.join(withdrawn)}" if withdrawn else "nothing"
        super().__init__("profile", f"{text}; {kept} was applied")
        self.withdrawn = withdrawn


def parse_update(
    customer: Customer, data: dict[str, Any], feedback: Feedback, addresses: frozenset[str]
) -> ProfileUpdate:
    """Check every profile field in ``data``, and that the record has room for the attributes.

    ``addresses`` are the fields that hold one. Raises ProfileError, which names each wrong field.
    """
    problems: list[tuple[str, str]] = []
    fields = _read_fields(data, addresses, problems)
    if "channels" in data:
        fields["channels"] = _channel_order(data["channels"], feedback, problems)
    consent = _consent(data, feedback, problems)
    attributes = _attributes(data, addresses, problems)
    update = ProfileUpdate(fields, consent, attributes)
    _require_room(customer, update, problems)
    if problems:
        withdrawn = [channel for channel, given in consent.items() if given is False]
        raise ProfileError(problems, withdrawn)
    return update


def _read_fields(
    data: dict[str, Any], addresses: frozenset[str], problems: list[tuple[str, str]]
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field, value in data.items():
        if field not in TEXT_FIELDS:
            continue
        if field in addresses:
            fields[field] = _address(field, value, problems)
        elif value is not None and not isinstance(value, str):
            problems.append((field, "text or null"))
        elif value is not None and len(value) > MAX_PROFILE_TEXT_CHARS:
            problems.append((field, f"at most {MAX_PROFILE_TEXT_CHARS} characters"))
        else:
            fields[field] = value
    if fields.get("timezone") is not None:
        try:
            zone(fields["timezone"])
        except ValueError:
            problems.append(("timezone", "the name of an IANA time zone"))
    if fields.get("birthday") is not None and parse_yearly(fields["birthday"]) is None:
        problems.append(("birthday", "a date that exists, as YYYY-MM-DD or --MM-DD"))
    return fields


def _address(field: str, value: object, problems: list[tuple[str, str]]) -> str | None:
    try:
        address = read_address(value)
    except NotAnAddressError as exc:
        problems.append((field, str(exc)))
        return None
    if address is not None and len(address) > MAX_PROFILE_TEXT_CHARS:
        problems.append((field, f"at most {MAX_PROFILE_TEXT_CHARS} characters"))
    return address


def _require_room(
    customer: Customer, update: ProfileUpdate, problems: list[tuple[str, str]]
) -> None:
    if not update.attributes:
        return
    known = {f"{_ATTRIBUTE}{name}" for name in update.attributes}
    known.update(field for field in customer.profile_ms if field.startswith(_ATTRIBUTE))
    after = customer.profile.get("attributes", {}) | update.attributes
    if len(known) > MAX_ATTRIBUTES:
        expected = f"at most {MAX_ATTRIBUTES} names for a customer over time"
        problems.append(("attributes", expected))
    elif sum(len(name.encode()) for name in known) > MAX_ATTRIBUTE_NAMES_BYTES:
        expected = f"at most {MAX_ATTRIBUTE_NAMES_BYTES} bytes of names for a customer over time"
        problems.append(("attributes", expected))
    elif len(msgspec.json.encode(after)) > MAX_ATTRIBUTES_BYTES:
        expected = f"at most {MAX_ATTRIBUTES_BYTES} bytes for a customer in all"
        problems.append(("attributes", expected))


def _channel_order(
    value: object, feedback: Feedback, problems: list[tuple[str, str]]
) -> list[str] | None:
    """The channels that the rules have, in the order given; null for none."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        expected = f"a list of {', '.join(sorted(feedback.fields))}"
        problems.append(("channels", expected))
        return None
    named = [feedback.channel_named(name) for name in value]
    return [name for name in dict.fromkeys(named) if name is not None]


def _consent(
    data: dict[str, Any], feedback: Feedback, problems: list[tuple[str, str]]
) -> dict[str, bool | None]:
    """The consent for each channel that the rules have; of two spellings a withdrawal holds."""
    given = data.get("consent", {})
    consents: dict[str, bool | None] = {}
    expected = f"an object from {', '.join(sorted(feedback.fields))} to true or false"
    if not isinstance(given, dict):
        problems.append(("consent", expected))
        return dict.fromkeys(feedback.fields, False) if given is False else consents
    for name, value in given.items():
        channel = feedback.channel_named(name)
        if channel is None:
            continue
        if value is not None and not isinstance(value, bool):
            problems.append(("consent", expected))
        elif consents.get(channel) is not False:
            consents[channel] = value
    return consents


def _attributes(
    data: dict[str, Any], addresses: frozenset[str], problems: list[tuple[str, str]]
) -> dict[str, Any]:
    attributes = data.get("attributes", {})
    if not isinstance(attributes, dict):
        problems.append(("attributes", "an object"))
        return {}
    held = [name for name in attributes if f"{_ATTRIBUTE}{name}" in addresses]
    if not held:
        return attributes
    read = {name: _address(f"{_ATTRIBUTE}{name}", attributes[name], problems) for name in held}
    return attributes | read


def unknown_channels(data: dict[str, Any], feedback: Feedback) -> Iterator[tuple[str, str]]:
    """Yield each entry about a channel that the rules do not have, which is left out: the field
    that has it, and its name there.
    """
    for field in CHANNEL_FIELDS:
        names = data.get(field)
        if isinstance(names, list | dict):
            for name in names:
                if isinstance(name, str) and feedback.channel_named(name) is None:
                    yield field, name


def withdraw(customer: Customer, channels: list[str], occurred_ms: int) -> None:
    """Take consents back, and nothing else of an update."""
    for channel in channels:
        if _is_newest(customer, f"consent.{channel}", occurred_ms):
            customer.profile.setdefault("consent", {})[channel] = False


def apply_update(
    customer: Customer, update: ProfileUpdate, occurred_ms: int, addresses: frozenset[str]
) -> None:
    """Write each field whose last writer is not newer; a null takes the field away.

    ``addresses`` are the fields that channels need: when one changes to another value is kept.
    """
    profile = customer.profile
    customer.about_bytes += 2 * len(msgspec.json.encode((update.fields, update.attributes)))
    for field, value in update.fields.items():
        if not _is_newest(customer, field, occurred_ms):
            continue
        if field in addresses and _is_other(field, profile.get(field), value):
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
            if field in addresses and _is_other(field, attributes.get(name), value):
                customer.address_ms[field] = occurred_ms
            _set(attributes, name, value)


def _is_other(field: str, before: object, after: object) -> bool:
    """Whether an address has changed in more than its spelling."""
    if before is None or after is None:
        return before is not after
    return address_identity(field, before) != address_identity(field, after)


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
