"""What has come out so far, counted."""

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Tally:
    """Counts over ``decisions``, ``dispatch`` and ``dead-letters``; each request counts once."""

    def __init__(self) -> None:
        #: (outcome, reason)
        self.decisions: Counter[tuple[str, str]] = Counter()
        #: trigger -> outcome
        self.by_trigger: dict[str, Counter[str]] = {}
        #: (trigger, channel), of send requests
        self.sends: Counter[tuple[str, str]] = Counter()
        self.recalls = 0
        self.dead_letters = 0
        self._requests: set[tuple[str, str]] = set()

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
