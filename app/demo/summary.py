"""What the demo says at its end."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from app.demo.tally import Tally


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in the tally. ``duplicates`` is the worker's count, None when it gave none."""

    customers: int
    published: int
    duplicates: int | None
    seconds: float
    metrics_url: str
    rules_path: str


def summary_text(tally: Tally, facts: Facts) -> str:
    """The whole ending, several lines."""
    return "\n".join(_lines(tally, facts))


def _lines(tally: Tally, facts: Facts) -> Iterator[str]:
    decided = tally.decisions.total()
    yield ""
    yield (
        f"{facts.customers} customers, {facts.published} events published in"
        f" {facts.seconds:.0f} s, {decided} decisions, {tally.sent} messages sent"
    )
    yield ""
    yield "decisions"
    for (outcome, reason), count in sorted(
        tally.decisions.items(), key=lambda item: (item[0][0], -item[1], item[0][1])
    ):
        yield f"  {outcome:<9} {reason if reason != outcome else '':<11} {count:5}"
    yield ""
    yield "sends                               email    sms   push"
    by_trigger: dict[str, Counter[str]] = {}
    for (trigger, channel), count in tally.sends.items():
        by_trigger.setdefault(trigger, Counter())[channel] += count
    for trigger, channels in sorted(by_trigger.items()):
        shown = "".join(f" {channels[name] or '':>6}" for name in ("email", "sms", "push"))
        yield f"  {trigger:<32}{shown}"
    yield ""
    led_to = tally.led_to
    yield "what marketing messages led to"
    yield f"  opened {led_to['opened']}, clicked {led_to['clicked']}"
    yield f"  purchases {led_to['conversion']}, worth {tally.revenue:,.2f} EUR in all"
    yield f"  carts and bookings recovered {led_to['recovery']}"
    yield (
        f"  unsubscribed {led_to['unsubscribed']}, complained {led_to['complained']},"
        f" bounced {led_to['bounced']}"
    )
    yield (
        f"  the control group got none, and made {led_to['ghost conversion']} purchases"
        f" (recovered {led_to['ghost recovery']})"
    )
    yield ""
    yield f"recalls       {tally.recalls:5}   sent too soon: the purchase became known later"
    yield f"dead letters  {tally.dead_letters:5}   kept whole on their topic, with the reason"
    if facts.duplicates is not None:
        yield f"duplicates    {facts.duplicates:5}   published twice, counted once"
    yield ""
    yield f"While it ran its metrics were at {facts.metrics_url}."
    yield f"These were the rules of {facts.rules_path}, with days shortened to seconds."
    yield ""
    yield "What next"
    yield "  begin with rules and a history of your own: `triggers init DIR`, then its README.md"
    yield f"  change a copy of {facts.rules_path}, then `triggers validate COPY`"
    yield "  rehearse it on your history: `triggers backtest --rules COPY --events FILE --out DIR`"
    yield "  run it on your Kafka: `triggers topics create`, then `triggers worker --rules COPY`"
