"""What is refused in date triggers, and in the steps of a variant."""

from tests.unit.rules_file.test_load import problems_of

DATES = """
version: 1
events: {bookings: {booking_confirmed: {departs_at: time, day: date, place: text}}}
triggers:
  instant: {kind: date, of: event.departs_at, on: [booking_confirmed], key: booking_id,
            at: "10:00", template: t, channels: [email]}
  day: {kind: date, of: event.day, on: [booking_confirmed], key: booking_id, template: t,
        channels: [email]}
  place: {kind: date, of: event.place, on: [booking_confirmed], key: booking_id, template: t,
          channels: [email]}
"""
VARIANT = """
version: 1
triggers:
  hello: {kind: event, on: [subscribed], template: t, channels: [email]}
experiments:
  x:
    trigger: hello
    salt: s
    start: 2026-01-01
    variants:
      a: {}
      b:
        steps:
          - {before: 1d, template: t, channels: [email]}
          - {from: {step: 1, on: sent}, after: 1h, template: t, channels: [email]}
"""
KEYS = """
version: 1
events: {orders: {cart_updated: {gift: flag, lines: items, number: number}}}
triggers:
  flag: {kind: frequency, on: [cart_updated], key: gift, times: 2, within: 1d, template: t,
         channels: [email]}
  list: {kind: abandonment, start: [cart_updated], key: [cart_id, lines], template: t,
         channels: [email]}
  number: {kind: abandonment, start: [cart_updated], key: number, template: t, channels: [email]}
"""
AUDIENCE = """
version: 1
events: {orders: {order_placed: {gift: flag}}}
triggers:
  birthday: {kind: anniversary, of: profile.birthday, template: t, channels: [email]}
  hello: {kind: event, on: [subscribed], template: t, channels: [email]}
  ends: {kind: date, of: profile.attributes.ends, at: "09:00", before: 2d, template: t,
         channels: [email]}
experiments:
  one: {trigger: birthday, salt: s, start: 2026-01-01, variants: {a: {}, b: {after: 1h}},
        when: {field: event.value, op: gt, value: 9}}
  two: {trigger: hello, salt: s, start: 2026-01-01,
        variants: {a: {}, b: {template: [{when: {field: event.gift, op: eq, value: true},
                                         template: g}]}}}
  three: {trigger: ends, salt: s, start: 2026-01-01, variants: {a: {}, b: {after: 1h}}}
"""


def test_an_experiment_asks_about_the_event_of_its_trigger() -> None:
    """What such an event cannot have would leave the audience empty; and a variant that is after
    and before a date is neither.
    """
    found = problems_of(AUDIENCE)
    assert found.keys() == {
        "experiments.one.when.field",
        "experiments.two.variants.b.template[0].when.field",
        "experiments.three.variants.b.after",
    }
    assert "an anniversary has no event" in found["experiments.one.when.field"]


def test_a_day_needs_a_time_and_an_instant_has_one() -> None:
    """What is neither is refused: a declared field says what it is."""
    assert problems_of(DATES) == {
        "triggers.instant.at": "nothing here, because event.departs_at is an instant, which has"
        " its time of day | '10:00'",
        "triggers.day.at": "the time of day (HH:MM), because event.day is a day | nothing",
        "triggers.place.of": "a field declared as time or date | event.place, text",
    }


def test_the_steps_of_a_variant_are_checked_like_those_of_its_trigger() -> None:
    """``before`` in an event trigger, and a step that counts from itself."""
    path = "experiments.x.variants.b.steps"
    found = problems_of(VARIANT)
    assert set(found) == {f"{path}[0].before", f"{path}[1].from.step"}
    assert found[f"{path}[1].from.step"] == "an earlier step, from 0 to 0 | 1"


def test_a_field_that_can_never_be_a_key_is_refused() -> None:
    """No flag or list is text or an integer: each event would be a dead letter, or not count."""
    expected = "a field that is text or an integer, because nothing else is a key"
    assert problems_of(KEYS) == {
        "triggers.flag.key": f"{expected} | gift, flag",
        "triggers.list.key": f"{expected} | lines, items",
    }
