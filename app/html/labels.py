"""Names as plots have room for them."""

from typing import Final

#: Of a character of 12 px, with some space.
CHAR_WIDTH: Final = 7


def shortened(name: str, most: int) -> str:
    """The name in at most so many characters. A longer one keeps its start and its end, which is
    what tells ``welcome_variant_a`` from ``welcome_variant_b``.
    """
    if len(name) <= most:
        return name
    start = (most - 1) // 2
    return f"{name[:start]}…{name[len(name) - (most - 1 - start) :]}"
