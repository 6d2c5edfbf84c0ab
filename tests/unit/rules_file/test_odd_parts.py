"""What ``validate`` warns of in rules that are valid."""

import pytest

from app.rules_file.load import parse_rules
from app.rules_file.odd_parts import find_odd_parts
from app.rules_file.yaml_reader import read_yaml_with_places

EXPIRES = """
version: 1
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         expires: 6h, steps: [{after: 30m, template: a, channels: [email]},
                              {after: 24h, template: b, channels: [email]}]}
"""
OUT_OF_ORDER = """
version: 1
triggers:
  hello: {kind: event, on: [subscribed], steps: [{after: 2h, template: a, channels: [email]},
                                                 {after: 1h, template: b, channels: [email]}]}
"""
NO_CANCEL = """
version: 1
triggers:
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, after: 30m, template: a,
         channels: [email]}
"""
ANSWERS = """
version: 1
triggers:
  one: {kind: event, on: [message_opened], template: a, channels: [email]}
  two: {kind: event, on: [message_clicked], template: b, channels: [email]}
"""
ANSWERS_ONE = ANSWERS.replace(
    "on: [message_clicked],",
    "on: [message_clicked], when: {field: event.trigger, op: ne, value: one},",
)
ANSWERS_ONCE = ANSWERS.replace("on: [message_clicked],", "on: [message_clicked], once: true,")
ALONE = """
version: 1
triggers:
  hello: {kind: event, on: [subscribed], template: a, channels: [email]}
experiments:
  x: {trigger: hello, salt: s, start: 2026-03-01, variants: {a: {weight: 1}}}
"""
THOUSAND = """
version: 1
triggers:
  big: {kind: event, on: [order_placed], when: {field: event.value, op: gte, value: 1.000},
        template: a, channels: [email]}
"""
NEVER = """
version: 1
triggers:
  big: {kind: event, on: [order_placed], when: {all: [{field: event.value, op: gt, value: 9},
        {field: event.value, op: lt, value: 5}]}, template: a, channels: [email]}
"""
SEND_TIME = """
version: 1
triggers:
  paid: {kind: event, on: [payment_verified], category: transactional,
         send_time: {horizon: 24h, min_opens: 5}, template: a, channels: [email]}
"""
DAY = """
version: 1
triggers:
  tier: {kind: date, of: profile.attributes.tier_ends, before: 14d, template: a, channels: [email]}
"""
KEYLESS = NO_CANCEL.replace("after: 30m", "cancel: [order_placed], after: 30m").replace(
    "start: [cart_updated]", "start: [cart_updated, profile_updated]"
)
NEVER_COMES = """
version: 1
triggers:
  hello: {kind: event, on: [subscribed], steps: [
    {after: 30d, template: a, channels: [email]},
    {from: {step: 0, on: sent}, after: 30d, template: b, channels: [email]},
    {from: {step: 1, on: opened}, template: c, channels: [email]}]}
"""
EXPERIMENT = """
version: 1
triggers:
  hello: {kind: event, on: [subscribed], template: a, channels: [email]}
experiments:
  x: {trigger: hello, salt: s, start: 2026-01-01, metric: METRIC, variants: {a: {}, b: {after: 1h}},
      guardrail: {metric: GUARD, worst: 0.1}}
"""
RECOVERY = EXPERIMENT.replace("METRIC", "recovery").replace("GUARD", "bounced")
SUPPORT = EXPERIMENT.replace("METRIC", "conversion").replace("GUARD", "support")


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (EXPIRES, "triggers.cart.expires", "6h is shorter than `after: 24h`"),
        (OUT_OF_ORDER, "triggers.hello.steps[1].after", "out of order"),
        (ALONE, "experiments.x.variants", "nothing to compare it with"),
        (NO_CANCEL, "triggers.cart", "no `cancel`"),
        (ANSWERS, "triggers.one", "go on for ever"),
        (THOUSAND, "triggers.big.when.value", "1.000 is 1; a thousand has no dot: 1000"),
        (NEVER, "triggers.big.when", "this never holds"),
        (SEND_TIME, "triggers.paid.send_time", "no effect"),
        (DAY, "triggers.tier.of", "no `at`"),
        (RECOVERY, "experiments.x.metric", "only those are recovered"),
        (SUPPORT, "experiments.x.guardrail.metric", "does not begin with `delivered`"),
        (KEYLESS, "triggers.cart.start", "profile_updated without cart_id is a dead letter"),
        (NEVER_COMES, "triggers.hello.steps[2].from", "step 1 is due 60 days after the event"),
    ],
)
def test_odd_parts_are_reported_with_their_place(text: str, path: str, words: str) -> None:
    """One remark each, and the rules are valid all the same."""
    parse_rules(text.encode())
    document, places = read_yaml_with_places(text.encode())
    (odd,) = find_odd_parts(document, places)
    assert odd.path == path
    assert words in odd.text


@pytest.mark.parametrize(
    "text",
    [
        SEND_TIME.replace("transactional", "marketing"),
        DAY.replace("before: 14d", 'at: "09:00", before: 14d'),
        SUPPORT.replace("subscribed", "delivered"),
        NEVER_COMES.replace("30d, template: b", "29d, template: b"),
    ],
)
def test_a_step_that_can_wait_and_a_day_with_its_time_are_not_odd(text: str) -> None:
    """What the warnings ask for silences them."""
    document, places = read_yaml_with_places(text.encode())
    assert find_odd_parts(document, places) == []


@pytest.mark.parametrize("text", [ANSWERS_ONE, ANSWERS_ONCE])
def test_triggers_that_cannot_answer_each_other_for_ever_are_not_odd(text: str) -> None:
    """One asks which trigger it answers, or lets each customer enter once."""
    document, places = read_yaml_with_places(text.encode())
    assert find_odd_parts(document, places) == []
