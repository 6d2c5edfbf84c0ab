"""Exposures: which customer was in which variant, since when, and with what success."""

from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.analysis.data.database import Database
from app.analysis.experiments.design import Design
from app.core.errors import ConfigError

#: Later than any: it has not happened.
NEVER: Final = int(np.iinfo(np.int64).max)

Instants = NDArray[np.int64]


class Exposures(msgspec.Struct, frozen=True, kw_only=True):
    """One entry a customer, epoch ms, NEVER for what has not happened.

    ``variant`` is the place in the design's arms. ``assigned_ms`` is the first decision to send or
    hold out, ``exposed_ms`` the first that was as the variant means it (a customer of the global
    holdout is not exposed to a variant that sends), ``success_ms`` the first of these decisions
    against which the metric was recorded, and ``recorded_ms`` when it first was; ``harmed_ms`` when
    the guardrail's metric was first recorded against one of them.
    """

    variant: Instants
    assigned_ms: Instants
    exposed_ms: Instants
    success_ms: Instants
    recorded_ms: Instants
    harmed_ms: Instants

    def recorded_by(self, until_ms: int) -> Self:
        """Without the successes that were recorded later."""
        success_ms = np.where(self.recorded_ms <= until_ms, self.success_ms, NEVER)
        return msgspec.structs.replace(self, success_ms=success_ms)


def load_exposures(database: Database, design: Design, now_ms: int) -> Exposures:
    """Of the tables ``messages`` and ``outcomes``, as they were at ``now_ms``.

    Raises ConfigError when they name variants that the design does not.
    """
    names = [arm.name for arm in design.arms]
    unknown = database.value(
        """
        SELECT string_agg(DISTINCT variant, ', ') FROM messages
        WHERE experiment = $name AND NOT list_contains($names, variant)
        """,
        {"name": design.name, "names": names},
    )
    if unknown:
        raise ConfigError(
            f"experiments.{design.name}: the decisions have variants that these rules do not:"
            f" {unknown}; expected the rules that the decisions were made with"
        )
    found = database.columns(
        f"""
        SELECT list_position($names, variant) - 1 AS variant,
            min(decided_ms) AS assigned_ms,
            coalesce(min(decided_ms) FILTER (is_exposed), {NEVER}) AS exposed_ms,
            coalesce(min(decided_ms) FILTER (is_exposed AND recorded_ms IS NOT NULL), {NEVER})
                AS success_ms,
            coalesce(min(recorded_ms) FILTER (is_exposed), {NEVER}) AS recorded_ms,
            coalesce(min(harmed_ms) FILTER (is_exposed), {NEVER}) AS harmed_ms
        FROM (
            SELECT customer, variant, decided_ms,
                NOT is_ghost OR list_contains($ghosts, variant) AS is_exposed,
                recorded_ms,
                harmed_ms
            FROM messages LEFT JOIN (
                SELECT request,
                    min(occurred_ms) FILTER (kind = $metric) AS recorded_ms,
                    min(occurred_ms) FILTER (kind = $guardrail) AS harmed_ms
                FROM outcomes
                WHERE kind IN ($metric, $guardrail) AND occurred_ms <= $now_ms GROUP BY request
            ) USING (request)
            WHERE experiment = $name AND anchor_ms >= $from_ms AND decided_ms <= $now_ms
        ) GROUP BY customer, variant
        """,
        {
            "name": design.name,
            "names": names,
            "ghosts": [arm.name for arm in design.arms if arm.is_ghost] or [""],
            "metric": design.metric,
            "guardrail": "" if design.guardrail is None else design.guardrail.metric,
            "from_ms": design.from_ms,
            "now_ms": now_ms,
        },
    )
    return Exposures(**{name: _instants(column) for name, column in found.items()})


def _instants(column: Any) -> Instants:
    return np.asarray(column, dtype=np.int64)
