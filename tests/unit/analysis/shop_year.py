"""A made-up year of the demo shop, in which what a message does is known.

People fill carts. Left alone, one in four buys within days; a reminder that is really sent makes
more of them buy (``REMINDER_LIFT``, in variant ``bold`` of the experiment ``BOLD_LIFT``), and no
other message does anything to purchases. They open, click, opt out, review and call the support at
fixed rates. The engine itself decides, with the rules that ship: its sends come back as behaviour,
so the clock goes on in short ticks and nobody reacts within one.

``python -m tests.unit.analysis.shop_year DIR`` writes ``rules.yaml`` and ``events.jsonl``.
"""

import argparse
import heapq
import json
from bisect import bisect_left, insort
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
from ruamel.yaml import YAML

from app.backtest.history import read_arrival
from app.backtest.replay import Replay
from app.core.decisions import Decision, Outcome
from app.core.rules.model import Rules
from app.core.time.instants import DAY_MS, HOUR_MS, MINUTE_MS
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path

START_MS: Final = 1_735_689_600_000  # 2025-01-01T00:00:00Z
YEAR_MS: Final = 365 * DAY_MS
HOLDOUT_PERCENT: Final = 20
#: A cart that nobody reminds of is bought with this chance, and with so much more after a reminder.
ALONE: Final = 0.25
REMINDER_LIFT: Final = 0.08
BOLD_LIFT: Final = 0.18
EXPERIMENT: Final = "cart_copy"
_TICK_MS: Final = 10 * MINUTE_MS
_WINDOW_MS: Final = 7 * DAY_MS
_CARTS_A_YEAR: Final = 5
_ORDERS_A_YEAR: Final = 1.5
_MARGIN: Final = 0.3


class ShopYear:
    """One year. ``lines`` is the history; run it once.

    ``lift_of_reminders`` is the truth: the share of sent cart reminders that a purchase follows
    within the attribution window only because they were sent.
    """

    def __init__(self, rules: Rules, customers: int, seed: int = 1) -> None:
        self.lines: list[bytes] = []
        self.opted_out: set[str] = set()
        self._rng = Random(seed)
        self._replay = Replay(rules, self._decided)
        self._ids = count()
        self._coming: list[tuple[int, int, dict[str, Any]]] = []
        #: cart -> its customer's luck: under ALONE they buy anyway, over it a message may help
        self._luck: dict[str, float] = {}
        self._reminded: set[str] = set()
        #: customer -> times of purchases that would be without any message, and of the others
        self._anyway_ms: dict[str, list[int]] = {}
        self._caused_ms: dict[str, list[int]] = {}
        self._reminders: list[tuple[str, int]] = []
        for number in range(customers):
            self._plan(f"c{number:05d}")

    def run(self) -> None:
        """Live through the year, and a while on: what is under way comes to its end."""
        end_ms = START_MS + YEAR_MS
        for tick_ms in range(START_MS, end_ms, _TICK_MS):
            while self._coming and self._coming[0][0] <= tick_ms:
                _, _, event = heapq.heappop(self._coming)
                self._happen(event)
            self._replay.finish(tick_ms)

    @property
    def lift_of_reminders(self) -> float:
        """In 0..1."""
        helped = sum(
            self._any(self._caused_ms, customer, at_ms)
            and not self._any(self._anyway_ms, customer, at_ms)
            for customer, at_ms in self._reminders
        )
        return helped / len(self._reminders)

    @staticmethod
    def _any(times: dict[str, list[int]], customer: str, at_ms: int) -> bool:
        """Whether one of the times is within the attribution window."""
        of_customer = times.get(customer, [])
        place = bisect_left(of_customer, at_ms)
        return place < len(of_customer) and of_customer[place] <= at_ms + _WINDOW_MS

    def _plan(self, customer: str) -> None:
        """What the customer will do of their own accord."""
        rng = self._rng
        profile = {"email": f"{customer}@example.com", "first_name": "Ann"}
        if rng.random() < 0.5:
            profile["push_token"] = f"device-{customer}"
        self._add(START_MS, customer, "profiles", "profile_updated", **profile)
        for number in range(self._times(_CARTS_A_YEAR)):
            at_ms = START_MS + DAY_MS + rng.randrange(YEAR_MS - DAY_MS)
            cart_id, value = f"{customer}-{number}", round(rng.lognormvariate(4, 0.6), 2)
            self._add(at_ms, customer, "orders", "cart_updated", cart_id=cart_id, value=value)
            luck = self._luck[cart_id] = rng.random()
            if luck < ALONE:
                self._buy(at_ms + self._delay_ms(), customer, self._anyway_ms, cart_id, value)
        for _ in range(self._times(_ORDERS_A_YEAR)):
            at_ms = START_MS + DAY_MS + rng.randrange(YEAR_MS - DAY_MS)
            value = round(rng.lognormvariate(3.5, 0.6), 2)
            self._buy(at_ms, customer, self._anyway_ms, None, value)

    def _times(self, mean: float) -> int:
        """How often in the year, for a customer who is keener or less keen than others."""
        return int(self._rng.expovariate(1 / mean) + self._rng.random())

    def _delay_ms(self) -> int:
        """From the cart or the reminder to the purchase: after the reminder's half hour."""
        return int(40 * MINUTE_MS + min(self._rng.expovariate(1 / (18 * HOUR_MS)), 5 * DAY_MS))

    def _buy(
        self,
        at_ms: int,
        customer: str,
        times: dict[str, list[int]],
        cart_id: str | None,
        value: float,
    ) -> None:
        insort(times.setdefault(customer, []), at_ms)
        order_id = f"o{next(self._ids)}"
        data = {
            "order_id": order_id,
            "value": value,
            "currency": "EUR",
            "margin": round(value * _MARGIN, 2),
        }
        if cart_id is not None:
            data["cart_id"] = cart_id
        self._add(at_ms, customer, "orders", "order_placed", **data)
        delivered_ms = at_ms + 3 * DAY_MS
        self._add(delivered_ms, customer, "orders", "delivered", order_id=order_id, on_time=True)
        if self._rng.random() < 0.03:
            called_ms = delivered_ms + 6 * DAY_MS
            self._add(called_ms, customer, "orders", "support_contacted", order_id=order_id)
        if self._rng.random() < 0.04:
            reviewed_ms = delivered_ms + 6 * DAY_MS
            self._add(reviewed_ms, customer, "orders", "review_completed", order_id=order_id)

    def _decided(self, decision: Decision) -> None:
        """People react to what is really sent to them."""
        if decision.category != "marketing" or decision.outcome is not Outcome.SEND:
            return
        customer, rng, at_ms = decision.customer_id, self._rng, decision.decided_ms + _TICK_MS
        if decision.trigger == "cart_abandoned":
            self._remind(decision, at_ms)
        said = {"request_id": decision.request_id, "channel": decision.channel}
        if rng.random() < 0.01:
            self._add(at_ms, customer, "engagement", "message_bounced", hard=False, **said)
            return
        self._add(at_ms, customer, "engagement", "message_delivered", **said)
        if rng.random() < 0.4:
            self._add(at_ms + HOUR_MS, customer, "engagement", "message_opened", **said)
            if rng.random() < 0.3:
                self._add(at_ms + 2 * HOUR_MS, customer, "engagement", "message_clicked", **said)
        if rng.random() < 0.004:
            self._add(at_ms + HOUR_MS, customer, "engagement", "unsubscribed", **said)
        if rng.random() < 0.001:
            self._add(at_ms + HOUR_MS, customer, "engagement", "message_complained", **said)

    def _remind(self, decision: Decision, at_ms: int) -> None:
        self._reminders.append((decision.customer_id, decision.decided_ms))
        cart_id, lift = decision.key, REMINDER_LIFT
        if decision.experiment is not None and decision.experiment[1] == "bold":
            lift = BOLD_LIFT
        is_first = cart_id not in self._reminded
        self._reminded.add(cart_id)
        if is_first and ALONE <= self._luck[cart_id] < ALONE + lift:
            value = round(self._rng.lognormvariate(4, 0.6), 2)
            bought_ms = at_ms + self._delay_ms()
            self._buy(bought_ms, decision.customer_id, self._caused_ms, cart_id, value)

    def _add(self, at_ms: int, customer: str, topic: str, name: str, **data: Any) -> None:
        number = next(self._ids)
        event = {
            "topic": topic,
            "event_id": f"e{number}",
            "type": name,
            "customer_id": customer,
            "occurred_at": at_ms,
            "data": data,
        }
        heapq.heappush(self._coming, (at_ms, number, event))

    def _happen(self, event: dict[str, Any]) -> None:
        line = orjson.dumps(event)
        self.lines.append(line)
        self._replay.take(read_arrival(line, len(self.lines)))


def write_rules(path: Path, *, max_duration: str = "180d", min_sample: int = 100_000) -> Rules:
    """The rules that ship, with a larger holdout and an experiment on the cart reminder."""
    document = YAML(typ="safe", pure=True).load(default_rules_path())
    document["holdout"]["percent"] = HOLDOUT_PERCENT
    document["experiments"] = {
        EXPERIMENT: {
            "trigger": "cart_abandoned",
            "hypothesis": "a bolder first reminder brings more carts back",
            "metric": "recovery",
            "salt": "2025",
            "variants": {"plain": {"weight": 1}, "bold": {"weight": 1, "template": "cart-bold"}},
            "start": "2025-01-01",
            "burn_in": "7d",
            "min_sample": min_sample,
            "max_duration": max_duration,
        }
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return load_rules(path)


def main() -> None:
    """Write a year into a folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.unit.analysis.shop_year")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    year = ShopYear(write_rules(args.folder / "rules.yaml"), args.customers, args.seed)
    year.run()
    (args.folder / "events.jsonl").write_bytes(b"\n".join(year.lines) + b"\n")
    print(f"{len(year.lines)} events; true lift of cart reminders {year.lift_of_reminders:.4f}")


if __name__ == "__main__":
    main()
