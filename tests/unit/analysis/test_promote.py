"""Putting a winner in the place of its experiment: the rest of the file stays as it is."""

from pathlib import Path

import pytest

from app.analysis.experiments.promote import promote_file, promoted
from app.core.errors import ConfigError
from app.rules_file.load import load_rules, parse_rules
from app.settings.model import default_rules_path

RULES = """\
# our rules
version: 1
triggers:
  hello: {kind: event, on: subscribed, template: hi, channels: [email]}   # short
  cart:
    kind: abandonment   # carts
    start: cart_updated
    key: cart_id
    steps:
      # the first
      - template: "first"   # quoted
        after: 30m
        channels: [email]
      - {after: 24h, template: second, channels: [email]}
experiments:
  greeting:
    trigger: hello
    salt: s
    start: 2026-01-01
    variants:
      plain: {}
      warm: {after: 5m, template: warm-hi}
  # about carts
  timing:
    trigger: cart
    salt: s
    start: "2026-01-01"
    variants:
      now: {}
      later:
        after: 2h
        template:
          - {when: {field: customer.orders, op: gte, value: 1}, template: again}
          - template: late   # for the others
      never: {ghost: true}
# the end
"""


def test_only_the_experiment_and_the_first_step_change() -> None:
    """Comments, quotes and spacing of all else are kept, line for line."""
    after = promoted(RULES, {"greeting": "warm"})
    gone = RULES[RULES.index("  greeting:") : RULES.index("  # about carts")]
    expected = RULES.replace(gone, "").replace(
        "{kind: event, on: subscribed, template: hi,",
        "{after: 5m, kind: event, on: subscribed, template: warm-hi,",
    )
    assert after == expected


def test_the_last_experiment_takes_the_heading_along() -> None:
    """In a file whose steps are blocks; a template list becomes one line."""
    after = promoted(RULES, {"greeting": "plain", "timing": "later"})
    assert "experiments" not in after
    assert "template: hi," in after
    assert after.endswith("# the end\n")
    assert "        after: 2h\n" in after
    assert '      - template: [{"when": {"field": "customer.orders", "op": "gte"' in after
    assert "   # quoted\n" in after
    assert "      # the first\n" in after


def test_flow_style_and_the_rules_that_ship(tmp_path: Path) -> None:
    """An experiment written on one line, at the end of the default rules."""
    text = default_rules_path().read_text(encoding="utf-8")
    body = (
        "{trigger: win_back, salt: s, start: 2026-01-01, variants: {a: {}, b: {channels: [push]}}}"
    )
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        f"{text}experiments: {{one: {body}, two: {body.replace('win_back', 'vip')}}}\n"
    )
    promote_file(rules, rules, {"one": "b"})
    step = load_rules(rules).triggers["win_back"].steps[0]
    assert step.channels == ("push",)
    assert load_rules(rules).triggers["vip"].experiment is not None
    promote_file(rules, tmp_path / "new.yaml", {"two": "a"})
    kept = text.replace(
        "template: we-miss-you, channels: [email, push]", "template: we-miss-you, channels: [push]"
    )
    assert (tmp_path / "new.yaml").read_text() == kept


def test_a_winner_that_sends_nothing_is_for_a_person(tmp_path: Path) -> None:
    """The file stays as it was."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    with pytest.raises(ConfigError, match="sends nothing"):
        promote_file(rules, rules, {"timing": "never"})
    assert rules.read_text() == RULES


def test_anchors_that_tie_places_together_are_refused() -> None:
    """Here two triggers share a template, and only one of them is to change."""
    tied = RULES.replace("template: hi", "template: &t hi").replace('"first"', "*t")
    assert "template: &t" in tied
    with pytest.raises(ConfigError, match="anchors"):
        promoted(tied, {"greeting": "warm"})


def test_steps_of_a_winner_take_the_place_of_the_triggers() -> None:
    """Of one that says its message itself, and of one that has steps."""
    own = "[{template: a, channels: [email]}, {after: 1d, template: b, channels: [email]}]"
    text = RULES.replace("{after: 5m, template: warm-hi}", f"{{steps: {own}}}")
    text = text.replace("never: {ghost: true}", f"never: {{steps: {own}}}")
    after = promoted(text, {"greeting": "warm", "timing": "never"})
    rules = parse_rules(after.encode())
    for name in ("hello", "cart"):
        assert [step.template for step in rules.triggers[name].steps] == ["a", "b"]
    assert "# short" in after
    assert "# carts" in after


def test_a_winner_with_an_audience_is_for_a_person() -> None:
    """It has not been shown to be better for the others."""
    text = RULES.replace(
        "trigger: hello\n", "trigger: hello\n    when: {field: profile.email, op: exists}\n"
    )
    with pytest.raises(ConfigError, match="audience"):
        promoted(text, {"greeting": "warm"})
