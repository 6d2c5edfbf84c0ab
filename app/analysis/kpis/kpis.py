"""The KPIs of spec section 9 of one group, from its counts."""

from collections.abc import Mapping

import msgspec

from app.analysis.kpis.absolute import absolute_kpis
from app.analysis.kpis.counting import Arm, Counts
from app.analysis.kpis.kpi import Kpi, difference, mean, mean_difference, missing, share

_MESSAGES = "messages"
_CARTS = "abandonments"
_DELIVERED = "delivered orders"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Triggers by what they are about, and how that is known (None: from the rules)."""

    abandonments: frozenset[str]
    deliveries: frozenset[str]
    source: str | None = None
    #: kinds of outcome that the files have
    kinds: frozenset[str] = frozenset()


def message_kpis(
    counts: Counts, known: Known, costs: Mapping[str, float] | None = None, lift_of: str = ""
) -> list[Kpi]:
    """All that messages and their outcomes say, in the order of the contract.

    ``lift_of`` is what to say of the comparison with those held out.
    """
    kpis = [
        *_rates(counts, known),
        *absolute_kpis(counts, costs or {}, known.kinds),
        _score(counts.sent),
    ]
    return [_explained(_engaged(kpi, known), lift_of) for kpi in kpis]


#: Rates that messages can only have when the files have engagement events at all.
_OF_ENGAGEMENT = frozenset(
    {
        "open_rate",
        "click_rate",
        "delivery_rate",
        "read_rate",
        "read_rate_after_delivery",
        "unsubscribe_rate",
        "complaint_rate",
        "bounce_rate",
    }
)
_ENGAGEMENT = frozenset(
    {"delivered", "opened", "clicked", "bounced", "complained", "unsubscribed", "surveyed"}
)
_LIFTS = frozenset(
    {
        "incremental_lift",
        "recovery_lift",
        "support_difference",
        "incremental_orders",
        "incremental_revenue",
        "incremental_margin",
        "support_contacts_avoided",
        "return_on_cost",
    }
)


def _engaged(kpi: Kpi, known: Known) -> Kpi:
    """A rate of 0 that only says that nothing reports engagement is none."""
    if kpi.name not in _OF_ENGAGEMENT or kpi.value is None:
        return kpi
    if not known.kinds & _ENGAGEMENT:
        return missing(kpi, "no engagement events in the files: nothing reports what was opened")
    if kpi.name == "delivery_rate" and "delivered" not in known.kinds:
        return missing(kpi, "no delivery confirmations in the files")
    return kpi


def _explained(kpi: Kpi, lift_of: str) -> Kpi:
    if kpi.name not in _LIFTS or kpi.value is None or not lift_of:
        return kpi
    reason = lift_of if kpi.reason is None else f"{kpi.reason}; {lift_of}"
    return msgspec.structs.replace(kpi, reason=reason)


def _score(sent: Arm) -> Kpi:
    return mean("survey_score", "Survey score", sent.of("score"), "answered surveys", "number")


def _rates(counts: Counts, known: Known) -> list[Kpi]:
    sent, ghost = counts.sent, counts.ghost
    return [
        *_recovery(sent, ghost, known),
        share("conversion_rate", "Conversion rate", sent.of("converted"), _MESSAGES),
        difference(
            "incremental_lift",
            "Incremental lift of conversion (sent - held out)",
            sent.of("bought"),
            ghost.of("bought"),
            _MESSAGES,
        ),
        share("assisted_rate", "Assisted conversions", sent.of("assisted"), _MESSAGES),
        *_money(sent),
        share("open_rate", "Open rate", sent.of("opened"), _MESSAGES),
        share("click_rate", "Click rate", sent.of("clicked"), _MESSAGES),
        share("delivery_rate", "Delivery confirmed", sent.of("delivered"), _MESSAGES),
        share(
            "read_rate",
            "Read rate (opened, of those confirmed as delivered)",
            sent.of("read"),
            "confirmed messages",
        ),
        *_after_delivery(sent, ghost, known),
        share("unsubscribe_rate", "Unsubscribe rate", sent.of("unsubscribed"), _MESSAGES),
        share("complaint_rate", "Complaint rate", sent.of("complained"), _MESSAGES),
        share("bounce_rate", "Bounce rate", sent.of("bounced"), _MESSAGES),
    ]


def _recovery(sent: Arm, ghost: Arm, known: Known) -> list[Kpi]:
    kpis = [
        share("recovery_rate", "Recovery rate", sent.of("recovered"), _CARTS),
        difference(
            "recovery_lift",
            "Incremental lift of recovery (sent - held out)",
            sent.of("recovered"),
            ghost.of("recovered"),
            _CARTS,
        ),
    ]
    return [_from(kpi, known.abandonments, known, "trigger of kind abandonment") for kpi in kpis]


def _after_delivery(sent: Arm, ghost: Arm, known: Known) -> list[Kpi]:
    contacts, others = sent.of("contacts"), ghost.of("contacts")
    kpis = [
        share(
            "read_rate_after_delivery",
            "Read rate of messages about a delivery",
            sent.of("read_after_delivery"),
            "confirmed messages about a delivery",
        ),
        share("review_rate", "Review completion", sent.of("reviewed"), _DELIVERED),
        mean(
            "support_contacts",
            "Support contacts per delivered order",
            contacts,
            _DELIVERED,
            "number",
        ),
        mean(
            "support_contacts_held_out",
            "Support contacts per delivered order, held out",
            others,
            _DELIVERED,
            "number",
        ),
        mean_difference(
            "support_difference",
            "Support contacts per delivered order (sent - held out)",
            contacts,
            others,
            _DELIVERED,
        ),
    ]
    return [_from(kpi, known.deliveries, known, "trigger on `delivered`") for kpi in kpis]


def _from(kpi: Kpi, triggers: frozenset[str], known: Known, what: str) -> Kpi:
    """With what it rests on when the rules are not at hand."""
    if not triggers and known.source is None:
        return missing(kpi, f"the rules have no {what}")
    if not triggers:
        return missing(kpi, f"no outcome shows a {what}; --rules would say which there are")
    if kpi.reason is None and known.source is not None:
        return msgspec.structs.replace(kpi, reason=known.source)
    return kpi


def _money(sent: Arm) -> list[Kpi]:
    currency = min(sent.currencies, default=None) or None
    kpis = [
        mean(
            "average_selling_price",
            "Average selling price of converted orders",
            sent.of("price"),
            "converted orders",
            "money",
            currency,
        ),
        mean(
            "revenue_per_message",
            "Revenue per message",
            sent.of("revenue"),
            _MESSAGES,
            "money",
            currency,
        ),
    ]
    margin = mean(
        "margin_per_message",
        "Contribution margin per message",
        sent.of("margin"),
        _MESSAGES,
        "money",
        currency,
    )
    if len(sent.currencies) > 1:
        names = " and ".join(name or "none" for name in sorted(sent.currencies))
        reason = f"several currencies (as {names}): choose one with --currency"
        return [missing(kpi, reason) for kpi in (*kpis, margin)]
    return [
        *(_complete(kpi, sent.directs, sent.without_value, "value") for kpi in kpis),
        _complete(margin, sent.directs, sent.without_margin, "margin"),
    ]


def _complete(kpi: Kpi, directs: int, without: int, what: str) -> Kpi:
    """With what the purchases leave unsaid: all of it, or a part that then counts as nothing."""
    if directs == 0 and kpi.value is not None:
        return msgspec.structs.replace(
            kpi, low=None, high=None, method=None, reason="no conversion"
        )
    if directs > 0 and without == directs:
        return missing(kpi, f"no converted order says its {what}")
    if without > 0 and kpi.value is not None and kpi.name != "average_selling_price":
        reason = f"{without} of {directs} converted orders say no {what} and count as 0"
        return msgspec.structs.replace(kpi, reason=reason)
    return kpi
