"""Names as plots have room for them."""


def shortened(name: str, most: int) -> str:
    """The name in at most so many characters. A longer one keeps its start and its end, which is
    what tells ``welcome_variant_a`` from ``welcome_variant_b``.
    """
    if len(name) <= most:
        return name
    start = (most - 1) // 2
    return f"{name[:start]}…{name[len(name) - (most - 1 - start) :]}"
