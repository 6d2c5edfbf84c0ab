"""What a message led to, as support sees it."""

from typing import Any

import orjson

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.core.decisions import Decision
from app.explain.explain import explain
from app.explain.explanation import Explanation
from app.explain.page import customer_page
from app.explain.timeline import timeline
from app.explain.written import explanation_json, explanation_text
from app.formats.encode import written
from app.rules_file.load import parse_rules
from tests.unit.explain.test_explain import HOUR, T0, line

RULES = b"""
version: 1
channels: {email: {requires: email}}
triggers:
  hello: {kind: event, on: [subscribed], template: hello, channels: [email]}
  news: {kind: event, on: [onboarding_completed], template: news, channels: [email]}
"""
#: The same, and nobody is written to.
GHOSTS = RULES + b"holdout: {percent: 100, salt: s}\n"


def explained(rules: bytes, *, with_decisions: bool = True) -> Explanation:
    """Ann was greeted, clicked, got the news, and bought."""
    lines = [
        line("profiles", "profile_updated", 0, email="ann@example.com"),
        line("orders", "subscribed", 1),
        line("orders", "onboarding_completed", 2),
    ]
    made: list[Decision] = []
    compiled = parse_rules(rules)
    replay = Replay(compiled, made.append)
    replay.run(read_arrivals(lines))
    clicked: dict[str, Any] = {"request_id": made[0].request_id, "channel": "email"}
    more = [
        line("engagement", "message_clicked", 3, **clicked),
        line("orders", "order_placed", 4, value=30),
    ]
    replay.run(read_arrivals(more))
    records = [orjson.loads(written(decision)[0]) for decision in made]
    return explain(
        replay.customers.get("ann"),
        compiled,
        T0 + 5 * HOUR,
        records if with_decisions else [],
    )


def test_a_send_says_what_it_led_to() -> None:
    """In text, JSON and page; the click got the purchase, the later message an assist."""
    found = explained(RULES)
    assert {one.trigger: one.led_to for one in found.sends} == {
        "hello": ["clicked", "conversion"],
        "news": ["assisted"],
    }
    hello = "sent by email; led to: clicked, a purchase"
    news = "sent by email; led to: a purchase, for which another message gets the credit"
    text = explanation_text(found)
    page = customer_page(found)
    words = [decision["words"] for decision in explanation_json(found)["decisions"]]
    assert words == [news, hello]
    for each in (hello, news):
        assert each in text
        assert each in page


def test_what_a_ghost_send_came_to_is_no_success() -> None:
    """The customer of the control group bought all the same, and opened nothing."""
    text = explanation_text(explained(GHOSTS))
    assert "led to" not in text
    assert "(would have gone by email); all the same: a purchase\n" in text


def test_a_send_without_its_decision_says_it_too() -> None:
    """As when the decision is too old to be read back."""
    words = {entry.words for entry in timeline(explained(RULES, with_decisions=False))}
    assert "sent by email; led to: clicked, a purchase" in words
