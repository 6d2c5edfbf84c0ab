"""The funnel as values: stages, what messages brought back, and the steps of journeys."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.analysis.data.customers import Customers, load_segments
from app.analysis.data.database import Database
from app.analysis.data.decisions import load_decisions
from app.analysis.data.outcomes import load_outcomes
from app.analysis.data.segments import are_written, use_saved_segments, use_written_segments
from app.analysis.funnel.stages import load_things
from app.analysis.kpis.dimensions import ALL, NO_SEGMENT
from app.analysis.kpis.kpi import Kpi, difference, share
from app.analysis.statistics.clusters import ClusterSums
from app.core.errors import ConfigError

_SECOND_MS: Final = 1000


class FunnelQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. ``decisions`` and ``outcomes`` are for what messages brought back, for the
    steps of journeys and for segments.
    """

    events: Sequence[Path]
    stages: Sequence[str]
    key: str
    within_ms: int
    decisions: Sequence[Path] = ()
    outcomes: Sequence[Path] = ()
    is_by_segment: bool = False
    customers: Customers | None = None


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of one group. ``reached`` is of those that began, ``went_on`` of those that reached
    this stage and whose time is up or who went on: the others are ``open``. ``lost`` never went on.

    ``median_s`` and the quartiles are the time to the next stage's event, of those that have both.
    ``sent`` and ``held_out`` are of those that stood still here when a message about them was sent
    or held out: how many went on after it. ``brought_back`` is their difference.
    """

    name: str
    count: int
    reached: Kpi
    went_on: Kpi | None
    lost: int
    open: int
    median_s: float | None
    quartiles_s: tuple[float, float] | None
    timed: int
    sent: Kpi | None = None
    held_out: Kpi | None = None
    brought_back: Kpi | None = None


class JourneyStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one trigger's journeys: of ``instances`` that it was decided for, how many were
    sent, held out, or got nothing; of those sent how many opened, clicked and bought.
    """

    trigger: str
    step: int
    instances: int
    sent: int
    held_out: int
    nothing: int
    opened: int
    clicked: int
    bought: int


class FunnelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of stages. ``without_key`` events of the stages did not say the key."""

    stages: list[str]
    key: str
    within_ms: int
    things: int
    without_key: int
    groups: dict[str, list[Stage]]
    journeys: list[JourneyStep]


def make_funnel(question: FunnelQuestion, database: Database) -> FunnelReport:
    """Read the files and count. Raises ConfigError when a file is not what it should be."""
    without_key = load_things(
        database, question.events, question.stages, question.key, question.within_ms
    )
    has_messages = bool(question.decisions)
    if has_messages:
        load_decisions(database, question.decisions)
        load_outcomes(database, question.outcomes)
        _load_segments(database, question)
        _make_stalled(database, len(question.stages))
    _group(database, is_by_segment=question.is_by_segment)
    rows = database.rows("SELECT DISTINCT grp FROM grouped ORDER BY grp")
    return FunnelReport(
        stages=list(question.stages),
        key=question.key,
        within_ms=question.within_ms,
        things=database.value("SELECT count(*) FROM things"),
        without_key=without_key,
        groups={
            row["grp"]: _stages(database, row["grp"], question.stages, has_messages=has_messages)
            for row in rows
        },
        journeys=_journeys(database) if has_messages else [],
    )


def _load_segments(database: Database, question: FunnelQuestion) -> None:
    """``messages.segments`` and the table ``segments``: those of decisions or of a backtest."""
    asked = question.customers
    if asked is not None and (asked.is_chosen or not are_written(database)):
        load_segments(database, asked.path, asked.segments_of, asked.now_ms)
        use_saved_segments(database)
    elif question.is_by_segment and not are_written(database):
        raise ConfigError(
            "--by segment: the decisions do not say the segments of their customers; expected the"
            " records that triggers backtest writes next to them: name them with --customers"
        )
    else:
        use_written_segments(database)


def _group(database: Database, *, is_by_segment: bool) -> None:
    """``grouped``: things with ``grp``, once in each segment in which their customer was at the
    last message before they began, else at the first of all.
    """
    if not is_by_segment:
        database.run(f"CREATE TEMP TABLE grouped AS SELECT *, '{ALL}' AS grp FROM things")
        return
    database.run(
        f"""
        CREATE TEMP TABLE grouped AS
        SELECT * EXCLUDE (segments),
            unnest(if(len(segments) = 0, ['{NO_SEGMENT}'], segments)) AS grp
        FROM (
            SELECT things.*, coalesce(earlier.segments, at_first.segments, []) AS segments
            FROM things
            ASOF LEFT JOIN (SELECT customer, decided_ms, segments FROM messages) AS earlier
                ON things.customer = earlier.customer AND things.start_ms >= earlier.decided_ms
            LEFT JOIN (
                SELECT customer, list(segment) AS segments FROM segments GROUP BY customer
            ) AS at_first ON things.customer = at_first.customer
        )
        """
    )


def _make_stalled(database: Database, stages: int) -> None:
    """``stalled``: who stood still at a stage when a message about them was decided, and whether
    they went on after it. Each counts once a stage, by their first message there.
    """
    database.run(
        f"""
        CREATE TEMP TABLE stalled AS
        SELECT customer, key, stage, arg_min(is_ghost, decided_ms) AS is_ghost,
            arg_min(next_ms IS NOT NULL, decided_ms) AS has_gone_on
        FROM (
            SELECT customer, key, is_ghost, decided_ms,
                list_max(list_filter(range({stages}), lambda i: times[i + 1] <= decided_ms))
                    AS stage,
                list_min(list_filter(times, lambda t: t > decided_ms)) AS next_ms
            FROM things JOIN messages USING (customer, key)
            WHERE decided_ms >= start_ms AND NOT is_ghost_variant
        ) WHERE stage < {stages - 1} GROUP BY customer, key, stage
        """
    )


def _stages(
    database: Database, group: str, stages: Sequence[str], *, has_messages: bool
) -> list[Stage]:
    return [
        _stage(database, group, number, name, len(stages), has_messages=has_messages)
        for number, name in enumerate(stages)
    ]


def _stage(
    database: Database, group: str, number: int, name: str, count: int, *, has_messages: bool
) -> Stage:
    place: dict[str, Any] = {"grp": group, "stage": number}
    of_stage = "grp = $grp AND deepest >= $stage"
    reached = _sums(database, "deepest >= $stage", "grp = $grp", place)
    went_on = _sums(
        database, "deepest > $stage", f"{of_stage} AND (is_over OR deepest > $stage)", place
    )
    totals = database.rows(
        f"""
        SELECT count(*) FILTER (is_over AND deepest = $stage) AS lost,
            count(*) FILTER (NOT is_over AND deepest = $stage) AS open,
            median(gap) AS median, count(gap) AS timed,
            quantile_cont(gap, [0.25, 0.75]) AS quartiles
        FROM (
            SELECT *, (times[$stage + 2] - times[$stage + 1]) / {_SECOND_MS}.0 AS gap
            FROM grouped WHERE {of_stage}
        )
        """,
        place,
    )[0]
    is_last = number == count - 1
    comparison = (
        _brought_back(database, place) if has_messages and not is_last else (None, None, None)
    )
    quartiles = totals["quartiles"]
    return Stage(
        name=name,
        count=round(reached.x),
        reached=share("reached", "Reached", reached, "that began"),
        went_on=None
        if is_last
        else share("went_on", "Went on", went_on, "whose time is up, or that went on"),
        lost=0 if is_last else totals["lost"],
        open=0 if is_last else totals["open"],
        median_s=totals["median"],
        quartiles_s=None if not quartiles else (quartiles[0], quartiles[1]),
        timed=totals["timed"],
        sent=comparison[0],
        held_out=comparison[1],
        brought_back=comparison[2],
    )


def _brought_back(database: Database, place: dict[str, Any]) -> tuple[Kpi, Kpi, Kpi]:
    arms = [
        _sums_of(
            database,
            f"""
            SELECT customer, count(*) FILTER (has_gone_on) AS x, count(*) AS m
            FROM stalled JOIN grouped USING (customer, key)
            WHERE grp = $grp AND stage = $stage AND {arm} GROUP BY customer
            """,
            place,
        )
        for arm in ("NOT is_ghost", "is_ghost")
    ]
    sent, ghost = arms
    return (
        share(
            "after_message", "Went on after a message", sent, "that stood still and were sent one"
        ),
        share("held_out", "Went on, held out", ghost, "that stood still and were held out"),
        difference(
            "brought_back", "Brought back (sent - held out)", sent, ghost, "that stood still"
        ),
    )


def _sums(database: Database, hit: str, where: str, place: dict[str, Any]) -> ClusterSums:
    query = f"""
        SELECT customer, count(*) FILTER ({hit}) AS x, count(*) AS m
        FROM grouped WHERE {where} GROUP BY customer
        """
    return _sums_of(database, query, place)


def _sums_of(database: Database, per_customer: str, place: dict[str, Any]) -> ClusterSums:
    """Summed over rows (customer, x, m)."""
    used = {name: value for name, value in place.items() if f"${name}" in per_customer}
    row = database.rows(
        f"""
        SELECT count(*) AS clusters, coalesce(sum(x), 0)::DOUBLE AS x,
            coalesce(sum(m), 0)::DOUBLE AS m, coalesce(sum(x * x), 0)::DOUBLE AS xx,
            coalesce(sum(x * m), 0)::DOUBLE AS xm, coalesce(sum(m * m), 0)::DOUBLE AS mm
        FROM ({per_customer})
        """,
        used,
    )[0]
    return ClusterSums(**row)


def _journeys(database: Database) -> list[JourneyStep]:
    """By trigger and step, of triggers that have more than one."""
    rows = database.rows(
        """
        SELECT trigger, step, count(*) AS instances,
            count(*) FILTER (is_sent AND NOT is_recalled) AS sent,
            count(*) FILTER (is_ghost AND NOT is_recalled) AS held_out,
            count(*) FILTER (is_recalled OR NOT (is_sent OR is_ghost)) AS nothing,
            count(*) FILTER (is_sent AND is_opened) AS opened,
            count(*) FILTER (is_sent AND is_clicked) AS clicked,
            count(*) FILTER (is_sent AND (directs > 0 OR assists > 0)) AS bought
        FROM steps LEFT JOIN results USING (request)
        WHERE trigger IN (SELECT trigger FROM steps WHERE step > 0)
        GROUP BY trigger, step ORDER BY trigger, step
        """
    )
    return [JourneyStep(**row) for row in rows]
