"""From customers to a model file and what there is to say of it."""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from app.analysis.segments.clusters import ClusterFit, TooFew, fit_clusters
from app.analysis.segments.features import Early, Features, features_of
from app.analysis.segments.high_value import HighValueFit, fit_high_value
from app.analysis.segments.history import read_history
from app.analysis.segments.predictions import Predictions, fit_predictions
from app.backtest.saved_run import CUSTOMERS, SavedRun, read_customers
from app.core.customer.scoring_model import Model, parse_model
from app.core.errors import ConfigError


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted, to customers as of ``now_ms``. A part that is None has its reason."""

    now_ms: int
    customers: int
    clusters: ClusterFit | None = None
    high_value: HighValueFit | None = None
    without_clusters: str | None = None
    without_high_value: str | None = None
    predictions: Predictions = Predictions()

    @property
    def model(self) -> Model:
        """What the engine loads."""
        return Model(
            version=1,
            clusters=None if self.clusters is None else self.clusters.clusters,
            high_value=None if self.high_value is None else self.high_value.model,
            churn=self.predictions.churn,
            best_channel=self.predictions.best_channel,
            next_product=self.predictions.next_product,
        )


def fit_events(
    paths: Sequence[Path], *, horizon_days: int, predictions: Collection[str] = ()
) -> Fit:
    """Both models and the predictions asked for, from a history. Raises ConfigError when it cannot
    be read.
    """
    seen = read_history(paths, horizon_days=horizon_days)
    found = fit(seen.features, seen.now_ms, seen.early)
    if not predictions:
        return found
    return msgspec.structs.replace(found, predictions=fit_predictions(paths, predictions))


def fit_saved(decisions: Path) -> Fit:
    """Clusters, from the records that a backtest saved next to its decisions."""
    customers = decisions.parent / CUSTOMERS
    if not customers.is_file():
        raise ConfigError(
            f"{customers}: not there; decisions alone do not say what customers did: expected the"
            " folder of triggers backtest, or --events"
        )
    now_ms = SavedRun(decisions.parent).now_ms
    return fit(features_of(read_customers(customers), now_ms), now_ms, None)


def fit(features: Features, now_ms: int, early: Early | None) -> Fit:
    """What can be fitted is."""
    found = Fit(now_ms=now_ms, customers=len(features.customer_ids))
    try:
        found = msgspec.structs.replace(found, clusters=fit_clusters(features))
    except TooFew as exc:
        found = msgspec.structs.replace(found, without_clusters=str(exc))
    if early is None:
        reason = "needs what customers did early on: give --events"
        return msgspec.structs.replace(found, without_high_value=reason)
    try:
        return msgspec.structs.replace(found, high_value=fit_high_value(early))
    except TooFew as exc:
        return msgspec.structs.replace(found, without_high_value=str(exc))


def write_model(model: Model, path: Path) -> None:
    """As the engine reads it; it is read back before it is written. Raises ConfigError."""
    written = msgspec.json.format(msgspec.json.encode(model), indent=1)
    parse_model(written)
    try:
        path.write_bytes(written + b"\n")
    except OSError as exc:
        raise ConfigError(f"{path}: the model cannot be written: {exc.strerror}") from exc
