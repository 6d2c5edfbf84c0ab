"""How the checks of a decision are written."""

import json
from typing import Any

import pytest

from app.core.decisions import Check
from app.formats.checks import written_checks

PASS: dict[str, Any] = {"verdict": "pass"}
FAIL: dict[str, Any] = {"verdict": "fail"}


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (("expired", True, None), PASS),
        (("condition", False, None, "step"), FAIL | {"of": "step"}),
        (("condition", False, None, "template", None), FAIL | {"of": "template"}),
        (("condition", True, None, "template", "ü"), PASS | {"of": "template", "template": "ü"}),
        (
            ("fatigue", True, None, 5, 1, True),
            PASS | {"sends": 5, "opened": 1, "fatigued": True},
        ),
        (("cooldown", True, None, "a", 90_000, None), PASS | {"family": "a", "cooldown_s": 90}),
        (
            ("cooldown", False, None, "a", 1000, 5),
            FAIL | {"family": "a", "cooldown_s": 1, "last_sent_at": "1970-01-01T00:00:00.005Z"},
        ),
        (("reach", False, "sms", "phone"), FAIL | {"channel": "sms", "field": "phone"}),
        (("consent", True, "sms", None), PASS | {"channel": "sms", "given": None}),
        (("consent", False, "sms", False), FAIL | {"channel": "sms", "given": False}),
        (("suppressed", True, "sms", None), PASS | {"channel": "sms"}),
        (("suppressed", False, "sms", "bounced"), FAIL | {"channel": "sms", "cause": "bounced"}),
        (
            ("cap", True, "sms", 1, 2, 86_400_000, None, None, "cart"),
            PASS | {"channel": "sms", "count": 1, "limit": 2, "per_s": 86_400, "trigger": "cart"},
        ),
        (
            ("quiet", False, "sms", 61, "UTC"),
            FAIL | {"channel": "sms", "local_time": "01:01", "timezone": "UTC"},
        ),
        (
            ("rate", True, "sms", 0, 1500),
            PASS | {"channel": "sms", "next_slot_at": "1970-01-01T00:00:00.000Z", "space_s": 1.5},
        ),
        (
            ("send_time", True, None, 2, 5, None, 0, "UTC"),
            PASS | {"opens": 2, "min_opens": 5, "local_time": "00:00", "timezone": "UTC"},
        ),
        (("holdout", True, None, 7, 500.0, None), PASS | {"bucket": 7, "limit": 500.0}),
        (
            ("holdout", False, None, None, None, None, "e", "v"),
            FAIL | {"experiment": "e", "variant": "v"},
        ),
    ],
)
def test_a_check_is_a_flat_object_in_the_order_of_the_registry(
    check: Check, expected: dict[str, Any]
) -> None:
    """The first time as well as from memory; what is None is left out, but for consent."""
    for text in (written_checks((check,)), written_checks((check,))):
        written = json.loads(text)
        assert list(written.items()) == list(({"gate": check[0]} | expected).items())
