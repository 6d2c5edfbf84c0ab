"""Numbers as JSON has them."""

#: 5 stays 5, and is not written as 5.0: compiled code takes ``float`` alone at its word, and makes
#: one of an integer.
Number = float | int


def number(value: object) -> Number | None:
    """A JSON number, or None: booleans are not numbers."""
    kind = type(value)
    return value if kind is int or kind is float else None  # type: ignore[return-value]
