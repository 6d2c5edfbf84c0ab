"""The metrics of experiments: one list for validation, the engine's files and the reports.

A metric is a kind of outcome (``app.core.outcomes.Kind``): a customer has it or has it not.
"""

from typing import Final

#: metric -> how else a rules file may write it
METRICS: Final = {
    "conversion": ("converted", "conversions", "conversion_rate"),
    "recovery": ("recovered", "recoveries", "recovery_rate"),
    "delivered": ("delivery_rate",),
    "opened": ("open", "opens", "open_rate"),
    "clicked": ("click", "clicks", "click_rate"),
    "surveyed": ("survey", "survey_rate"),
    "review": ("reviews", "review_rate"),
    "bounced": ("bounce", "bounces", "bounce_rate"),
    "complained": ("complaint", "complaints", "complaint_rate"),
    "unsubscribed": ("unsubscribe", "unsubscribes", "unsubscribe_rate"),
    "support": ("support_contacts", "support_rate"),
}
DEFAULT_METRIC: Final = "conversion"
#: Of these less is better.
LESS_IS_BETTER: Final = frozenset({"bounced", "complained", "unsubscribed", "support"})
#: Only a message that was really sent can lead to these: a ghost send never has one.
NEED_A_MESSAGE: Final = frozenset(
    {"delivered", "opened", "clicked", "surveyed", "bounced", "complained", "unsubscribed"}
)
_BY_SPELLING: Final = {
    spelling: metric for metric, others in METRICS.items() for spelling in (metric, *others)
}


def metric_named(text: str) -> str | None:
    """The metric that a rules file calls so, in any case; None when there is no such metric."""
    return _BY_SPELLING.get(text.strip().lower().replace(" ", "_"))
