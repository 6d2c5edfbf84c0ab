"""What is counted for each KPI: a numerator and a denominator for each customer, in SQL.

Both are aggregates over the messages of one customer in one group and arm (sent, or held out).
"""

from typing import Final

import msgspec


class Metric(msgspec.Struct, frozen=True):
    """x / m of a customer, in SQL over ``facts`` (a message with what became of it)."""

    x: str
    m: str


class MetricSet(msgspec.Struct, frozen=True):
    """Metrics that are about the messages WHERE ..., counted in one go."""

    where: str
    metrics: dict[str, Metric]


_MESSAGES: Final = "count(*)"
_INSTANCES: Final = "count(DISTINCT hash(trigger, key, anchor_ms))"
#: so that x / m is a mean over customers
_CUSTOMER: Final = "1"
_CONTACTS: Final = "len(list_distinct(flatten(list(contacts) FILTER (contacts IS NOT NULL))))"
_BOUGHT: Final = "list_distinct(flatten(list(bought) FILTER (bought IS NOT NULL)))"
_DELIVERED_ORDERS: Final = "count(DISTINCT cause)"


def _messages_with(flag: str) -> Metric:
    return Metric(f"count(*) FILTER ({flag})", _MESSAGES)


_READ: Final = Metric(
    "count(*) FILTER (is_delivered AND is_opened)", "count(*) FILTER (is_delivered)"
)

SETS: Final = (
    MetricSet(
        "true",
        {
            "converted": _messages_with("directs > 0"),
            "assisted": _messages_with("assists > 0"),
            # either role: the arms credit differently, because a ghost is never clicked
            "bought": _messages_with("directs + assists > 0"),
            "price": Metric("sum(revenue)", "sum(directs - without_value)"),
            "revenue": Metric("sum(revenue)", _MESSAGES),
            "margin": Metric("sum(margin)", _MESSAGES),
            "delivered": _messages_with("is_delivered"),
            "opened": _messages_with("is_opened"),
            "clicked": _messages_with("is_clicked"),
            "read": _READ,
            "unsubscribed": _messages_with("is_unsubscribed"),
            "complained": _messages_with("is_complained"),
            "bounced": _messages_with("is_bounced"),
            "score": Metric("sum(score)", "count(score)"),
            # purchases that followed messages of the customer, each of them once
            "customer_orders": Metric(f"len({_BOUGHT})", _CUSTOMER),
            "customer_revenue": Metric(
                f"list_sum(list_transform({_BOUGHT}, lambda p: p.value))", _CUSTOMER
            ),
            "customer_margin": Metric(
                f"list_sum(list_transform({_BOUGHT}, lambda p: p.margin))", _CUSTOMER
            ),
        },
    ),
    MetricSet("is_abandonment", {"recovered": Metric("sum(recoveries)", _INSTANCES)}),
    MetricSet(
        "is_delivery",
        {
            "read_after_delivery": _READ,
            "reviewed": Metric("count(DISTINCT cause) FILTER (is_reviewed)", _DELIVERED_ORDERS),
            "contacts": Metric(_CONTACTS, _DELIVERED_ORDERS),
            "customer_contacts": Metric(_CONTACTS, _CUSTOMER),
        },
    ),
)
