"""What models ask of a customer's record: numbers, None where one is not known."""

from collections.abc import Callable
from math import log
from typing import Final

from app.core.customer.facts import bookings, discount_share, orders, recency_days, spend, views_30d
from app.core.customer.purchases import purchase_times
from app.core.customer.record import Customer
from app.core.time.instants import DAY_MS

_RECENT_MS: Final = 180 * DAY_MS


def _purchases(customer: Customer) -> int:
    return orders(customer) + bookings(customer)


def tenure_days(customer: Customer, now_ms: int) -> float | None:
    """Days since the first purchase that is known, None without one."""
    times_ms = purchase_times(customer)
    return max(now_ms - min(times_ms), 0) / DAY_MS if times_ms else None


def _log_of(days: float | None) -> float | None:
    return None if days is None else log(1 + days)


def recent_purchases(customer: Customer, now_ms: int) -> int:
    """Purchases of the last 180 days, among those that are kept one by one."""
    return sum(at_ms > now_ms - _RECENT_MS for at_ms in purchase_times(customer))


#: name -> value of a feature
FEATURES: Final[dict[str, Callable[[Customer, int], float | None]]] = {
    "recency_days": recency_days,
    "frequency": lambda customer, now_ms: _purchases(customer),
    "monetary": lambda customer, now_ms: spend(customer),
    "views_30d": views_30d,
    "discount_share": lambda customer, now_ms: discount_share(customer),
    "tenure_days": tenure_days,
    "log_recency": lambda customer, now_ms: _log_of(recency_days(customer, now_ms)),
    "log_frequency": lambda customer, now_ms: _log_of(_purchases(customer)),
    "log_tenure": lambda customer, now_ms: _log_of(tenure_days(customer, now_ms)),
    "recent_purchases": recent_purchases,
}
#: The features of clusters and of early high value.
RFM: Final = ("recency_days", "frequency", "monetary", "views_30d", "discount_share")
#: The features of churn.
CHURN: Final = (*RFM, "log_recency", "log_frequency", "log_tenure", "recent_purchases")
