"""Clusters and early high value: what is fitted is what the engine then says of a customer."""

import json
from pathlib import Path

import numpy as np
import pytest

from app.analysis.segments.clusters import TooFew, fit_clusters
from app.analysis.segments.features import NAMES, Features
from app.analysis.segments.history import read_history
from app.analysis.segments.naming import cluster_names
from app.cli import main
from app.core.time.instants import DAY_MS
from tests.unit.analysis.files import T0, write_lines

COLUMNS = {name: place for place, name in enumerate(NAMES)}


def order(number: int, customer: str, day: float, value: float) -> dict[str, object]:
    """One line of history."""
    return {
        "topic": "orders",
        "event_id": f"o{number}",
        "type": "order_placed",
        "customer_id": customer,
        "occurred_at": T0 + round(day * DAY_MS),
        "data": {"value": value},
    }


def test_early_features_are_those_of_day_thirty(tmp_path: Path) -> None:
    """What comes after is the horizon's; a customer seen for too short is not in; the end is."""
    lines = [
        order(1, "ann", 0, 10),
        order(2, "bob", 1, 5),
        order(3, "ann", 20, 20),
        order(4, "ann", 29.9, 7),
        order(5, "ann", 31, 100),
        order(6, "cem", 40, 1),
        order(7, "ann", 49, 200),
        order(8, "bob", 60, 3),
    ]
    seen = read_history([write_lines(tmp_path / "e.jsonl", lines)], horizon_days=18)
    assert seen.early.features.customer_ids == ["ann", "bob"]
    ann, bob = seen.early.features.values
    assert ann[COLUMNS["frequency"]] == 3
    assert ann[COLUMNS["monetary"]] == 37
    assert ann[COLUMNS["recency_days"]] == pytest.approx(0.1)
    assert bob[COLUMNS["recency_days"]] == pytest.approx(30)
    assert list(seen.early.later_spend) == [100, 0]
    assert seen.features.customer_ids == ["ann", "bob", "cem"]
    assert seen.now_ms == T0 + 60 * DAY_MS
    assert seen.features.values[0][COLUMNS["monetary"]] == 337
    assert seen.features.values[2][COLUMNS["recency_days"]] == pytest.approx(20)


def test_three_groups_are_found_and_named() -> None:
    """Far apart in recency and spend; features that are the same for all are left out."""
    rng = np.random.default_rng(1)
    centres = {"lapsed": (300, 1, 20), "regular": (30, 5, 100), "best": (5, 30, 2000)}
    values = np.zeros((300, len(NAMES)))
    for place, (recency, frequency, spend) in enumerate(centres.values()):
        rows = slice(place * 100, place * 100 + 100)
        for name, middle in (
            ("recency_days", recency),
            ("frequency", frequency),
            ("monetary", spend),
        ):
            values[rows, COLUMNS[name]] = rng.normal(middle, middle / 20, 100)
    fit = fit_clusters(Features(customer_ids=[str(n) for n in range(300)], values=values))
    assert max(fit.silhouettes, key=lambda count: fit.silhouettes[count]) == 3
    assert [portrait.customers for portrait in fit.portraits] == [100, 100, 100]
    assert {portrait.name for portrait in fit.portraits} == {
        "lapsed_infrequent",
        "recent_infrequent",
        "high_spend_frequent",
    } or len({portrait.name for portrait in fit.portraits}) == 3
    assert fit.constant == ["views_30d", "discount_share"]


def test_names_say_what_is_unusual() -> None:
    """The two most unusual features; more where two would be the same; a number at last."""
    features = ("recency_days", "frequency", "monetary")
    centroids = np.array([[1.5, -0.4, 0.2], [-1.0, 0.1, 2.0], [0.1, 0.2, -0.1], [-0.9, 5.0, 0.4]])
    assert cluster_names(features, centroids) == [
        "lapsed_infrequent",
        "high_spend_recent",
        "average",
        "very_frequent_recent",
    ]
    alike = np.array([[-1.0, 2.0, 0.5], [-1.1, 2.1, -0.5]])
    assert cluster_names(features, alike) == [
        "frequent_recent_high_spend",
        "frequent_recent_low_spend",
    ]
    same = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    assert cluster_names(features, same) == ["lapsed_1", "lapsed_2"]


def test_too_few_customers_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, no file, and what is missing; a broken model is never written."""
    events = write_lines(tmp_path / "e.jsonl", [order(1, "ann", 0, 10)])
    model = tmp_path / "model.json"
    assert main(["segments", "fit", "--events", str(events), "--out", str(model)]) == 1
    out = capsys.readouterr().out
    assert "No clusters: 1 customers" in out
    assert "No high-value model: no first purchase is 210 days" in out
    assert not model.exists()
    with pytest.raises(TooFew):
        fit_clusters(Features(customer_ids=[], values=np.zeros((0, len(NAMES)))))


def test_impossible_amounts_are_no_model_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sums and squares that overflow count as missing: the report names the feature."""
    amounts = [1e308, -1e308, 1.7e308, 5e-324, 20.0, 30.0]
    lines = [
        order(number * 10 + n, f"c{number}", day, amounts[(number + n) % len(amounts)])
        for number in range(400)
        for n, day in enumerate((0, 40 + number % 60, 300))
    ]
    events = write_lines(tmp_path / "e.jsonl", lines)
    model = tmp_path / "model.json"
    command = ["segments", "fit", "--events", str(events), "--out", str(model)]
    assert main([*command, "--with", "churn"]) == 1
    out = capsys.readouterr().out
    assert "No clusters: monetary is beyond the range of numbers" in out
    assert "beyond the range of numbers" in out.partition("No high-value model")[2]
    assert not model.exists()


def test_decisions_of_a_backtest_bring_their_customers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clusters as from the events; high value needs these, and says so."""
    lines = [order(n, f"c{n % 40}", n / 3, 10 + 90 * (n % 40 > 30) + n % 7) for n in range(200)]
    events = write_lines(tmp_path / "e.jsonl", lines)
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\ntriggers: {}\n")
    out = tmp_path / "out"
    backtest = ["backtest", "--rules", str(rules), "--events", str(events), "--out", str(out)]
    assert main(backtest) == 0
    fitted = []
    for source in (["--events", str(events)], ["--decisions", str(out / "decisions.jsonl")]):
        capsys.readouterr()
        command = ["segments", "fit", *source, "--format", "json", "--out"]
        assert main([*command, str(tmp_path / "m.json")]) == 0
        fitted.append(json.loads(capsys.readouterr().out))
    assert fitted[0]["clusters"] == fitted[1]["clusters"]
    assert "--events" in fitted[1]["without_high_value"]
    (out / "customers.jsonl").unlink()
    assert main([*command, str(tmp_path / "m.json")]) == 2


@pytest.mark.parametrize("horizon", ["1h", "0d", "soon"])
def test_a_horizon_is_whole_days(tmp_path: Path, horizon: str) -> None:
    """Anything else is bad usage."""
    events = write_lines(tmp_path / "e.jsonl", [])
    command = ["segments", "fit", "--events", str(events), "--out", str(tmp_path / "m")]
    assert main([*command, "--horizon", horizon]) == 2


def test_one_odd_customer_is_not_a_division() -> None:
    """Two groups and one customer with ten thousand orders: the two groups are found."""
    rng = np.random.default_rng(2)
    values = np.zeros((201, len(NAMES)))
    values[:, COLUMNS["recency_days"]] = [*rng.normal(10, 1, 100), *rng.normal(300, 5, 100), 1]
    values[:, COLUMNS["frequency"]] = [*rng.normal(5, 0.2, 100), *rng.normal(2, 0.2, 100), 10_000]
    values[:, COLUMNS["monetary"]] = values[:, COLUMNS["frequency"]] * 20
    fit = fit_clusters(Features(customer_ids=[str(n) for n in range(201)], values=values))
    assert [portrait.customers for portrait in fit.portraits[:2]] == [100, 100]
