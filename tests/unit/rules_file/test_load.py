"""Rules files: what is wrong is said whole, and what is accepted compiles and runs."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from app.core.compile import compile_rules
from app.core.customer.record import Customer
from app.core.errors import ConfigError
from app.core.events import TYPES, Event
from app.core.rules.rates import single_partition
from app.core.transitions import handle_event
from app.rules_file.load import SCHEMA, RulesError, find_problems, load_rules, parse_rules
from tests.effort import examples

DEFAULT_RULES = Path(__file__).parents[3] / "deploy" / "rules.yaml"
DOCUMENT: dict[str, Any] = YAML(typ="safe", pure=True).load(DEFAULT_RULES)

MINIMAL = """
version: 1
triggers:
  hello: {kind: event, on: subscribed, template: hi, channels: [email]}
"""


def problems_of(text: str) -> dict[str, str]:
    """Path -> the rest of each problem of a rules file."""
    with pytest.raises(RulesError) as caught:
        parse_rules(text.encode())
    return {
        problem.path: f"{problem.expected} | {problem.found}" for problem in caught.value.problems
    }


def test_the_schema_is_a_schema() -> None:
    """The shipped schema is valid by its own meta-schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_default_rules_are_valid() -> None:
    """What ships passes the schema and the validator."""
    jsonschema.validate(DOCUMENT, SCHEMA)
    assert len(load_rules(DEFAULT_RULES).triggers) >= 30


def test_on_is_a_name_and_not_a_boolean() -> None:
    """YAML 1.2: ``on`` and ``21:00`` are text."""
    rules = parse_rules(
        MINIMAL.encode() + b"throttle: {quiet_hours: {from: 21:00, to: 08:00}}\ntimezone: UTC\n"
    )
    (quiet,) = rules.quiet_hours
    assert (quiet.window.start, quiet.window.end) == (21 * 60, 8 * 60)


def test_the_version_is_the_hash_of_the_file() -> None:
    """Two files that differ in a comment are two versions."""
    one, other = parse_rules(MINIMAL.encode()), parse_rules(MINIMAL.encode() + b"# x\n")
    assert one.version != other.version
    assert len(one.version) == 64


def test_all_problems_are_reported_at_once() -> None:
    """Shape, names and times are wrong in one file: each is reported with its path."""
    problems = problems_of(
        """
version: 2
timezone: Mars
colour: red
attribution_window: 0s
throttle: {cooldown: 48 hours, caps: [{limit: 0, per: 1d}]}
triggers:
  a: {kind: event, start: [x], template: t, channels: [email]}
  b: {kind: event, on: [nope], template: t, channels: [fax],
      when: {field: event.valeu, op: gte, value: 3}}
  c: {kind: milestone, sum: order_placed.value, every: 3, template: t, channels: [email]}
  d: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [cart_updated],
      template: t, channels: [email]}
  e: {kind: what, template: t, channels: [email]}
"""
    )
    assert problems["version"] == "1, the version of the rules language | 2"
    assert problems["timezone"] == "an IANA time zone | 'Mars'"
    assert problems["colour"].endswith("| 'colour'")
    assert problems["attribution_window"] == "a duration longer than nothing | '0s'"
    assert "48h" in problems["throttle.cooldown"]
    assert problems["throttle.caps[0].limit"] == "at least 1 | 0"
    assert problems["triggers.a.on"] == "to be there | nothing"
    assert problems["triggers.a.start"].endswith("| 'start'")
    assert problems["triggers.b.on[0]"] == "an event type of the contract | 'nope'"
    assert "email, sms, push" in problems["triggers.b.channels[0]"]
    assert "event.value" in problems["triggers.b.when.field"]
    assert problems["triggers.c.every"] == "nothing here together with `sum` | 3"
    assert "does not open" in problems["triggers.d.cancel[0]"]
    assert "abandonment" in problems["triggers.e.kind"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "a YAML document"),
        ("version: 1\nversion: 1\ntriggers: {}", "a YAML document"),
        ("[]", "an object"),
        ("&a [*a]", "a YAML document"),
        ("", "an object"),
    ],
)
def test_what_is_not_a_document_is_refused(text: str, expected: str) -> None:
    """Broken YAML, repeated keys and cycles are one clear problem."""
    with pytest.raises(RulesError) as caught:
        parse_rules(text.encode())
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found", "line"),
    [
        ("version: 1\nversion: 1\n", 'duplicate key "version"', 2),
        ("version: 1\n\ttriggers: {}\n", "character '\\t' that cannot start any token", 2),
        ("version: 1\na: {b: {c: d}\ne: f\n", "expected ',' or '}'", 3),
        ("version: 1\n---\nversion: 1\n", "another document", 2),
    ],
)
def test_broken_yaml_is_one_line_with_its_place(text: str, found: str, line: int) -> None:
    """Where and what is wrong, without the parser's own names for the file or its settings."""
    with pytest.raises(RulesError) as caught:
        parse_rules(text.encode())
    (problem,) = caught.value.problems
    assert found in problem.found
    assert problem.line == line
    assert problem.column > 0
    assert "byte string" not in str(problem)
    assert "suppress" not in str(problem)


def test_what_is_expected_says_what_to_write() -> None:
    """A wrong value is answered with what may stand there, once."""
    problems = problems_of(
        """
version: 1
currency: euro
channels: {email: {requires: mail}}
triggers:
  büro: {kind: event, on: order_placed, template: t, channels: email}
"""
    )
    assert "such as EUR" in problems["currency"]
    assert "push_token or attributes.NAME" in problems["channels.email.requires"]
    assert "letters" in problems["triggers.büro"]
    assert problems["triggers.büro.channels"] == "a list of channels, or best | 'email'"
    assert len(problems) == 4


def test_a_broken_token_or_condition_hides_no_other_part_of_its_trigger() -> None:
    """All problems at once, also inside one trigger."""
    problems = problems_of(
        """
version: 1
channels: {email: {requires: email}}
triggers:
  a:
    kind: event
    on: [order_placed]
    when: [{field: customer.orders, op: gt, value: 3}]
    tokens: {a: event.value | default 3, b: customer.oders, c: 5, d: event.vale}
    steps:
      - {template: t, channels: [sms], when: {field: customer.orders, op: gt, value: x}}
"""
    )
    assert problems.keys() == {
        "triggers.a.when",
        "triggers.a.tokens.a",
        "triggers.a.tokens.b",
        "triggers.a.tokens.c",
        "triggers.a.tokens.d",
        "triggers.a.steps[0].channels[0]",
        "triggers.a.steps[0].when.value",
    }


def test_a_milestone_sums_a_declared_field_whatever_digits_its_name_has() -> None:
    """Type and field may be named as ``events:`` allows."""
    rules = parse_rules(
        b"""
version: 1
channels: {email: {requires: email}}
events: {orders: {order2_made: {amount2: number}}}
triggers:
  a: {kind: milestone, sum: order2_made.amount2, reaches: 5, template: t, channels: [email]}
"""
    )
    assert rules.triggers["a"].name == "a"


def test_a_file_that_is_not_there_is_a_config_error() -> None:
    """The message names the file."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_rules(Path("nowhere.yaml"))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(allow_nan=False, width=16),
    st.sampled_from(["", "0s", "3d", "x", "email", "order_placed", "event.value", "08:00", "9d"]),
    st.just([]),
    st.just({}),
    st.just(["email"]),
    st.just([{}]),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a document."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            found += _places(inner, (*path, key))
        else:
            found.append((*path, key))
    return found


PLACES = _places(DOCUMENT)


@st.composite
def broken_documents(draw: st.DrawFn) -> Any:
    """The default rules with a few values replaced, taken away or added."""
    document = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        parent = document
        try:
            for part in path[:-1]:
                parent = parent[part]
            match draw(st.integers(0, 2)):
                case 0:
                    parent[path[-1]] = draw(JUNK)
                case 1:
                    del parent[path[-1]]
                case _ if isinstance(parent, dict):
                    parent[draw(st.sampled_from(["on", "key", "steps", "when", "x"]))] = draw(JUNK)
        except (KeyError, IndexError, TypeError):
            continue
    return document


def test_a_number_with_a_point_is_no_integer() -> None:
    """Such a limit would be an index of a list when a step is decided."""
    problems = problems_of(
        f"{MINIMAL}  bye: {{kind: event, on: subscribed, template: t, channels: [email],"
        " priority: 50.0}\n"
        "throttle: {caps: [{limit: 2.0, per: 1d}]}\n"
    )
    assert problems == {
        "throttle.caps[0].limit": "an integer | 2.0",
        "triggers.bye.priority": "an integer | 50.0",
    }


@examples(300)
@given(document=broken_documents())
def test_validator_and_schema_agree_and_what_passes_runs(document: Any) -> None:
    """The validator refuses all that the schema refuses; what it accepts compiles and decides."""
    problems = find_problems(document)
    if not jsonschema.Draft202012Validator(SCHEMA).is_valid(document):
        assert problems
    if problems:
        assert all(problem.expected and problem.found for problem in problems)
        return
    rules = compile_rules(document, version="x")
    customer = Customer("ann", profile={"email": "a@example.com"})
    for number, (topic, names) in enumerate(sorted(TYPES.items())):
        for name in sorted(names):
            data = {"cart_id": "c", "booking_id": "b", "value": 30.5, "sku": "s", "price": 200}
            event = Event(
                topic=topic,
                event_id=f"{number}-{name}",
                type=name,
                customer_id="ann",
                occurred_ms=1_767_225_600_000,
                data={} if topic == "profiles" else data,
            )
            handle_event(
                customer, event, rules, 1_767_225_600_000, lambda decision: None, single_partition()
            )


@pytest.mark.parametrize("token", ["", "customer", "a b", "event."])
def test_a_token_that_is_no_path_is_one_problem_among_others(token: str) -> None:
    """The other problems of the file are reported, too."""
    body = {"kind": "event", "on": "order_placed", "template": "t", "channels": ["email"]}
    triggers = {"t": body | {"tokens": {"x": token}}, "u": body | {"priority": 101}}
    paths = {problem.path for problem in find_problems({"version": 1, "triggers": triggers})}
    assert {"triggers.t.tokens.x", "triggers.u.priority"} <= paths


@pytest.mark.parametrize("kind", [["text"], {}, 1, None])
def test_a_field_of_a_kind_that_is_no_text_is_one_problem_among_others(kind: object) -> None:
    """The other problems of the file are reported, too."""
    body = {"kind": "event", "on": "order_placed", "template": "t", "channels": ["email"]}
    events = {"orders": {"order_placed": {"brand": kind}}}
    document = {"version": 1, "events": events, "triggers": {"u": body | {"priority": 101}}}
    paths = {problem.path for problem in find_problems(document)}
    assert {"events.orders.order_placed.brand", "triggers.u.priority"} <= paths


def test_too_many_facts_are_counted_and_the_limit_is_named() -> None:
    """As is anything else that has too many parts."""
    body = {"kind": "event", "on": "order_placed", "template": "t", "channels": ["email"]}
    facts = {f"fact_{number}": {"count": "order_placed"} for number in range(33)}
    steps = [{"template": "t", "channels": ["email"]}] * 65
    triggers = {"one": body, "many": {"kind": "event", "on": "order_placed", "steps": steps}}
    found = {
        problem.path: (problem.expected, problem.found)
        for problem in find_problems({"version": 1, "facts": facts, "triggers": triggers})
    }
    assert found == {
        "facts": ("at most 32 entries", "33 entries"),
        "triggers.many.steps": ("at most 64 entries", "65 entries"),
    }
