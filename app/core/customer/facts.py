"""Counters and derived facts of a customer: what ``customer.*`` in a rule means."""

from bisect import bisect_right, insort
from collections.abc import Callable
from typing import Any, Final

from app.core.customer.record import Customer
from app.core.events import PURCHASES
from app.core.time.instants import DAY_MS

VIEWS_WINDOW_MS: Final = 30 * DAY_MS
#: More product views of one customer in 30 days than this count as this many.
MAX_VIEWS: Final = 512
LAPSED_AFTER_MS: Final = 180 * DAY_MS
#: Facts that are instants: rules may compare them with RFC 3339 text.
INSTANT_FACTS: Final = frozenset({"first_order_at", "last_order_at"})

#: Sums that are kept for every customer, whether or not a rule asks for them today.
ALWAYS_SUMMED: Final = frozenset(f"{name}.value" for name in PURCHASES)


def number(value: object) -> float | int | None:
    """A JSON number, or None: booleans are not numbers."""
    return value if type(value) in (int, float) else None  # type: ignore[return-value]


def count_event(
    customer: Customer,
    event_type: str,
    occurred_ms: int,
    data: dict[str, Any],
    summed: tuple[str, ...],
    now_ms: int,
) -> None:
    """Take one event into the counters. Counters never go down: a negative number adds nothing.

    ``summed`` are the data fields of this type whose sum is kept. Sums are rounded to a millionth
    so that money adds up as people add it.
    """
    counts = customer.counts
    counts[event_type] = counts.get(event_type, 0) + 1
    for field in summed:
        amount = number(data.get(field))
        if amount is not None and amount > 0:
            name = f"{event_type}.{field}"
            customer.sums[name] = round(customer.sums.get(name, 0.0) + amount, 6)
    if event_type == "product_viewed":
        _count_view(customer.views_ms, occurred_ms, now_ms)
    elif event_type in PURCHASES:
        if event_type == "order_placed":
            first_ms, last_ms = customer.first_order_ms, customer.last_order_ms
            if first_ms is None or occurred_ms < first_ms:
                customer.first_order_ms = occurred_ms
            if last_ms is None or occurred_ms > last_ms:
                customer.last_order_ms = occurred_ms
        if is_discounted(data):
            customer.discounted += 1
        bought_ms = customer.last_purchase_ms
        if bought_ms is None or occurred_ms > bought_ms:
            customer.last_purchase_ms = occurred_ms


def is_discounted(data: dict[str, Any]) -> bool:
    """Whether an ``old_price`` is over what is paid (``new_price``, else ``price``)."""
    old = number(data.get("old_price"))
    new = number(data.get("new_price", data.get("price")))
    return old is not None and new is not None and old > new


def _count_view(views_ms: list[int], occurred_ms: int, now_ms: int) -> None:
    if views_ms and occurred_ms < views_ms[-1]:
        insort(views_ms, occurred_ms)
    else:
        views_ms.append(occurred_ms)
    if views_ms[0] <= now_ms - VIEWS_WINDOW_MS:
        del views_ms[: bisect_right(views_ms, now_ms - VIEWS_WINDOW_MS)]
    if len(views_ms) > MAX_VIEWS:
        del views_ms[:-MAX_VIEWS]


def orders(customer: Customer) -> int:
    """How many ``order_placed``."""
    return customer.counts.get("order_placed", 0)


def bookings(customer: Customer) -> int:
    """How many ``booking_confirmed``."""
    return customer.counts.get("booking_confirmed", 0)


def spend(customer: Customer) -> float:
    """The value of all orders and bookings."""
    sums = customer.sums
    return round(sums.get("order_placed.value", 0) + sums.get("booking_confirmed.value", 0), 6)


def views_30d(customer: Customer, now_ms: int) -> int:
    """Product views at t > now - 30 d."""
    return len(customer.views_ms) - bisect_right(customer.views_ms, now_ms - VIEWS_WINDOW_MS)


def recency_days(customer: Customer, now_ms: int) -> float | None:
    """Days since the last purchase, None without one."""
    last_ms = customer.last_purchase_ms
    return None if last_ms is None else max(now_ms - last_ms, 0) / DAY_MS


def discount_share(customer: Customer) -> float | None:
    """The share of purchases at a reduced price, None without a purchase."""
    purchases = orders(customer) + bookings(customer)
    return customer.discounted / purchases if purchases else None


def lifecycle(customer: Customer, now_ms: int) -> str:
    """``prospect`` without a purchase, ``new`` with one, ``returning``, or ``lapsed``."""
    purchases = orders(customer) + bookings(customer)
    if purchases == 0 or customer.last_purchase_ms is None:
        return "prospect"
    if now_ms - customer.last_purchase_ms > LAPSED_AFTER_MS:
        return "lapsed"
    return "new" if purchases == 1 else "returning"


#: ``customer.NAME`` -> its value for (customer, now); ``segments`` is added by the rules.
FACTS: Final[dict[str, Callable[[Customer, int], Any]]] = {
    "orders": lambda customer, now_ms: orders(customer),
    "bookings": lambda customer, now_ms: bookings(customer),
    "spend": lambda customer, now_ms: spend(customer),
    "first_order_at": lambda customer, now_ms: customer.first_order_ms,
    "last_order_at": lambda customer, now_ms: customer.last_order_ms,
    "views_30d": views_30d,
    "lifecycle": lifecycle,
}
