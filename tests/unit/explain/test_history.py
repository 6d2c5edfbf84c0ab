"""What a record knows of the past, in words."""

from app.core.time.instants import format_rfc3339
from app.explain.explanation import Explanation
from app.explain.written import explanation_json, explanation_text
from tests.unit.explain.test_explain import HOUR, T0, explained


def words(explanation: Explanation) -> list[tuple[float, str, str]]:
    """(hour, kind, words) of each event."""
    return [((e.occurred_ms - T0) / HOUR, e.kind, e.what) for e in explanation.events]


def test_events_are_known_by_what_they_set_off_and_by_marks() -> None:
    """Events are listed with what they caused, newest first."""
    assert words(explained()) == [
        (20.0, "event", "what set off cart c1"),
        (14.0, "event", "viewed a product"),
        (14.0, "event", "what set off seen"),
        (13.08, "event", "viewed a product"),
        (13.08, "event", "what set off seen"),
        (3.0, "event", "what set off saved"),
        (2.0, "event", "first order"),
        (1.0, "event", "viewed a product"),
        (1.0, "event", "what set off seen"),
        (
            0.0,
            "profile",
            "profile: attributes, birthday, consent, email, first_name, phone, timezone",
        ),
    ]


def test_an_anniversary_names_no_event() -> None:
    """Its anchor is the customer's day, and that is personal data."""
    assert "birthday" not in " ".join(
        what for _, kind, what in words(explained()) if kind == "event"
    )


def test_sends_are_known_without_their_decisions() -> None:
    """For as long as a limit may ask for them."""
    sends = explained().sends
    assert [(each.trigger, each.sent_ms, each.is_opened) for each in sends] == [
        ("seen", T0 + round(13.08 * HOUR), False),
        ("seen", T0 + 1 * HOUR, False),
    ]


def test_text_and_json_have_them() -> None:
    """With the times of the customer, and in UTC."""
    explanation = explained()
    assert "  today 21:00  what set off cart c1\n" in explanation_text(explanation)
    written = explanation_json(explanation)
    assert written["events"][0]["occurred_at"] == format_rfc3339(T0 + 20 * HOUR)
    assert written["decisions_since_at"] is None
