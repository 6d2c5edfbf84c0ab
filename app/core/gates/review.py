"""One step under review: what its gates look at, and the checks that they record."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.core.customer.instance import Instance, PendingStep
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.decisions import Check
from app.core.rules.messages import Message
from app.core.rules.model import Rules, Step, Trigger
from app.core.rules.rates import Rates
from app.core.rules.zone import zone_of


@dataclass(slots=True, init=False)
class Review:
    """A step as its message has it, at ``now_ms``; ``last_ms`` is when it expires.

    ``fatigued`` is known once the fatigue gate was asked, ``recent`` (the marketing sends that caps
    and cooldowns can count) before the cooldown.
    """

    rules: Rules
    rates: Rates
    customer: Customer
    trigger: Trigger
    message: Message
    instance: Instance
    pending: PendingStep
    now_ms: int
    last_ms: int
    checks: list[Check]
    fatigued: bool
    recent: list[Sent]

    def __init__(
        self,
        *,
        rules: Rules,
        rates: Rates,
        customer: Customer,
        trigger: Trigger,
        message: Message,
        instance: Instance,
        pending: PendingStep,
        now_ms: int,
        last_ms: int,
        checks: list[Check],
    ) -> None:
        self.rules = rules
        self.rates = rates
        self.customer = customer
        self.trigger = trigger
        self.message = message
        self.instance = instance
        self.pending = pending
        self.now_ms = now_ms
        self.last_ms = last_ms
        self.checks = checks
        self.fatigued = False
        self.recent = []

    @property
    def step(self) -> Step:
        """The step with what a variant changes."""
        return self.message.step

    def timezone(self) -> ZoneInfo:
        """The customer's zone, or the one of the rules."""
        return zone_of(self.rules, self.customer)
