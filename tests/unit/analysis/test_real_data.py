"""CDNOW and a hotel's bookings from history to KPIs and models, each against pandas and numpy."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from app.analysis.segments.high_value import is_held_out
from app.analysis.statistics.clusters import ClusterSums, difference_interval
from app.analysis.statistics.intervals import newcombe
from app.backtest.saved_run import SavedRun, read_customers
from app.cli import main
from app.core.customer.facts import count_event
from app.core.customer.record import Customer
from app.core.customer.scoring_model import Model, parse_model
from app.core.time.instants import DAY_MS, parse_rfc3339
from tests.unit.analysis import real_data

pytestmark = pytest.mark.slow

RULES: Final = """\
version: 1
channels: {email: {requires: email}}
throttle: {cooldown: 48h, caps: [{limit: 2, per: 1d}, {limit: 5, per: 7d}]}
holdout: {percent: 20, salt: real}
segments:
  loyal: {any: [{field: customer.orders, op: gte, value: 5},
                {field: customer.bookings, op: gte, value: 5}]}
  big_spender: {all: [{field: customer.spend, op: gte, value: 1000}]}
triggers:
  first: {kind: milestone, count: TYPE, reaches: 1, after: 1h, template: t, channels: [email]}
  fifth: {kind: milestone, count: TYPE, every: 5, after: 2h, template: t, channels: [email]}
  quiet: {kind: inactivity, since: [TYPE], after: 10d, expires: 2d, template: t, channels: [email]}
"""
WINDOW_MS: Final = 7 * DAY_MS


class Data:
    """One data set through a backtest, and what pandas makes of its purchases."""

    def __init__(self, folder: Path, name: str) -> None:
        topic, event_type, currency, bought = {
            "cdnow": ("orders", "order_placed", "USD", real_data.cdnow),
            "hotel": ("bookings", "booking_confirmed", "EUR", real_data.hotel),
        }[name]
        self.event_type = event_type
        self.bought = bought()
        self.table = pd.DataFrame(self.bought, columns=["at_ms", "customer", "value"])
        self.events, self.out = folder / "events.jsonl", folder / "out"
        lines = real_data.history(self.bought, topic, event_type, currency)
        self.events.write_bytes(b"\n".join(lines))
        rules = folder / "rules.yaml"
        rules.write_text(RULES.replace("TYPE", event_type))
        command = ["backtest", "--rules", str(rules), "--events", str(self.events)]
        assert main([*command, "--out", str(self.out)]) == 0
        written = (self.out / "decisions.jsonl").read_bytes()
        self.decisions = [orjson.loads(line) for line in written.splitlines()]
        self.model = folder / "model.json"

    @cached_property
    def fitted(self) -> dict[str, Any]:
        """What ``segments fit`` says of the history; ``model`` is there then."""
        command = ["segments", "fit", "--events", str(self.events), "--out", str(self.model)]
        printed = StringIO()
        with redirect_stdout(printed):
            assert main([*command, "--format", "json"]) == 0
        found: dict[str, Any] = json.loads(printed.getvalue())
        return found

    def messages(self) -> pd.DataFrame:
        """Customer, instant and whether it was sent, of every message."""
        kept = [each for each in self.decisions if each["outcome"] in ("send", "holdout")]
        return pd.DataFrame(
            {
                "customer": [each["customer_id"] for each in kept],
                "at_ms": [parse_rfc3339(each["decided_at"]) for each in kept],
                "is_sent": [each["outcome"] == "send" for each in kept],
                "trigger": [each["trigger"] for each in kept],
            }
        )


@pytest.fixture(scope="module", params=["cdnow", "hotel"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Both, one after the other."""
    return Data(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """A command's JSON."""

    def ran(*command: str) -> Any:
        capsys.readouterr()
        assert main([*command, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    return ran


def kpis_of(data: Data, run: Callable[..., Any], *options: str) -> dict[str, Any]:
    """The report on the data set."""
    report: dict[str, Any] = run(
        "kpis",
        "--decisions",
        str(data.out / "decisions.jsonl"),
        "--outcomes",
        str(data.out / "outcomes.jsonl"),
        "--events",
        str(data.events),
        *options,
    )
    return report


def by_name(kpis: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """KPI by its name."""
    return {kpi["name"]: kpi for kpi in kpis}


def test_repeat_purchase_latency_is_pandas(data: Data, run: Callable[..., Any]) -> None:
    """The median gap between a customer's purchases, and the cohorts' medians to the second."""
    report = kpis_of(data, run)
    kpi = by_name(report["groups"]["all"])["repeat_purchase_latency"]
    ordered = data.table.sort_values(["customer", "at_ms"], kind="stable")
    gaps = ordered.groupby("customer")["at_ms"].diff().dropna() / DAY_MS
    assert kpi["value"] == pytest.approx(float(gaps.median()))
    assert kpi["sample"] == len(gaps)
    assert kpi["low"] <= kpi["value"] <= kpi["high"]
    first = ordered.groupby("customer")["at_ms"].first()
    second = ordered[ordered.groupby("customer").cumcount() == 1].set_index("customer")["at_ms"]
    months = pd.to_datetime(first, unit="ms").dt.strftime("%Y-%m")
    days = ((second - first) / DAY_MS).reindex(first.index)
    medians = days.groupby(months).median()
    for cohort in report["cohorts"]:
        assert cohort["customers"] == int((months == cohort["month"]).sum())
        expected = float(medians[cohort["month"]])
        assert cohort["median_days"] == (None if np.isnan(expected) else pytest.approx(expected))


def test_lift_and_conversions_are_counted_alike(data: Data, run: Callable[..., Any]) -> None:
    """Which messages a purchase followed within a week, by searching sorted times. The messages
    changed nothing here: the interval has zero in it, or says that a few agents decide it.
    """
    kpis = by_name(kpis_of(data, run)["groups"]["all"])
    times = {name: np.sort(of) for name, of in data.table.groupby("customer")["at_ms"]}
    messages = data.messages()
    followed = np.array(
        [
            np.searchsorted(times[customer], at_ms) < len(times[customer])
            and times[customer][np.searchsorted(times[customer], at_ms)] <= at_ms + WINDOW_MS
            for customer, at_ms in zip(messages["customer"], messages["at_ms"], strict=True)
        ]
    )
    sent = messages["is_sent"].to_numpy()
    lift = kpis["incremental_lift"]
    assert (lift["sample"], lift["others"]) == (int(sent.sum()), int((~sent).sum()))
    assert lift["value"] == pytest.approx(followed[sent].mean() - followed[~sent].mean())
    if data.event_type == "order_placed":
        assert lift["low"] <= 0 <= lift["high"]
        assert lift["reason"] is None
    else:
        assert "a few customers" in lift["reason"]
    told = {name: np.sort(of) for name, of in messages[sent].groupby("customer")["at_ms"]}
    credited = []
    for at_ms, customer, value in data.bought:
        before = told.get(customer, np.array([], dtype=np.int64))
        place = np.searchsorted(before, at_ms, side="right")
        if place and before[place - 1] >= at_ms - WINDOW_MS:
            credited.append(value)
    price = kpis["average_selling_price"]
    assert price["sample"] == len(credited)
    assert price["value"] == pytest.approx(np.mean(credited))
    assert kpis["revenue_per_message"]["value"] == pytest.approx(sum(credited) / sent.sum())


def test_the_interval_of_a_lift_covers_it(data: Data) -> None:
    """Whoever is held out, the true lift is nothing here. Drawn 2,000 times: customer by customer
    the intervals have it as often as they say; message by message far less often. Where a few
    agents make most bookings, neither does, and it is noticed.
    """
    times = {name: np.sort(of) for name, of in data.table.groupby("customer")["at_ms"]}
    messages = data.messages()
    pairs = zip(messages["customer"], messages["at_ms"], strict=True)
    messages["x"] = [
        np.searchsorted(times[name], at_ms + WINDOW_MS, side="right")
        > np.searchsorted(times[name], at_ms)
        for name, at_ms in pairs
    ]
    sums = messages.groupby("customer")["x"].agg(["sum", "count"]).to_numpy(dtype=float)
    rng = np.random.default_rng(4)
    runs = 2_000
    covered = naive = 0
    for _ in range(runs):
        is_out = rng.random(len(sums)) < 0.2
        sent, ghost = sums_of(sums[~is_out]), sums_of(sums[is_out])
        found = difference_interval(sent, ghost)
        plain = newcombe(sent.x, sent.m, ghost.x, ghost.m)
        covered += found.low <= 0 <= found.high
        naive += plain.low <= 0 <= plain.high
    print(f"\ncoverage {covered / runs:.1%}, message by message {naive / runs:.1%}")
    assert naive < covered
    if data.event_type == "order_placed":
        assert abs(covered / runs - 0.95) < 0.02
        assert naive / runs < 0.8
        assert not sums_of(sums).is_concentrated
    else:
        assert sums_of(sums).is_concentrated


def sums_of(pairs: "np.ndarray[Any, Any]") -> ClusterSums:
    """Of an array of (x, m), as ``ClusterSums.of`` has them."""
    (xx, xm), (_, mm) = pairs.T @ pairs
    x, m = pairs.sum(axis=0)
    return ClusterSums(clusters=len(pairs), x=x, m=m, xx=xx, xm=xm, mm=mm)


def test_customers_per_segment_are_counted_alike(data: Data, run: Callable[..., Any]) -> None:
    """The rules' segments, of which a customer may have several."""
    report = kpis_of(data, run, "--by", "segment", "--customers", str(data.out / "customers.jsonl"))
    counts = data.table.groupby("customer")["value"].agg(["count", "sum"])
    assert report["sizes"]["loyal"]["members"] == int((counts["count"] >= 5).sum())
    assert report["sizes"]["big_spender"]["members"] == int((counts["sum"].round(6) >= 1000).sum())
    gaps = data.table.sort_values(["customer", "at_ms"]).groupby("customer")["at_ms"].diff()
    loyal = counts.index[counts["count"] >= 5]
    of_loyal = gaps[data.table["customer"].isin(loyal)].dropna() / DAY_MS
    kpi = by_name(report["groups"]["loyal"])["repeat_purchase_latency"]
    assert kpi["value"] == pytest.approx(float(of_loyal.median()))


def features_at(data: Data, until: Callable[[pd.DataFrame], Any]) -> pd.DataFrame:
    """Recency, frequency and spend by customer, from the purchases before an instant of theirs."""
    ends = until(data.table)
    before = data.table[data.table["at_ms"] < data.table["customer"].map(ends)]
    found = before.groupby("customer").agg(
        last=("at_ms", "max"), frequency=("at_ms", "count"), monetary=("value", "sum")
    )
    found["recency_days"] = (ends[found.index] - found["last"]) / DAY_MS
    return found[["recency_days", "frequency", "monetary"]].sort_index()


def test_clusters_are_scikit_learns_and_the_engines(data: Data) -> None:
    """Features by pandas, clusters by scikit-learn, names by the engine from its own records: the
    same customers are together, and so many of them.
    """
    fitted = data.fitted
    model = parse_model(data.model.read_bytes())
    assert model.clusters is not None
    end = int(data.table["at_ms"].max())
    customers = data.table["customer"].unique()
    own = features_at(data, lambda _: pd.Series(end + 1, index=customers))
    own["recency_days"] -= 1 / DAY_MS
    names = [feature.name for feature in model.clusters.features]
    z = StandardScaler().fit_transform(own[names])
    count = len(model.clusters.centroids)
    labels = KMeans(count, n_init=5, random_state=1).fit_predict(z)
    now_ms = SavedRun(data.out).now_ms
    assert now_ms == end
    cluster = model.facts()["cluster"]
    records = read_customers(data.out / "customers.jsonl")
    engines = {each.customer_id: cluster(each, now_ms) for each in records}
    pairs = Counter(zip(labels, (engines[name] for name in own.index), strict=True))
    assert len(pairs) == count
    portraits = {each["name"]: each["customers"] for each in fitted["clusters"]["portraits"]}
    assert Counter(engines.values()) == portraits
    for portrait in fitted["clusters"]["portraits"]:
        members = own[[engines[name] == portrait["name"] for name in own.index]]
        for name in names:
            assert portrait["medians"][name] == pytest.approx(float(members[name].median()))


def test_high_value_is_scikit_learns_and_the_engines(data: Data) -> None:
    """Day thirty by pandas, a regression by scikit-learn on those not held out, probabilities by
    the engine for a record of the first thirty days; and the area of those it has not seen.
    """
    fitted = data.fitted
    model, found = parse_model(data.model.read_bytes()), fitted["high_value"]
    if model.high_value is None:
        assert found is None
        assert "customers of one kind" in fitted["without_high_value"]
        return
    first = data.table.groupby("customer")["at_ms"].min()
    early_ms, later_ms = first + 30 * DAY_MS, first + 210 * DAY_MS
    seen = later_ms.index[later_ms < data.table["at_ms"].max()]
    own = features_at(data, lambda _: early_ms).loc[sorted(seen)]
    when = data.table["customer"].map(early_ms), data.table["customer"].map(later_ms)
    after = (data.table["at_ms"] >= when[0]) & (data.table["at_ms"] < when[1])
    later = data.table[after].groupby("customer")["value"].sum().reindex(own.index, fill_value=0)
    is_high = (later >= found["spend_over"] - 1e-9) & (later > 0)
    assert found["spend_over"] == pytest.approx(float(later.quantile(0.8)))
    held_out = np.array([is_held_out(name) for name in own.index])
    names = [feature.name for feature in model.high_value.features]
    scaler = StandardScaler().fit(own.loc[~held_out, names])
    regression = LogisticRegression(max_iter=1000)
    regression.fit(scaler.transform(own.loc[~held_out, names]), is_high[~held_out])
    by_sklearn = regression.predict_proba(scaler.transform(own.loc[held_out, names]))[:, 1]
    unseen = list(own.index[held_out])
    by_engine = engine_probabilities(data, model, unseen, early_ms)
    assert by_engine == pytest.approx(by_sklearn, abs=1e-4)
    assert found["held_out"] == len(unseen)
    assert found["auc"] == pytest.approx(roc_auc_score(is_high[held_out], by_engine), abs=1e-4)
    if data.event_type == "order_placed":
        assert len(unseen) > 7_000
        assert found["auc"] > 0.7
        assert found["auc_interval"]["low"] > 0.65


def engine_probabilities(
    data: Data, model: Model, customers: list[str], early_ms: pd.Series
) -> list[float]:
    """What ``customer.high_value_p`` is at each customer's thirtieth day."""
    records = {name: Customer(name) for name in customers}
    for at_ms, name, value in data.bought:
        if name in records and at_ms < early_ms[name]:
            count_event(records[name], data.event_type, at_ms, {"value": value}, ("value",), at_ms)
    probability = model.facts()["high_value_p"]
    found = [probability(records[name], int(early_ms[name])) for name in customers]
    return msgspec.convert(found, list[float])
