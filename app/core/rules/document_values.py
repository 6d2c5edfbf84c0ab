"""Values of a rules document as the rules need them."""


def types_of(value: str | list[str]) -> tuple[str, ...]:
    """One event type or a list of them, without repeats."""
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def minute_of_day(text: str) -> int:
    """Minutes past midnight in ``HH:MM``, up to ``24:00``."""
    return int(text[:2]) * 60 + int(text[3:])
