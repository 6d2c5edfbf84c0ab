"""What the demo puts on the screen, and where that is no screen."""

import io
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from app.cli import main
from app.core.time.instants import parse_rfc3339
from app.demo.show import LiveShow, PlainShow, is_live, is_worth_a_line, open_show
from app.demo.summary import Facts, summary_text
from app.demo.tally import Tally
from app.demo.words import line_of, words_of
from app.kafka import embedded_broker

START_MS = parse_rfc3339("2026-06-15T12:00:00Z")


def decision(outcome: str, reason: str, **fields: Any) -> dict[str, Any]:
    """A record of ``decisions``, as far as the demo reads it."""
    return {
        "customer_id": "c-0001",
        "trigger": "cart_abandoned",
        "step": 0,
        "category": "marketing",
        "outcome": outcome,
        "reason": reason,
        "channel": None,
        "template": "cart-reminder-1",
        "due_at": "2026-06-15T12:00:05.000Z",
        "decided_at": "2026-06-15T12:00:06.000Z",
        "next_eligible_at": None,
        "gates": [],
    } | fields


def failed(gate: str, **figures: Any) -> list[dict[str, Any]]:
    """The gates of a decision that this one made, with one before and one after."""
    return [
        {"gate": "expired", "verdict": "pass"},
        {"gate": gate, "verdict": "pass", "channel": "email"},
        {"gate": gate, "verdict": "fail", **figures},
        {"gate": gate, "verdict": "fail", "channel": "later"},
    ]


WORDS = [
    (decision("send", "passed"), "cart-reminder-1"),
    (decision("holdout", "holdout"), "control group: nothing goes out"),
    (decision("recall", "cancelled"), "taken back: bought before it was sent"),
    (decision("suppress", "condition"), "its condition does not hold any more"),
    (decision("suppress", "cancelled"), "not needed any more"),
    (decision("suppress", "superseded"), "something newer took its place"),
    (
        decision("suppress", "expired", due_at="2025-06-15T12:00:06.000Z"),
        "too late: it was due 365 days ago",
    ),
    (
        decision(
            "suppress",
            "cooldown",
            gates=failed("cooldown", family="cart", last_sent_at="2026-06-15T11:59:59.000Z"),
        ),
        "7 s after another cart message",
    ),
    (decision("suppress", "reach", gates=failed("reach", field="phone")), "no phone number"),
    (
        decision("suppress", "consent", gates=failed("consent", channel="sms")),
        "no consent to sms",
    ),
    (
        decision("suppress", "suppressed", gates=failed("suppressed", cause="bounced")),
        "the address bounced",
    ),
    (
        decision(
            "defer",
            "cap",
            gates=failed("cap", count=2, limit=2, per_s=60),
            next_eligible_at="2026-06-15T12:00:40.000Z",
        ),
        "had 2 messages in 60 s; again in 34 s",
    ),
    (
        decision(
            "suppress",
            "quiet",
            gates=failed("quiet", local_time="23:15", timezone="Pacific/Auckland"),
        ),
        "23:15 in Pacific/Auckland",
    ),
    (decision("defer", "send_time", next_eligible_at="2026-06-15T12:00:07.000Z"), "send_time"),
]


@pytest.mark.parametrize(("record", "expected"), WORDS)
def test_a_decision_says_why(record: dict[str, Any], expected: str) -> None:
    """In words, with the figures of the gate that made it."""
    assert words_of(record).startswith(expected)


def test_a_plain_line_has_it_all() -> None:
    """When, what, who, which step, how and why."""
    out = io.StringIO()
    show = open_show(Console(file=out), START_MS, "http://localhost:1/metrics")
    show.note("ready")
    show.decision(line_of(decision("send", "passed", channel="push", step=1), "Mia K."))
    show.tick(1.0, 1, Tally())
    show.close()

    assert isinstance(show, PlainShow)
    ready, line = out.getvalue().splitlines()
    assert ready == "ready"
    assert line.split() == [
        *("6.0s", "send", "Mia", "K.", "cart_abandoned", "#2", "push", "cart-reminder-1")
    ]


def test_plain_lines_are_sampled_where_they_repeat() -> None:
    """Every marketing send and recall, of the rest the first and then one in ten."""
    send = line_of(decision("send", "passed"), "Mia K.")
    recall = line_of(decision("recall", "cancelled", category="transactional"), "Mia K.")
    receipt = line_of(decision("send", "passed", category="transactional"), "Mia K.")
    held = line_of(decision("suppress", "condition"), "Mia K.")

    assert all(is_worth_a_line(line, n) for line in (send, recall) for n in range(1, 40))
    for line in (receipt, held):
        assert [n for n in range(1, 31) if is_worth_a_line(line, n)] == [1, 2, 10, 20, 30]


@pytest.mark.parametrize(
    ("is_terminal", "environ", "expected"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_only_a_terminal_gets_a_table(
    is_terminal: bool, environ: dict[str, str], expected: bool
) -> None:
    """And only one whose owner does not mind."""
    assert is_live(Console(file=io.StringIO(), force_terminal=is_terminal), environ) is expected


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 50), (40, 8)])
def test_the_table_fits_the_screen(width: int, height: int) -> None:
    """With the latest decisions, and the counts below."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    show = LiveShow(console, START_MS, "http://localhost:6066/metrics")
    tally = Tally()
    for number in range(60):
        record = decision("suppress", "condition", trigger=f"t{number}", channel="[email]")
        tally.take_decision(record)
        show.decision(line_of(record, f"[{number}]"))
    show.tick(1.0, 1, tally)
    frame = console.render_lines(show.frame(1.0, 1, tally), pad=False)
    text = "\n".join("".join(segment.text for segment in line) for line in frame)
    show.close()
    show.close()

    assert "t59" in text
    assert "suppress" in text
    assert len(frame) <= max(height, 16)


def test_a_request_counts_once() -> None:
    """At least once is what the worker promises."""
    tally = Tally()
    request = {"request_id": "r", "kind": "send", "trigger": "vip", "channel": "email"}

    assert tally.take_request(request)
    assert not tally.take_request(request)
    assert tally.take_request(request | {"kind": "recall"})
    assert (tally.sent, tally.recalls) == (1, 1)


def led_to(kind: str, role: str | None = None, **more: Any) -> dict[str, Any]:
    """A record of ``outcomes``."""
    return {
        "request_id": "r",
        "kind": kind,
        "role": role,
        "ghost": False,
        "value": None,
        "cause": {"event_id": f"{kind}-{role}"},
        **more,
    }


def test_the_summary_adds_up() -> None:
    """Totals, each outcome and reason, each trigger by channel, what it led to, what next."""
    tally = Tally()
    for record in (
        led_to("conversion", "direct", value=50),
        led_to("conversion", "direct", value=50),
        led_to("conversion", "assisted", value=50),
        led_to("recovery"),
        led_to("conversion", "direct", value=7, ghost=True, request_id="g"),
    ):
        tally.take_outcome(record)
    for outcome, reason in [("send", "passed"), ("suppress", "cap"), ("suppress", "cap")]:
        tally.take_decision(decision(outcome, reason))
    tally.take_request(
        {"request_id": "r", "kind": "send", "trigger": "cart_abandoned", "channel": "push"}
    )
    facts = Facts(
        customers=3,
        published=40,
        duplicates=5,
        seconds=20.0,
        metrics_url="http://localhost:1234/metrics",
        rules_path="deploy/rules.yaml",
    )

    text = summary_text(tally, facts)

    assert "purchases 1, worth 50.00 EUR" in text
    assert "recovered 1" in text
    assert "made 1 purchases (recovered 0)" in text
    words = Counter(text.split())
    assert "3 customers, 40 events published in 20 s, 3 decisions, 1 messages sent" in text
    assert "suppress cap 2" in " ".join(text.split())
    assert "cart_abandoned 1" in " ".join(text.split())
    assert words["http://localhost:1234/metrics."] == 1
    for command in ("backtest", "validate", "worker"):
        assert f"`triggers {command} " in text


@pytest.mark.parametrize("seconds", ["5", "86400", "soon", "nan"])
def test_a_length_that_makes_no_sense_is_refused(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is started."""
    assert main(["demo", "--seconds", seconds]) == 2
    assert "10 to 3600" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And ends with 1."""

    def nothing(_: str) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr(embedded_broker, "files", nothing)

    assert main(["demo"]) == 1
    assert "pip install '.[demo]'" in capsys.readouterr().err
