"""The time zone of a customer."""

from zoneinfo import ZoneInfo

from app.core.customer.record import Customer
from app.core.rules.model import Rules
from app.core.time.zones import zone


def zone_of(rules: Rules, customer: Customer) -> ZoneInfo:
    """The zone of the customer's profile, else the rules'."""
    name = customer.profile.get("timezone")
    return rules.timezone if name is None else zone(name)
