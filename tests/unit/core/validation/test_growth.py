"""What is refused in the parts of a rules file that throttle, time and compare messages."""

from app.rules_file.load import parse_rules
from tests.unit.rules_file.test_load import problems_of

TRIGGERS = """
version: 1
triggers:
  hello: {kind: event, on: subscribed, template: hi, channels: [email]}
  there: {kind: event, on: subscribed, template: hi, channels: [email]}
  other: {kind: event, on: subscribed, template: hi, channels: [email]}
  fourth: {kind: event, on: subscribed, template: hi, channels: [email]}
  receipt: {kind: event, on: subscribed, template: hi, channels: [email], category: transactional}
"""


def _experiments(*bodies: str) -> str:
    lines = [f"  x{number}: {{{body}}}" for number, body in enumerate(bodies)]
    return "\n".join([TRIGGERS, "experiments:", *lines, ""])


def _body(trigger: str, start: str = "2026-01-01", **more: str) -> str:
    parts = {"trigger": trigger, "salt": "s", "start": start, "variants": "{a: {}, b: {}}"} | more
    return ", ".join(f"{name}: {value}" for name, value in parts.items())


def test_throttle_and_send_time_are_checked() -> None:
    """Durations that are none, shares over one, a horizon of nothing."""
    found = problems_of(
        """
version: 1
throttle:
  arbitration: soon
  fatigue: {window: 0, min_sends: 0, open_rate_below: 2, cooldown_factor: 0.5, cap_factor: 0}
triggers:
  a: {kind: event, on: subscribed, template: hi, channels: [email], send_time: {min_opens: 0}}
  b:
    kind: event
    on: subscribed
    steps: [{template: t, channels: [email], send_time: {horizon: 0}}]
"""
    )
    assert "48h" in found["throttle.arbitration"]
    assert found["throttle.fatigue.min_sends"] == "at least 1 | 0"
    assert found["throttle.fatigue.open_rate_below"] == "at most 1 | 2"
    assert found["throttle.fatigue.cooldown_factor"] == "at least 1 | 0.5"
    assert found["throttle.fatigue.cap_factor"] == "more than 0 | 0"
    assert found["triggers.a.send_time.min_opens"] == "at least 1 | 0"
    assert "longer than nothing" in found["triggers.b.steps[0].send_time.horizon"]


def test_every_problem_of_an_experiment_is_reported() -> None:
    """Trigger, variants, weights, channels, ghosts and times."""
    found = problems_of(
        _experiments(
            _body("nobody"),
            _body("hello", "2026-13-01", variants="{a: {channels: [fax]}, b: {}}"),
            _body("hello", max_duration="1d", burn_in="2d"),
            _body("receipt", "2027-01-01", variants="{a: {}, b: {ghost: true}}", max_duration="0"),
            _body("other", variants="{a: {weight: 0}, b: {colour: red}}"),
        )
    )
    assert found["experiments.x0.trigger"] == "the name of a trigger | 'nobody'"
    assert "RFC 3339" in found["experiments.x1.start"]
    assert "email, sms, push" in found["experiments.x1.variants.a.channels[0]"]
    assert "it has x1" in found["experiments.x2.trigger"]
    assert "shorter than max_duration" in found["experiments.x2.burn_in"]
    assert "transactional" in found["experiments.x3.variants.b.ghost"]
    assert "longer than nothing" in found["experiments.x3.max_duration"]
    assert found["experiments.x4.variants.a.weight"] == "more than 0 | 0"
    assert found["experiments.x4.variants.b.colour"].endswith("| 'colour'")


def test_metrics_audiences_and_what_variants_change_are_checked() -> None:
    """Against the one list of metrics, the ghost variant, and what goes together."""
    ghost = "{a: {}, b: {ghost: true}}"
    steps = "[{template: t, channels: [fax]}]"
    found = problems_of(
        _experiments(
            _body("hello", metric="revenue", max_duration="1d"),
            _body("there", metric="opens", variants=ghost, start="2026-03-01", max_duration="1d"),
            _body(
                "other",
                start="2026-05-01",
                when="{field: profile.nope, op: exists}",
                guardrail="{metric: sales, worst: 0.1}",
                variants=f"{{a: {{}}, b: {{steps: {steps}, after: 1h}}}}",
                max_duration="1d",
            ),
            _body("receipt", start="2026-07-01", variants="{a: {}, b: {cooldown: 1h}}"),
            _body("fourth", start="2025-07-01", guardrail="{metric: opened, worst: 1}"),
        )
    )
    assert found["experiments.x0.metric"].startswith("one of conversion, recovery")
    assert (
        "b, which sends nothing, can have (conversion, recovery, review, support)"
        in (found["experiments.x1.metric"])
    )
    assert "profile.birthday" in found["experiments.x2.when.field"]
    assert found["experiments.x2.guardrail.metric"].endswith("| 'sales'")
    assert "`steps` says it all" in found["experiments.x2.variants.b.after"]
    assert "email, sms, push" in found["experiments.x2.variants.b.steps[0].channels[0]"]
    assert "transactional" in found["experiments.x3.variants.b.cooldown"]
    assert "experiments.x4.guardrail.worst" in found


def test_more_experiments_at_once_than_allowed_are_refused() -> None:
    """Four that overlap are too many by default; they may follow each other, or be allowed."""
    names = ("hello", "there", "other", "fourth")
    together = _experiments(*(_body(name) for name in names))
    assert "at most 3 at once" in problems_of(together)["experiments"]
    parse_rules(f"max_concurrent_experiments: 4\n{together}".encode())
    starts = ("2026-01-01", "2026-01-01", "2026-01-08", "2026-01-15T00:00:00Z")
    pairs = zip(names, starts, strict=True)
    parse_rules(_experiments(*(_body(n, s, max_duration="7d") for n, s in pairs)).encode())


def test_a_broken_trigger_is_still_the_trigger_of_its_experiment() -> None:
    """One mistake is one problem."""
    text = _experiments(_body("hello")).replace("template: hi", "template: 3", 1)
    assert list(problems_of(text)) == ["triggers.hello.template"]


def test_dates_need_no_quotes() -> None:
    """YAML would make them dates; here they stay the text that they are."""
    text = _experiments(_body("hello", "2026-01-01T00:00:00+01:00"), _body("other", "2026-03-01"))
    experiment = parse_rules(text.encode()).triggers["hello"].experiment
    assert experiment is not None
    assert experiment.start_ms == 1_767_222_000_000


def test_conditions_templates_and_tokens_are_checked_wherever_they_are() -> None:
    """In steps, in lists of templates, in variants; segments that exist."""
    found = problems_of(
        """
version: 1
segments:
  loyal: {field: customer.orders, op: gte, value: 2}
  odd: {field: event.value, op: gte, value: 2}
  odder: {field: customer.segments, op: contains, value: loyal}
experiments:
  x:
    trigger: a
    salt: s
    start: 2026-01-01
    variants: {one: {}, two: {template: [{when: {field: event.y, op: exists}, template: t}]}}
triggers:
  a:
    kind: event
    on: subscribed
    tokens: {name: "profile.name | default: 3", other: "profile.first_name | default: there"}
    steps:
      - {template: [], channels: [email], when: {field: event.x, op: exists}}
  b:
    kind: event
    on: subscribed
    tokens: {name: "profile.name | default: 3"}
    template: [{template: u}, {when: {field: event.z, op: exists}, template: t}]
    channels: [email]
    when: {field: customer.segments, op: contains, value: loyall}
"""
    )
    assert "profile.* or customer.*" in found["segments.odd.field"]
    assert "customer.spend" in found["segments.odder.field"]
    assert "event.value" in found["experiments.x.variants.two.template[0].when.field"]
    assert found["triggers.a.steps[0].template"].startswith("something")
    assert "default" in found["triggers.a.tokens.other"]
    assert "profile.first_name" in found["triggers.b.tokens.name"]
    assert "last template" in found["triggers.b.template[0].when"]
    assert "event.value" in found["triggers.b.template[1].when.field"]
    assert found["triggers.b.when.value"] == "one of the segments loyal, odd, odder | 'loyall'"
