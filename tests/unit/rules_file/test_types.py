"""Types are known: what can never hold is refused with its place and the nearest spelling."""

import pytest

from app.rules_file.load import RulesError, parse_rules

RULES = """
version: 1
segments: {{loyal: {{field: customer.orders, op: gte, value: 2}}}}
channels: {{email: {{requires: email}}}}
events: {{orders: {{order_placed: {{day: date}}}}}}
facts: {{day: {{last: order_placed.day}}}}
triggers:
  a: {{kind: event, on: [price_drop_detected], template: t, channels: [email],
      when: {leaf}}}
"""


@pytest.mark.parametrize(
    ("leaf", "hint"),
    [
        ("{field: event.new_price, op: contains, value: 9}", "eq"),
        ("{field: event.currency, op: eq, value: usd}", "USD"),
        ("{field: profile.phone, op: exists, value: no}", "false"),
        ("{field: event.new_price, op: lt, value: event.old_price}", "{field: event.old_price}"),
        ("{field: customer.lifecycle, op: eq, value: Prospect}", "prospect"),
        ('{field: customer.orders, op: eq, value: "0"}', "0 without quotes"),
        ("{field: customer.segments, op: contains, value: royal}", "loyal"),
        ("{field: customer.orders, op: gte, value: 0}", ""),
        ("{field: profile.consent.emial, op: eq, value: true}", "profile.consent.email"),
        ('{field: event.sku, op: eq, value: "\\ud800"}', ""),
        ("{field: event.value, op: gt, value: .nan}", ""),
        ('{field: customer.day, op: eq, value: "--03-01"}', ""),
        ("{field: profile.attributes.member, op: gte, value: true}", ""),
        ("{field: event.value, op: gt, value: 0xfffffffffffffffffffffff}", ""),
    ],
)
def test_a_leaf_that_cannot_hold_is_refused(leaf: str, hint: str) -> None:
    """One problem, with its line and what may have been meant."""
    with pytest.raises(RulesError) as caught:
        parse_rules(RULES.format(leaf=leaf).encode())
    (problem,) = caught.value.problems
    assert (problem.line, problem.hint) == (9, hint)


@pytest.mark.parametrize(
    "leaf",
    [
        '{field: profile.birthday, op: eq, value: "--03-01"}',
        '{field: profile.birthday, op: lt, value: "2008-01-01"}',
        "{field: profile.consent.email, op: eq, value: true}",
        "{field: event.new_price, op: lte, value: {field: event.old_price, times: 0.95}}",
    ],
)
def test_a_leaf_that_can_hold_is_accepted(leaf: str) -> None:
    """Dates, consents and other fields are compared."""
    assert parse_rules(RULES.format(leaf=leaf).encode()).triggers
