"""What has come out so far, counted."""

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Tally:
    """Counts over ``decisions``, ``dispatch``, ``outcomes`` and ``dead-letters``; each request and
    each outcome counts once.
    """

    def __init__(self) -> None:
        #: (outcome, reason)
        self.decisions: Counter[tuple[str, str]] = Counter()
        #: trigger -> outcome
        self.by_trigger: dict[str, Counter[str]] = {}
        #: (trigger, channel), of send requests
        self.sends: Counter[tuple[str, str]] = Counter()
        #: kinds of what sends led to, ``ghost`` in front of what came after a ghost send
        self.led_to: Counter[str] = Counter()
        #: of the purchases that sends got
        self.revenue = 0.0
        self.recalls = 0
        self.dead_letters = 0
        self._requests: set[tuple[str, str]] = set()
        self._outcomes: set[tuple[str, str, str]] = set()

    @property
    def sent(self) -> int:
        """Send requests."""
        return self.sends.total()

    def outcome(self, name: str) -> int:
        """Decisions of this outcome, whatever the reason."""
        return sum(count for (outcome, _), count in self.decisions.items() if outcome == name)

    def take_decision(self, decision: Mapping[str, Any]) -> None:
        """Count a record of ``decisions``."""
        self.decisions[decision["outcome"], decision["reason"]] += 1
        by_outcome = self.by_trigger.setdefault(decision["trigger"], Counter())
        by_outcome[decision["outcome"]] += 1

    def take_request(self, request: Mapping[str, Any]) -> bool:
        """Count a record of ``dispatch``; False when it was there before."""
        identity = (request["request_id"], request["kind"])
        if identity in self._requests:
            return False
        self._requests.add(identity)
        if request["kind"] == "recall":
            self.recalls += 1
        else:
            self.sends[request["trigger"], request["channel"]] += 1
        return True

    def take_outcome(self, outcome: Mapping[str, Any]) -> None:
        """Count a record of ``outcomes``."""
        identity = (outcome["request_id"], outcome["kind"], outcome["cause"]["event_id"])
        if identity in self._outcomes:
            return
        self._outcomes.add(identity)
        kind = "assisted" if outcome["role"] == "assisted" else outcome["kind"]
        self.led_to[f"ghost {kind}" if outcome["ghost"] else kind] += 1
        if outcome["role"] == "direct" and not outcome["ghost"]:
            self.revenue += outcome["value"] or 0
