"""For who pays for it: what came back, what it brought, and whether people are left in peace.

Rates are outcomes over sends of one and the same period; an outcome may come up to seven days after
its send, so short periods are approximate. With intervals, and against the holdout:
``triggers kpis`` and ``triggers experiments``.
"""

from typing import Final

from deploy.dashboards.panels import Json, dashboard, graph, number, query, ranking, row, variable

_OF: Final = 'job=~"$job", trigger=~"$trigger"'
REVENUE: Final = f"trigger_revenue_total{{{_OF}}}"


def decisions(outcome: str) -> str:
    """The counter of one outcome of steps."""
    return f'trigger_decisions_total{{{_OF}, outcome="{outcome}"}}'


def outcomes(kind: str) -> str:
    """The counter of one kind of what marketing messages led to."""
    return f'trigger_outcomes_total{{{_OF}, kind="{kind}"}}'


def margin(sign: str) -> str:
    """The counter of what was gained or lost."""
    return f'trigger_margin_total{{{_OF}, sign="{sign}"}}'


def list_health(kind: str) -> str:
    """The counter of who opted out, complained or could not be reached; of no trigger."""
    return f'trigger_list_health_total{{job=~"$job", kind="{kind}"}}'


def _messages(kind: str) -> str:
    return f'trigger_marketing_messages_total{{{_OF}, kind="{kind}"}}'


MESSAGES: Final = _messages("send")


def growth(counter: str, by: str = "", window: str = "[$__range]") -> str:
    """PromQL: how much a counter grew, over the dashboard's period by default."""
    labels = f" by ({by})" if by else ""
    return f"sum{labels} (increase({counter}{window}))"


def per_message(counter: str, by: str = "", window: str = "[$__range]") -> str:
    """PromQL: a counter's growth for each marketing message sent."""
    return f"{growth(counter, by, window)} / ({growth(MESSAGES, by, window)} > 0)"


def hourly(title: str, counter: str, by: str, *, about: str = "", width: int = 8) -> Json:
    """What each hour brought, stacked."""
    queries = query(growth(counter, by, "[1h]"), f"{{{{{by}}}}}")
    return graph(title, queries, about=about, stacked=True, width=width)


def rates(title: str, counter: str, *, unit: str = "percentunit", width: int = 8) -> Json:
    """Each trigger's rate over the period."""
    return ranking(title, per_message(counter, "trigger"), "{{trigger}}", unit=unit, width=width)


PERIOD: Final[list[Json]] = [
    row("This period"),
    number("Marketing messages", growth(MESSAGES)),
    number(
        "Conversions",
        growth(outcomes("conversion")),
        about="Purchases within seven days of a message.",
    ),
    number(
        "Recoveries",
        growth(outcomes("recovery")),
        about="Abandoned carts and bookings that were bought after a message.",
    ),
    number(
        "Revenue per message",
        per_message(REVENUE),
        about="Direct conversions, in the shop's currency.",
        unit="none",
    ),
    number(
        "Opt-outs per message",
        per_message(list_health("unsubscribed")),
        unit="percentunit",
        limit=0.005,
    ),
    number(
        "Complaints per message",
        per_message(list_health("complained")),
        about="Mailbox providers begin to refuse at 0.3 %.",
        unit="percentunit",
        limit=0.003,
    ),
]

RECOVERY: Final[list[Json]] = [
    row("Recovery, conversions, revenue"),
    rates("Recovery rate", outcomes("recovery")),
    rates("Conversion rate", outcomes("conversion")),
    rates("Revenue per message", REVENUE, unit="none"),
    hourly("Conversions an hour", outcomes("conversion"), "trigger"),
    hourly("Revenue an hour", REVENUE, "trigger"),
    graph(
        "Contribution margin an hour",
        query(growth(margin("gain"), window="[1h]"), "gained"),
        query(f"-{growth(margin('loss'), window='[1h]')}", "lost"),
        about="Of conversions that messages got. Lost: bought below cost.",
        unit="none",
    ),
]

ATTENTION: Final[list[Json]] = [
    row("Messages and attention"),
    hourly("Messages an hour", decisions("send"), "trigger", width=12),
    graph(
        "Messages an hour, against the week before",
        query(growth(decisions("send"), window="[1h]"), "now"),
        query(growth(decisions("send"), window="[1h] offset 1w"), "a week before"),
        width=12,
    ),
    rates("Open rate", outcomes("opened"), width=12),
    rates("Click rate", outcomes("clicked"), width=12),
]

LIST: Final[list[Json]] = [
    row("List health"),
    graph(
        "Opt-outs, complaints and bounces per message",
        query(per_message(list_health("unsubscribed"), window="[1d]"), "opt-outs"),
        query(per_message(list_health("complained"), window="[1d]"), "complaints"),
        query(per_message(list_health("bounced"), window="[1d]"), "bounces"),
        about="Over the day before each point; whatever the trigger.",
        unit="percentunit",
        width=12,
    ),
    rates("Opt-outs per message, by trigger", outcomes("unsubscribed"), width=12),
    ranking(
        "Opt-outs, complaints and bounces, by channel",
        'sum by (channel, kind) (increase(trigger_list_health_total{job=~"$job"}[$__range]))',
        "{{channel}} {{kind}}",
        unit="short",
        width=12,
    ),
    graph(
        "Messages, held out and recalled, an hour",
        *(
            query(growth(_messages(kind), window="[1h]"), legend)
            for kind, legend in (("send", "sent"), ("ghost", "held out"), ("recall", "recalled"))
        ),
        width=12,
    ),
]

HELD: Final[list[Json]] = [
    row("Held back"),
    hourly(
        "Why messages are suppressed",
        decisions("suppress"),
        "reason",
        about="The hour before each point. The README explains the reasons: they are gates.",
        width=12,
    ),
    hourly("Why messages are put off", decisions("defer"), "reason", width=12),
    ranking(
        "Suppressed, by trigger",
        growth(decisions("suppress"), "trigger"),
        "{{trigger}}",
        unit="short",
        width=12,
    ),
    ranking(
        "Put off, by trigger",
        growth(decisions("defer"), "trigger"),
        "{{trigger}}",
        unit="short",
        width=12,
    ),
]

DASHBOARD: Final = dashboard(
    "triggers-business",
    "Triggers: business",
    "What messages brought, and whether people are left in peace. Generated by deploy/dashboards.",
    [*PERIOD, *RECOVERY, *ATTENTION, *LIST, *HELD],
    variables=[
        variable("job", "Installation", "label_values(trigger_ready, job)"),
        variable(
            "trigger", "Trigger", 'label_values(trigger_decisions_total{job=~"$job"}, trigger)'
        ),
    ],
    period="7d",
    other=("triggers-operations", "Operations"),
)
