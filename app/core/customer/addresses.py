"""Addresses: how they are read, and when two of them are one (spec section 3)."""

import unicodedata
from typing import Final

from app.core.customer.limits import shortened

#: Profile fields that are addresses whatever channels there are, in the words of readers.
ADDRESS_TITLES: Final[dict[str, str]] = {
    "email": "e-mail address",
    "phone": "phone number",
    "push_token": "device for push",
}
ADDRESS_FIELDS: Final = frozenset(ADDRESS_TITLES)
#: Texts, without case, that say that there is no address.
_NOTHING: Final = frozenset({"", "null", "none", "nan", "n/a"})
#: Control characters, line separators, paragraph separators.
_CONTROL: Final = frozenset({"Cc", "Zl", "Zp"})
#: Of a longer address what is remembered is a digest.
_LONG_CHARS: Final = 320


class NotAnAddressError(ValueError):
    """A value that cannot be an address."""


def read_address(value: object) -> str | None:
    """The address without outer white space; None for what spells nothing.

    An integer is its digits. Raises NotAnAddressError for any other type, and for a line break or
    another control character inside.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise NotAnAddressError("text, an integer or null")
    text = value.strip()
    if text.casefold() in _NOTHING:
        return None
    # what is printable has no control character: most addresses need no second look
    if not text.isprintable() and any(unicodedata.category(char) in _CONTROL for char in text):
        raise NotAnAddressError("an address without line breaks and control characters")
    return text


def address_identity(field: str, address: object) -> object:
    """What is the same for two spellings of one address: e-mail addresses have no case."""
    if isinstance(address, str) and (field == "email" or "@" in address):
        return address.casefold()
    return address


def remembered_address(field: str, address: object) -> str:
    """What an address is remembered by, to be compared with others: the same for two spellings of
    one, and a digest when it is long.
    """
    return shortened(str(address_identity(field, address)), _LONG_CHARS)


def sent_address(field: str | None, address: str | None) -> str | None:
    """What a send keeps of its address: a short one as it is written."""
    if type(address) is str and len(address) > _LONG_CHARS:
        return remembered_address(field or "", address)
    return address
