"""The whole report: files in, a value out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.analysis.data.customers import Customers, load_segments
from app.analysis.data.database import Database
from app.analysis.data.decisions import load_decisions
from app.analysis.data.facts import make_facts
from app.analysis.data.orders import load_orders
from app.analysis.data.outcomes import load_outcomes
from app.analysis.data.segments import are_written, use_saved_segments, use_written_segments
from app.analysis.kpis.against import Change, changes
from app.analysis.kpis.counting import Counts, count_groups
from app.analysis.kpis.customers import CategoryRevenue, customer_kpis, revenue_by_category
from app.analysis.kpis.history import history_kpis
from app.analysis.kpis.kpi import Kpi, in_range
from app.analysis.kpis.kpis import Known, message_kpis
from app.analysis.kpis.tables import Cohort, Funnel, Pressure, cohorts, funnels, pressure
from app.core.errors import ConfigError
from app.core.rules.model import Rules, Trigger

_DELIVERED: Final = "delivered"
_SEEN: Final = (
    "of triggers that an outcome shows to be of this kind: --rules would say which there are"
)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, of which files. Only ``decisions`` and ``outcomes`` are needed.

    ``rules`` say which triggers are about abandonment and delivery; ``customers`` are for
    ``by="segment"`` where decisions do not say the segments; ``events`` are for what needs all
    purchases. ``period``: messages decided at from <= t < to, in epoch ms. ``costs`` is money per
    message of a channel.
    """

    decisions: Sequence[Path]
    outcomes: Sequence[Path]
    by: str | None = None
    events: Sequence[Path] = ()
    rules: Rules | None = None
    customers: Customers | None = None
    currency: str | None = None
    period: tuple[int, int] | None = None
    costs: Mapping[str, float] = {}


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a group is. ``members`` are all customers of a segment, messaged or not."""

    messages: int
    ghosts: int
    customers: int
    members: int | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. ``groups`` has the KPIs of each group, in the contract's order.

    ``from_ms`` and ``last_ms`` are the first and the last message, ``to_ms`` is the last of what
    they led to.

    ``triggers`` has those of messages for each trigger, whatever was asked by. ``unmatched`` counts
    requests that have outcomes and no decision. ``cohorts`` and ``categories`` are empty without
    events. ``against`` is another period, and ``changes`` what is different from it.
    """

    by: str | None
    from_ms: int | None
    last_ms: int | None
    to_ms: int | None
    messages: int
    ghosts: int
    customers: int
    outcomes: int
    unmatched: int
    groups: dict[str, list[Kpi]]
    sizes: dict[str, Size]
    triggers: dict[str, list[Kpi]]
    funnels: list[Funnel]
    cohorts: list[Cohort]
    pressure: list[Pressure]
    categories: list[CategoryRevenue] = []
    against: "Report | None" = None
    changes: dict[str, list[Change]] = {}


def compared_with(report: Report, other: Report) -> Report:
    """The report compared with another period."""
    return msgspec.structs.replace(
        report, against=other, changes=changes(report.groups, other.groups)
    )


def make_report(question: Question, database: Database) -> Report:
    """Read the files and count. Raises ConfigError when a file is not what it should be."""
    load_decisions(database, question.decisions, question.period)
    load_outcomes(database, question.outcomes, currency=question.currency)
    known = known_triggers(database, question.rules)
    unmatched = database.value("SELECT count(*) FROM results ANTI JOIN messages USING (request)")
    asked = question.customers
    if asked is not None and (asked.is_chosen or not are_written(database)):
        load_segments(database, asked.path, asked.segments_of, asked.now_ms)
        use_saved_segments(database)
        has_members = True
    else:
        _check_written(database, question)
        use_written_segments(database)
        has_members = False
    make_facts(database, known.abandonments, known.deliveries)
    _make_period(database)
    if question.events:
        load_orders(database, question.events, currency=question.currency)
    totals = database.rows(
        """
        SELECT count(*) FILTER (NOT is_ghost) AS messages, count(*) FILTER (is_ghost) AS ghosts,
            min(decided_ms) AS from_ms, max(decided_ms) AS last_ms
        FROM facts
        """
    )[0]
    groups = count_groups(database, question.by)
    own = _own_holdouts(database)
    by_trigger = groups if question.by == "trigger" else count_groups(database, "trigger")
    return Report(
        by=question.by,
        from_ms=totals["from_ms"],
        last_ms=totals["last_ms"],
        to_ms=database.value("SELECT to_ms FROM period"),
        messages=totals["messages"],
        ghosts=totals["ghosts"],
        customers=database.value("SELECT count(*) FROM (SELECT DISTINCT customer FROM facts)"),
        outcomes=database.value("SELECT count(*) FROM outcomes SEMI JOIN facts USING (request)"),
        unmatched=unmatched,
        groups=_kpis(database, question, groups, known, own),
        sizes=_sizes(database, question.by, groups, has_members=has_members),
        triggers={
            name: [
                in_range(kpi)
                for kpi in message_kpis(
                    counts, known, question.costs, _lift_of("trigger", name, own)
                )
            ]
            for name, counts in by_trigger.items()
        },
        funnels=funnels(database),
        cohorts=cohorts(database) if question.events else [],
        pressure=pressure(database),
        categories=revenue_by_category(database) if question.events else [],
    )


def _check_written(database: Database, question: Question) -> None:
    """Raises ConfigError when a report by segment cannot know the segments."""
    has_messages = database.value("SELECT count(*) > 0 FROM messages")
    if question.by == "segment" and has_messages and not are_written(database):
        raise ConfigError(
            "--by segment: the decisions do not say the segments of their customers (an older"
            " engine wrote them); expected the records that triggers backtest writes next to its"
            " decisions: name them with --customers"
        )


def _own_holdouts(database: Database) -> frozenset[str]:
    """Triggers with a holdout of their own."""
    rows = database.rows("SELECT DISTINCT trigger FROM facts WHERE is_own_holdout")
    return frozenset(row["trigger"] for row in rows)


def _lift_of(by: str | None, group: str, own: frozenset[str]) -> str:
    """What the comparison with those held out is about, when a reader could take it for more."""
    if by not in ("trigger", "step") or group.partition(", step")[0] in own:
        return ""
    return (
        "not of this trigger alone: who is held out gets no marketing at all, so the customer's"
        " other messages are in it; give the trigger a `holdout` of its own"
    )


def _kpis(
    database: Database,
    question: Question,
    groups: dict[str, Counts],
    known: Known,
    own: frozenset[str],
) -> dict[str, list[Kpi]]:
    has_orders = bool(question.events)
    of_customers = customer_kpis(database, question.by, groups, has_orders=has_orders)
    histories = history_kpis(database, question.by, groups, has_orders=has_orders)
    found = {}
    for group, counts in groups.items():
        price, latency = histories[group]
        kpis = message_kpis(counts, known, question.costs, _lift_of(question.by, group, own))
        place = 1 + next(i for i, kpi in enumerate(kpis) if kpi.name == "average_selling_price")
        end = next(i for i, kpi in enumerate(kpis) if kpi.name == "unsubscribe_rate")
        found[group] = [*kpis[:place], price, *kpis[place:end], latency, *kpis[end:]]
        found[group] = [in_range(kpi) for kpi in (*found[group], *of_customers[group])]
    return found


def _sizes(
    database: Database, by: str | None, groups: dict[str, Counts], *, has_members: bool
) -> dict[str, Size]:
    members: dict[str, int] = {}
    if by == "segment" and has_members:
        rows = database.rows("SELECT segment, count(*) AS members FROM segments GROUP BY segment")
        members = {row["segment"]: row["members"] for row in rows}
    return {
        group: Size(
            messages=counts.sent.messages,
            ghosts=counts.ghost.messages,
            # who was sent something and who was held out are different people, but for experiments
            customers=counts.sent.of("opened").clusters + counts.ghost.of("opened").clusters,
            members=members.get(group),
        )
        for group, counts in groups.items()
    }


def known_triggers(database: Database, rules: Rules | None) -> Known:
    """From the rules; without them those that outcomes show to be of the kind."""
    rows = database.rows("SELECT DISTINCT kind FROM outcomes")
    recorded = frozenset(row["kind"] for row in rows)
    if rules is not None:
        triggers = rules.triggers.values()
        return Known(
            abandonments=frozenset(t.name for t in triggers if t.kind.is_recoverable),
            deliveries=frozenset(t.name for t in triggers if anchor_types(t) == {_DELIVERED}),
            kinds=recorded,
        )
    seen = {
        name: frozenset(
            row["trigger"]
            for row in database.rows(
                "SELECT DISTINCT trigger FROM outcomes WHERE list_contains($kinds, kind)",
                {"kinds": kinds},
            )
        )
        for name, kinds in (("abandonments", ["recovery"]), ("deliveries", ["review", "support"]))
    }
    return Known(
        abandonments=seen["abandonments"],
        deliveries=seen["deliveries"],
        source=_SEEN,
        kinds=recorded,
    )


def anchor_types(trigger: Trigger) -> set[str]:
    """The event types that anchor its instances; none for an anniversary."""
    return set(trigger.kind.types)


def _make_period(database: Database) -> None:
    database.run(
        """
        CREATE TEMP TABLE period AS
        SELECT (SELECT min(decided_ms) FROM facts) AS from_ms,
            greatest((SELECT max(decided_ms) FROM facts),
                (SELECT max(occurred_ms) FROM outcomes SEMI JOIN facts USING (request)))
                AS to_ms
        """
    )
