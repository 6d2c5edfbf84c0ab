"""What customers do after a send."""

from enum import StrEnum


class Kind(StrEnum):
    """What the customer did. All but the last four: with the message itself."""

    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SURVEYED = "surveyed"
    CONVERSION = "conversion"
    RECOVERY = "recovery"
    REVIEW = "review"
    SUPPORT = "support"
