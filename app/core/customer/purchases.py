"""Net figures: orders and bookings that a cancellation can take back (spec section 5).

The last ``MAX_PURCHASES`` of either type, by arrival, can be cancelled by their id; so can one that
is read after its cancellation. A cancelled purchase counts in no figure of the record.
"""

from typing import Any, Final

from app.core.customer.limits import MAX_PURCHASE_ID_CHARS, MAX_PURCHASES
from app.core.customer.parts import Purchase, Purchases
from app.core.customer.record import Customer
from app.core.numbers import Number, number

#: cancelling type -> (cancelled type, the data field that names one)
CANCELLATIONS: Final = {
    "order_cancelled": ("order_placed", "order_id"),
    "booking_cancelled": ("booking_confirmed", "booking_id"),
}
#: purchase -> the data field that names it
PURCHASE_IDS: Final = dict(CANCELLATIONS.values())


def count_purchase(
    customer: Customer,
    event_type: str,
    occurred_ms: int,
    data: dict[str, Any],
    summed: tuple[str, ...],
) -> bool:
    """Take a purchase into the figures; False: it was cancelled before it was read."""
    known = customer.purchases.get(event_type)
    if known is None:
        known = customer.purchases[event_type] = _purchases_of_older_record(customer, event_type)
    purchase_id = _id_of(data.get(PURCHASE_IDS[event_type]))
    if known.cancelled and known.cancelled.get(purchase_id, occurred_ms - 1) >= occurred_ms:
        return False
    customer.counts[event_type] = customer.counts.get(event_type, 0) + 1
    amounts = add_amounts(customer, event_type, data, summed)
    discounted = is_discounted(data)
    customer.discounted += discounted
    known.kept.append(Purchase(purchase_id, occurred_ms, amounts, discounted))
    if len(known.kept) > MAX_PURCHASES:
        oldest_ms = known.kept.pop(0).occurred_ms
        known.first_ms = oldest_ms if known.first_ms is None else min(known.first_ms, oldest_ms)
        known.last_ms = oldest_ms if known.last_ms is None else max(known.last_ms, oldest_ms)
    if event_type == "order_placed":
        first_ms, last_ms = customer.first_order_ms, customer.last_order_ms
        if first_ms is None or occurred_ms < first_ms:
            customer.first_order_ms = occurred_ms
        if last_ms is None or occurred_ms > last_ms:
            customer.last_order_ms = occurred_ms
    bought_ms = customer.last_purchase_ms
    if bought_ms is None or occurred_ms > bought_ms:
        customer.last_purchase_ms = occurred_ms
    return True


def add_amounts(
    customer: Customer, event_type: str, data: dict[str, Any], summed: tuple[str, ...]
) -> dict[str, Number]:
    """Add the event's positive numbers to the sums; what was added, by data field.

    Sums are rounded to a millionth so that money adds up as people add it.
    """
    amounts: dict[str, Number] = {}
    for field in summed:
        amount = number(data.get(field))
        if amount is not None and amount > 0:
            name = f"{event_type}.{field}"
            customer.sums[name] = round(customer.sums.get(name, 0.0) + amount, 6)
            amounts[field] = amount
    return amounts


def cancel_purchases(
    customer: Customer, event_type: str, occurred_ms: int, data: dict[str, Any]
) -> bool:
    """Take the purchases out that the cancellation names and that did not occur after it.

    Returns whether any counter went down. Its id is kept for purchases that are still to be read.
    """
    cancelled_type, field = CANCELLATIONS[event_type]
    purchase_id = _id_of(data.get(field))
    if not purchase_id:
        return False
    known = customer.purchases.get(cancelled_type)
    if known is None:
        known = _purchases_of_older_record(customer, cancelled_type)
        customer.purchases[cancelled_type] = known
    known_ms = known.cancelled.pop(purchase_id, occurred_ms)
    known.cancelled[purchase_id] = max(known_ms, occurred_ms)
    if len(known.cancelled) > MAX_PURCHASES:
        del known.cancelled[next(iter(known.cancelled))]
    gone = [
        purchase
        for purchase in known.kept
        if purchase.id == purchase_id and purchase.occurred_ms <= occurred_ms
    ]
    for purchase in gone:
        known.kept.remove(purchase)
        customer.counts[cancelled_type] -= 1
        customer.discounted -= purchase.is_discounted
        for name, amount in purchase.amounts.items():
            total = f"{cancelled_type}.{name}"
            customer.sums[total] = round(customer.sums[total] - amount, 6)
    if gone:
        _find_first_and_last(customer)
    return bool(gone)


def purchase_times(customer: Customer) -> list[int]:
    """When the purchases occurred that are kept one by one, and the first and last of the others,
    in epoch ms and no particular order.
    """
    return [at_ms for known in customer.purchases.values() for at_ms in _times(known)]


def is_discounted(data: dict[str, Any]) -> bool:
    """Whether an ``old_price`` is over what is paid (``new_price``, else ``price``)."""
    old = number(data.get("old_price"))
    new = number(data.get("new_price", data.get("price")))
    return old is not None and new is not None and old > new


def _find_first_and_last(customer: Customer) -> None:
    orders = customer.purchases.get("order_placed")
    if orders is not None:
        times = _times(orders)
        customer.first_order_ms = min(times, default=None)
        customer.last_order_ms = max(times, default=None)
    customer.last_purchase_ms = max(purchase_times(customer), default=None)


def _times(known: Purchases) -> list[int]:
    older = [at_ms for at_ms in (known.first_ms, known.last_ms) if at_ms is not None]
    return [*(purchase.occurred_ms for purchase in known.kept), *older]


def _purchases_of_older_record(customer: Customer, event_type: str) -> Purchases:
    """What is known of purchases that were counted before single ones were kept."""
    if not customer.counts.get(event_type):
        return Purchases()
    if event_type == "order_placed":
        return Purchases(first_ms=customer.first_order_ms, last_ms=customer.last_order_ms)
    return Purchases(first_ms=customer.last_purchase_ms, last_ms=customer.last_purchase_ms)


def _id_of(value: object) -> str:
    """Text or an integer as text; empty when it is neither or too long to be kept."""
    if type(value) is int:
        return str(value)
    return value if type(value) is str and len(value) <= MAX_PURCHASE_ID_CHARS else ""
