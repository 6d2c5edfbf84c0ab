"""Counters and derived facts of a customer: what ``customer.*`` in a rule means."""

from bisect import bisect_right, insort
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from app.core.customer.parts import Sent
from app.core.customer.purchases import add_amounts, count_purchase
from app.core.customer.record import Customer
from app.core.events import PURCHASES
from app.core.numbers import Number
from app.core.time.instants import DAY_MS

VIEWS_WINDOW_MS: Final = 30 * DAY_MS
#: More product views of one customer in 30 days than this count as this many.
MAX_VIEWS: Final = 512
LAPSED_AFTER_MS: Final = 180 * DAY_MS
MESSAGES_WINDOW_MS: Final = 7 * DAY_MS
RATES_WINDOW_MS: Final = 30 * DAY_MS
#: Facts that are instants: rules may compare them with RFC 3339 text.
INSTANT_FACTS: Final = frozenset(
    {"first_order_at", "last_order_at", "last_seen_at", "last_open_at"}
)
#: Those whose local date can come again each year.
DATE_FACTS: Final = frozenset({"first_order_at", "last_order_at"})
#: Facts that are how many events of a type came.
COUNTERS: Final = {"orders": "order_placed", "bookings": "booking_confirmed"}
#: Facts that are sums of money, rounded to a millionth.
SUM_FACTS: Final = frozenset({"spend"})

#: Sums that are kept for every customer, whether or not a rule asks for them today.
ALWAYS_SUMMED: Final = frozenset(f"{name}.value" for name in PURCHASES)


def count_event(
    customer: Customer,
    event_type: str,
    occurred_ms: int,
    data: dict[str, Any],
    summed: tuple[str, ...],
    now_ms: int,
) -> bool:
    """Take one event into the counters. A negative number adds nothing.

    ``summed`` are the data fields of this type whose sum is kept. Returns False for a purchase that
    had been cancelled before it was read: it counts nowhere.
    """
    if event_type in PURCHASES:
        return count_purchase(customer, event_type, occurred_ms, data, summed)
    counts = customer.counts
    counts[event_type] = counts.get(event_type, 0) + 1
    if summed:
        add_amounts(customer, event_type, data, summed)
    if event_type == "product_viewed":
        _count_view(customer.views_ms, occurred_ms, now_ms)
    return True


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


def spend(customer: Customer, _now_ms: int = 0) -> Number | None:
    """The value of all orders and bookings; None when it is more than a number can say."""
    sums = customer.sums
    ordered, booked = sums.get("order_placed.value"), sums.get("booking_confirmed.value")
    if ordered is None and booked is None:
        return 0
    total = (ordered or 0.0) + (booked or 0.0)
    if ordered and booked and isfinite(total):  # each of them has been rounded
        total = round(total, 6)
    return total if isfinite(total) else None


def average_order_value(customer: Customer) -> float | None:
    """Spend by purchase, None without one."""
    purchases, total = orders(customer) + bookings(customer), spend(customer)
    return total / purchases if purchases and total is not None else None


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


def counting_sends(customer: Customer, after_ms: int) -> list[Sent]:
    """Marketing sends and ghost sends decided after that time; a recalled one is none."""
    found = []
    for sent in customer.send_log.since(after_ms):
        if sent.is_marketing:
            found.append(sent)
    return found


def last_open_at(customer: Customer, now_ms: int) -> int | None:
    """The last open or click of a marketing send that is remembered."""
    return max(
        (
            times[-1]
            for sent in customer.sends
            if sent.is_marketing
            for times in (sent.opened_ms, sent.clicked_ms)
            if times
        ),
        default=None,
    )


def open_rate_30d(customer: Customer, now_ms: int) -> float | None:
    """The share of the last 30 days' marketing sends that were opened or clicked."""
    sends = counting_sends(customer, now_ms - RATES_WINDOW_MS)
    return sum(sent.is_opened for sent in sends) / len(sends) if sends else None


def click_rate_30d(customer: Customer, now_ms: int) -> float | None:
    """The share of the last 30 days' marketing sends that were clicked."""
    sends = counting_sends(customer, now_ms - RATES_WINDOW_MS)
    return sum(bool(sent.clicked_ms) for sent in sends) / len(sends) if sends else None


def messages_7d(customer: Customer, now_ms: int) -> int:
    """Marketing sends and ghost sends of the last 7 days."""
    return len(counting_sends(customer, now_ms - MESSAGES_WINDOW_MS))


#: ``customer.NAME`` -> its value for (customer, now); ``segments`` is added by the rules.
FACTS: Final[dict[str, Callable[[Customer, int], Any]]] = {
    "orders": lambda customer, now_ms: orders(customer),
    "bookings": lambda customer, now_ms: bookings(customer),
    "spend": spend,
    "average_order_value": lambda customer, now_ms: average_order_value(customer),
    "discount_share": lambda customer, now_ms: discount_share(customer),
    "first_order_at": lambda customer, now_ms: customer.first_order_ms,
    "last_order_at": lambda customer, now_ms: customer.last_order_ms,
    "last_seen_at": lambda customer, now_ms: customer.last_seen_ms,
    "last_open_at": last_open_at,
    "open_rate_30d": open_rate_30d,
    "click_rate_30d": click_rate_30d,
    "messages_7d": messages_7d,
    "views_30d": views_30d,
    "lifecycle": lifecycle,
}
