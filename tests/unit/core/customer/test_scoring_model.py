"""The customer model: what its file says is what conditions see, worked out by hand."""

import json
import os
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import pytest

from app.core.customer.facts import count_event
from app.core.customer.features import FEATURES
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.customer.scoring_model import MAX_MODEL_BYTES, Model, parse_model
from app.core.decisions import Decision
from app.core.events import Event
from app.core.recorded import Cause
from app.core.rules.model import Rules
from app.core.rules.rates import single_partition
from app.core.time.instants import DAY_MS
from app.core.transitions import handle_event
from app.rules_file.load import RulesError, load_rules

NOW = 1_767_225_600_000

MODEL: dict[str, Any] = {
    "version": 1,
    "clusters": {
        "features": [
            {"name": "recency_days", "mean": 30, "std": 10},
            {"name": "monetary", "mean": 100, "std": 50},
        ],
        "centroids": [{"name": "asleep", "at": [2, -1]}, {"name": "champions", "at": [-2, 1]}],
    },
    "high_value": {
        "features": [{"name": "frequency", "mean": 2, "std": 2, "coefficient": 1.5}],
        "intercept": -0.25,
    },
}

RULES = """
version: 1
model: model.json
segments:
  best: {all: [{field: customer.cluster, op: eq, value: champions},
               {field: customer.high_value_p, op: gt, value: 0.4}]}
triggers:
  hello:
    kind: event
    on: subscribed
    template: hi
    channels: [email]
    when: {field: customer.segments, op: contains, value: best}
"""

WriteRules = Callable[..., Path]


@pytest.fixture
def write_rules(tmp_path: Path) -> WriteRules:
    """Writes a rules file with its model beside it; returns its path."""

    def write(text: str = RULES, model: Any = MODEL) -> Path:
        (tmp_path / "model.json").write_text(
            model if isinstance(model, str) else json.dumps(model), encoding="utf-8"
        )
        path = tmp_path / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def bought(*orders: tuple[int, dict[str, Any]]) -> Customer:
    """A customer with orders so many days before NOW."""
    customer = Customer("ann", profile={"email": "a@example.com"})
    for days, data in orders:
        count_event(customer, "order_placed", NOW - days * DAY_MS, data, ("value",), NOW)
    return customer


def model() -> Model:
    """MODEL, read."""
    return parse_model(json.dumps(MODEL).encode())


def test_the_nearest_centroid_names_the_cluster() -> None:
    """40 days and 50: z = (1, -1), sqrt(1) from asleep; 10 days and 150: z = (-2, 1)."""
    facts = model().facts()
    assert facts["cluster"](bought((40, {"value": 50})), NOW) == "asleep"
    assert facts["cluster"](bought((10, {"value": 150})), NOW) == "champions"
    assert facts["cluster"](bought((10, {"value": 150})), NOW + 40 * DAY_MS) == "asleep"
    assert facts["cluster"](bought(), NOW) is None


def test_the_probability_is_the_logistic_function() -> None:
    """Three orders: z = 0.5, so that the score is 1.5 * 0.5 - 0.25 = 0.5."""
    customer = bought((3, {}), (2, {}), (1, {}))
    assert model().facts()["high_value_p"](customer, NOW) == pytest.approx(1 / (1 + exp(-0.5)))
    far = MODEL["high_value"] | {"intercept": -1e9}
    low = parse_model(json.dumps(MODEL | {"high_value": far}).encode())
    assert low.facts()["high_value_p"](customer, NOW) == pytest.approx(0)


def test_the_discount_share_counts_purchases_under_the_old_price() -> None:
    """Two of four: one says new_price, one price; an equal or unknown price is no discount."""
    customer = bought(
        (4, {"old_price": 20, "new_price": 15}),
        (3, {"old_price": 20, "price": 15}),
        (2, {"old_price": 20, "price": 20}),
        (1, {"value": 20}),
    )
    assert FEATURES["discount_share"](customer, NOW) == 0.5
    assert FEATURES["discount_share"](bought(), NOW) is None


def decide(rules: Rules, customer: Customer) -> list[str]:
    """The outcomes of one sign-up."""
    event = Event(
        topic="orders",
        event_id="1",
        type="subscribed",
        customer_id="ann",
        occurred_ms=NOW,
        data={},
    )
    made: list[str] = []
    handle_event(
        customer,
        event,
        rules,
        NOW,
        lambda decision: made.append(decision.outcome.value),
        single_partition(),
    )
    return made


def test_conditions_and_segments_see_the_model(write_rules: WriteRules) -> None:
    """One order of 150 ten days ago: champions, p = 1 / (1 + exp(1)) = 0.27; two orders: 0.44."""
    rules = load_rules(write_rules())
    assert decide(rules, bought((10, {"value": 150}))) == []
    assert decide(rules, bought((11, {"value": 75}), (10, {"value": 75}))) == ["send"]


def problems_of(path: Path) -> list[str]:
    """Everything that is wrong with the file."""
    with pytest.raises(RulesError) as caught:
        load_rules(path)
    return [str(problem) for problem in caught.value.problems]


def test_a_rule_that_needs_a_model_needs_one(write_rules: WriteRules) -> None:
    """Without the model, or without the part of it that the rule names."""
    found = problems_of(write_rules(RULES.replace("model: model.json", "")))
    assert [line.split(":")[0] for line in found] == [
        "segments.best.all[0].field",
        "segments.best.all[1].field",
    ]
    half = {"version": 1, "clusters": MODEL["clusters"]}
    assert "customer.high_value_p" in problems_of(write_rules(model=half))[0]


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("{", "truncated"),
        ({"version": 2}, "<= 1"),
        ({"version": 1, "colour": "red"}, "colour"),
        (
            {"version": 1, "high_value": {"features": [], "intercept": 0}},
            "length >= 1",
        ),
        (
            {
                "version": 1,
                "high_value": {
                    "features": [{"name": "height", "mean": 0, "std": 1, "coefficient": 1}],
                    "intercept": 0,
                },
            },
            "recency_days",
        ),
        (
            {
                "version": 1,
                "clusters": {
                    "features": [{"name": "monetary", "mean": 0, "std": 1}],
                    "centroids": [{"name": "a", "at": [1, 2]}],
                },
            },
            "needs 1 coordinates",
        ),
        (
            {
                "version": 1,
                "clusters": {
                    "features": [{"name": "monetary", "mean": 0, "std": 0}],
                    "centroids": [{"name": "a", "at": [1]}],
                },
            },
            "> 0",
        ),
    ],
)
def test_a_broken_model_is_reported_with_all_other_problems(
    write_rules: WriteRules, broken: Any, expected: str
) -> None:
    """And not held against the rules that need it."""
    found = problems_of(write_rules(RULES.replace("template: hi", "template: 3"), broken))
    assert found[0].startswith("model: expected a model file")
    assert expected in found[0]
    assert [line.split(":")[0] for line in found[1:]] == ["triggers.hello.template"]


def test_a_model_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """The message names the file."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    assert "'model.json'" in problems_of(path)[0]


PREDICTIONS: dict[str, Any] = {
    "version": 1,
    "churn": {
        "features": [{"name": "recency_days", "mean": 30, "std": 10, "coefficient": 2.0}],
        "intercept": -0.5,
        "horizon_days": 90,
    },
    "best_channel": {"open_rates": {"email": 0.2, "push": 0.3, "sms": 0.1}, "weight": 2},
    "next_product": {"fact": "last_product", "after": {"shoe": "sock"}, "otherwise": "hat"},
}


def predictions() -> Model:
    """PREDICTIONS, read."""
    return parse_model(json.dumps(PREDICTIONS).encode())


def sent(channel: str, *, opened: bool, ghost: bool = False) -> Sent:
    """A marketing send that is remembered."""
    return Sent(
        NOW,
        NOW,
        "t",
        "t",
        "k",
        NOW,
        0,
        channel,
        True,
        ghost,
        "r",
        Cause("orders", 0, 0, "e"),
        is_opened=opened,
    )


def test_churn_rises_with_every_day_without_a_purchase() -> None:
    """40 days: z = 1, so that the score is 2 - 0.5; without a purchase there is no value."""
    facts = predictions().facts()
    assert facts["churn_p"](bought((40, {})), NOW) == pytest.approx(1 / (1 + exp(-1.5)))
    assert facts["churn_p"](bought(), NOW) is None


def test_the_best_channel_is_where_the_customer_opens() -> None:
    """Nothing sent: push, as with everybody. Three e-mails opened: (3 + 0.4) / 5 beats 0.3; three
    that were not: 0.4 / 5 does not; a ghost send says nothing.
    """
    channel = predictions().facts()["best_channel"]
    customer = Customer("ann")
    assert channel(customer, NOW) == "push"
    customer.sends = [sent("email", opened=True) for _ in range(3)]
    assert channel(customer, NOW) == "email"
    customer.sends = [sent("push", opened=False) for _ in range(3)]
    assert channel(customer, NOW) == "email"
    customer.sends = [sent("push", opened=False, ghost=True) for _ in range(3)]
    assert channel(customer, NOW) == "push"


def test_the_best_channel_is_one_of_the_channels_of_the_rules() -> None:
    """Push is best, then e-mail, then text messages; without any of these there is none."""
    for channels, expected in (({"sms", "email", "fax"}, "email"), ({"sms"}, "sms")):
        facts = predictions().facts(channels=channels)
        assert facts["best_channel"](Customer("ann"), NOW) == expected
    assert "best_channel" not in predictions().facts(channels={"fax"})


def test_the_next_product_follows_the_fact_that_it_names() -> None:
    """What is bought after it, else what is sold most; missing without the fact or its value."""
    assert "next_product" not in predictions().facts()
    for last, expected in (("shoe", "sock"), ("cup", "hat"), (None, None)):
        known = {"last_product": lambda customer, now_ms, last=last: last}
        assert predictions().facts(known)["next_product"](Customer("ann"), NOW) == expected


def test_channels_best_goes_to_the_best_channel_first(write_rules: WriteRules) -> None:
    """Of all channels of the file; the next ones take over where it cannot reach."""
    text = RULES.replace("channels: [email]", "channels: best").split("    when:")[0]
    text = text.replace(text[text.index("segments:") : text.index("triggers:")], "")
    rules = load_rules(write_rules(text, PREDICTIONS))
    event = Event(
        topic="orders",
        event_id="1",
        type="subscribed",
        customer_id="ann",
        occurred_ms=NOW,
        data={},
    )
    for profile, expected in (
        ({"email": "a@example.com", "push_token": "p"}, "push"),
        ({"email": "a@example.com", "push_token": "p", "channels": ["email"]}, "push"),
        ({"email": "a@example.com"}, "email"),
    ):
        made: list[Decision] = []
        customer = Customer("ann", profile=profile)
        handle_event(customer, event, rules, NOW, made.append, single_partition())
        assert made[0].channel == expected
    with pytest.raises(RulesError, match="best channel"):
        load_rules(write_rules(text, MODEL))
    unknown = PREDICTIONS | {"best_channel": {"open_rates": {"fax": 0.5}, "weight": 2}}
    with pytest.raises(RulesError, match="best channel"):
        load_rules(write_rules(text, unknown))


def test_a_model_is_a_regular_file_of_bounded_size(tmp_path: Path, write_rules: WriteRules) -> None:
    """A named pipe does not hold up the start, and a large file is refused."""
    rules = write_rules()
    (tmp_path / "model.json").unlink()
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(RulesError, match="regular file"):
        load_rules(rules)
    (tmp_path / "model.json").unlink()
    (tmp_path / "model.json").write_bytes(b" " * (MAX_MODEL_BYTES + 1))
    with pytest.raises(RulesError, match="more than"):
        load_rules(rules)
