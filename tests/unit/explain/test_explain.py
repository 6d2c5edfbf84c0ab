"""What an explanation says, from a backtest's folder and from values."""

from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from app.backtest.history import read_arrivals
from app.backtest.replay import Replay
from app.backtest.saved_run import SavedRun
from app.cli import main
from app.core.customer.codec import encode
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.triggers.merging import leave
from app.explain.explain import explain
from app.explain.explanation import Explanation
from app.explain.timeline import timeline
from app.explain.words import gate_words
from app.explain.written import explanation_json, explanation_text
from app.formats.encode import written
from app.rules_file.load import parse_rules

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000

RULES = """
version: 1
channels: {email: {requires: email}, push: {requires: push_token}, sms: {requires: phone}}
throttle:
  cooldown: 12h
  caps: [{limit: 2, per: 1d}, {limit: 1, per: 7d, channel: sms}]
  quiet_hours: {from: "21:00", to: "08:00", channels: [push]}
holdout: {percent: 0, salt: s}
segments: {buyers: {field: customer.orders, op: gte, value: 1}}
triggers:
  seen: {kind: event, on: [product_viewed], family: seen, expires: 30h, template: seen,
         channels: [email]}
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         expires: 30h, template: reminder, channels: [email], after: 1h}
  saved: {kind: event, on: [subscribed], template: hello, channels: [sms]}
  birthday: {kind: anniversary, of: profile.birthday, at: "09:00", template: b, channels: [email]}
"""


def line(topic: str, name: str, hour: float, **data: Any) -> bytes:
    """One line of history."""
    at_ms = T0 + round(hour * HOUR)
    return orjson.dumps(
        {
            "topic": topic,
            "event_id": f"{name}-{at_ms}",
            "type": name,
            "customer_id": "ann",
            "occurred_at": at_ms,
            "data": data,
        }
    )


HISTORY = [
    line(
        "profiles",
        "profile_updated",
        0,
        email="ann@example.com",
        first_name="Ann",
        phone="+43123",
        timezone="Europe/Vienna",
        birthday="1990-05-06",
        consent={"push": False},
        attributes={"tier": "gold"},
    ),
    line("orders", "product_viewed", 1),
    line("orders", "order_placed", 2, value=30),
    line("orders", "subscribed", 3),
    line("orders", "product_viewed", 13.08),
    line("orders", "product_viewed", 14),
    line("orders", "cart_updated", 20, cart_id="c1"),
]


def replayed(rules: str = RULES, hour: float = 21.5) -> tuple[Customer, list[dict[str, Any]]]:
    """Ann's record and the written decisions, at that hour."""
    made: list[Decision] = []
    replay = Replay(parse_rules(rules.encode()), made.append)
    replay.run(read_arrivals(HISTORY), until_ms=T0 + round(hour * HOUR))
    return replay.customers.get("ann"), [orjson.loads(written(decision)[0]) for decision in made]


def explained(
    rules: str = RULES, hour: float = 21.5, *, show_personal: bool = False
) -> Explanation:
    """Ann at that hour."""
    customer, decisions = replayed(rules, hour)
    now_ms = T0 + round(hour * HOUR)
    compiled = parse_rules(rules.encode())
    return explain(customer, compiled, now_ms, decisions, show_personal=show_personal)


def test_a_deferred_step_says_what_is_full_and_when_it_is_free() -> None:
    """In the words of the issue; the local time is Vienna's, an hour ahead."""
    text = explanation_text(explained())
    assert "not sent: 2 of 2 messages in the last 24 h; possible again tomorrow 02:00" in text
    assert "  2 of 2 messages in the last 24 h; possible again tomorrow 02:00\n" in text
    assert "  0 of 1 sms messages in the last 7 days\n" in text
    assert "step 0, reminder: deferred, next try tomorrow 02:00" in text
    assert "NO  cap        email: 2 of 2 messages in the last 24 h" in text
    assert "another seen message went out today 14:04, at most one in 12 h" in text
    assert "did not say anything about sms, which means no" in text
    assert "seen: last message today 14:04, no other one until tomorrow 02:04" in text


def test_who_was_merged_says_into_whom_and_until_when() -> None:
    """In the text, in the JSON and nowhere else."""
    customer, decisions = replayed()
    leave(customer, "bob", T0 + 21 * HOUR)
    made = explain(customer, parse_rules(RULES.encode()), T0 + 21 * HOUR, decisions)
    text = explanation_text(made)
    assert "merged into bob at today 21:00: what comes until" in text
    written_json = explanation_json(made)
    assert (written_json["merged_into"], made.merged_until_ms) == ("bob", T0 + 741 * HOUR)
    assert "merged into" not in explanation_text(explained())


def test_personal_data_is_shown_only_when_asked_for() -> None:
    """Neither in the text nor in the JSON."""
    personal = ("ann@example.com", "Ann", "+43123", "1990-05-06", "gold")
    hidden = explained()
    shown = explained(show_personal=True)
    for secret in personal:
        assert secret not in explanation_text(hidden)
        assert secret not in orjson.dumps(explanation_json(hidden)).decode()
        assert secret in explanation_text(shown)
    assert hidden.profile["email"] is True
    assert hidden.profile["consent"] == {"push": False}


def test_limits_and_channels_are_those_that_the_gates_would_find() -> None:
    """In Vienna it is half past ten at night."""
    found = explained()
    states = {state.channel: state for state in found.channels}
    assert states["push"].quiet_until_ms == T0 + 31 * HOUR
    assert (states["push"].has_consent, states["push"].consent_given) == (False, False)
    assert not states["push"].has_address
    assert (states["sms"].has_address, states["sms"].has_consent) == (True, False)
    assert found.facts["segments"] == ["buyers"]
    assert found.is_held_out is False
    (cap, sms) = found.caps
    assert (cap.used, cap.limit, cap.free_ms) == (2, 2, T0 + 25 * HOUR)
    assert (sms.used, sms.free_ms) == (0, None)


def test_an_explanation_at_the_time_it_names_lets_the_next_message_pass() -> None:
    """``free_ms`` is the first instant at which the cap has room."""
    customer, _ = replayed()
    rules = parse_rules(RULES.encode())
    free_ms = explain(customer, rules, T0 + 21 * HOUR, []).caps[0].free_ms
    assert free_ms is not None
    assert explain(customer, rules, free_ms - 1, []).caps[0].free_ms == free_ms
    assert explain(customer, rules, free_ms, []).caps[0].free_ms is None


def test_a_step_that_the_rules_no_longer_have_is_marked() -> None:
    """The record is older than the rules."""
    customer, _ = replayed()
    fewer = parse_rules(RULES.replace("  cart:", "  basket:").encode())
    text = explanation_text(explain(customer, fewer, T0 + 21 * HOUR, []))
    assert "the rules no longer have it, nothing will come" in text


def test_explaining_changes_nothing_and_leaves_others_out() -> None:
    """It is a function of its arguments."""
    customer, decisions = replayed()
    before = encode(customer)
    stranger = decisions[0] | {"customer_id": "bob"}
    found = explain(
        customer, parse_rules(RULES.encode()), T0 + 22 * HOUR, [*decisions, stranger], recent=2
    )
    assert encode(customer) == before
    assert [decision.trigger for decision in found.decisions] == ["cart", "seen"]


def test_a_gate_that_the_words_do_not_know_shows_its_figures() -> None:
    """So that a new gate is explained before somebody finds words for it."""
    customer, decisions = replayed()
    decisions[-1]["gates"].append({"gate": "new_gate", "verdict": "pass", "figure": 9})
    found = explain(customer, parse_rules(RULES.encode()), T0 + 22 * HOUR, decisions)
    assert "new gate, figure 9" in explanation_text(found)


def test_a_fatigued_customer_has_the_stricter_limits() -> None:
    """Two unopened sends: half the cap of four, twice the cooldown."""
    fatigue = "fatigue: {window: 30d, min_sends: 2, open_rate_below: 0.5, cooldown_factor: 2,"
    throttle = f"throttle:\n  {fatigue} cap_factor: 0.5}}"
    rules = RULES.replace("throttle:", throttle).replace("limit: 2", "limit: 4")
    found = explained(rules, hour=16)
    assert found.is_fatigued
    assert (found.caps[0].used, found.caps[0].limit, found.caps[0].free_ms) == (
        2,
        2,
        T0 + 25 * HOUR,
    )
    (cooldown,) = found.cooldowns
    assert cooldown.until_ms - cooldown.last_ms == 24 * HOUR
    assert "opens few messages" in explanation_text(found)


def test_a_template_that_depends_is_the_one_that_fits_now() -> None:
    """And a step that has none does not count as lost."""
    choice = "template: [{when: {field: customer.orders, op: gte, value: N}, template: again}]"
    rules = RULES.replace("template: reminder", choice)
    assert "step 0, again: d" in explanation_text(explained(rules.replace("N", "1"), hour=20.5))
    found = explained(rules.replace("N", "9"), hour=20.5)
    assert "step 0, no template fits now: d" in explanation_text(found)
    assert any(entry.words.startswith("no template fits now: d") for entry in timeline(found))


def test_a_step_that_awaits_an_opening_has_a_last_day() -> None:
    """After 60 days nothing comes of it: that is no due time, and it is not given up later."""
    steps = (
        "steps: [{template: seen, channels: [email]},"
        " {from: {step: 0, on: opened}, template: again, channels: [email]}]"
    )
    found = explained(RULES.replace("template: seen,\n         channels: [email]", steps), hour=15)
    words = "again: waits for what becomes of an earlier step, at most until"
    assert f"step 1, {words} Mon 2026-03-02 14:04\n" in explanation_text(found)
    assert words in [entry.words for entry in timeline(found)]


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (
            {"gate": "send_time", "verdict": "fail", "best_hour": 9, "local_time": "07:30"},
            "waits for the best hour, 09:00 (now 07:30)",
        ),
        ({"gate": "send_time", "verdict": "pass", "opens": 2}, "2 opens on record, too few"),
        (
            {"gate": "fatigue", "verdict": "pass", "opened": 0, "sends": 7, "fatigued": True},
            "opened 0 of 7 messages, fatigued",
        ),
        (
            {"gate": "holdout", "verdict": "fail", "experiment": "e", "variant": "none"},
            "gets nothing in experiment e (none)",
        ),
        ({"gate": "condition", "verdict": "fail", "of": "step"}, "the step's condition does not"),
        ({"gate": "condition", "verdict": "fail", "of": "template"}, "no template fits"),
        (
            {"gate": "suppressed", "verdict": "fail", "channel": "sms", "cause": "bounced"},
            "sms: the address bounced",
        ),
        (
            {"gate": "reach", "verdict": "fail", "channel": "sms", "field": "phone"},
            "no phone number on file",
        ),
    ],
)
def test_each_gate_has_its_words(gate: dict[str, Any], words: str) -> None:
    """With the figures that it used."""
    assert gate_words(gate, str).startswith(words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a backtest over the history leaves."""
    (tmp_path / "r.yaml").write_text(RULES)
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(HISTORY))
    out = tmp_path / "out"
    command = ["backtest", "--rules", str(tmp_path / "r.yaml"), "--events"]
    options = ["--out", str(out), "--until", str(T0 + round(21.5 * HOUR))]
    assert main([*command, str(tmp_path / "e.jsonl"), *options]) == 0
    return out


def test_a_folder_gives_back_record_rules_and_now(folder: Path) -> None:
    """Nothing is lost on the way through the files."""
    kept = SavedRun(folder)
    customer, decisions = replayed()
    assert kept.customer("ann") == customer
    assert kept.customer("an") is None
    assert kept.decisions("ann") == decisions
    assert kept.rules.version == parse_rules(RULES.encode()).version
    assert kept.now_ms == T0 + round(21.5 * HOUR)


def test_the_command_explains_from_a_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As text and as JSON, both with words and figures."""
    capsys.readouterr()
    assert main(["explain", "ann", "--out", str(folder)]) == 0
    assert capsys.readouterr().out == explanation_text(explained())
    assert main(["explain", "ann", "--out", str(folder), "--format", "json", "--last", "1"]) == 0
    (decision,) = orjson.loads(capsys.readouterr().out)["decisions"]
    assert decision["words"].startswith("not sent: 2 of 2 messages")
    assert decision["next_eligible_at"] == "2026-01-02T01:00:00.000Z"
    assert decision["gates"][-1]["words"] == "2 of 2 messages in the last 24 h"


@pytest.mark.parametrize("options", [["bob"], ["ann", "--last", "-1"], ["ann", "--format", "xml"]])
def test_bad_usage_is_two(folder: Path, options: list[str]) -> None:
    """An unknown customer too."""
    assert main(["explain", *options, "--out", str(folder)]) == 2


def test_a_folder_without_a_run_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what was expected."""
    assert main(["explain", "ann", "--out", str(tmp_path)]) == 2
    assert "expected the --out folder of triggers backtest" in capsys.readouterr().err
    (tmp_path / "run.json").write_bytes(msgspec.json.encode({"now_ms": "x"}))
    assert main(["explain", "ann", "--out", str(tmp_path)]) == 2


def test_customers_are_found_by_name_and_address(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In any case; what was found is shown only where personal data is asked for."""
    capsys.readouterr()
    customer = replayed()[0]
    email = customer.profile["email"]
    command = ["explain", "--out", str(folder), "--find"]
    assert main([*command, email.upper()[:5]]) == 0
    assert capsys.readouterr().out == "ann  email\n"
    assert main([*command, email, "--show-personal"]) == 0
    assert capsys.readouterr().out == f"ann  email: {email}\n"
    assert main([*command, email, "--show-personal", "--format", "json"]) == 0
    found = {"customer_id": "ann", "found_in": "email", "value": email}
    assert orjson.loads(capsys.readouterr().out) == {"matches": [found], "more": False}
    assert main([*command, email, "--format", "html"]) == 2
    assert main([*command, "AN"]) == 0
    assert capsys.readouterr().out.startswith("ann  id\n")
    assert main([*command, "nobody here"]) == 2
    assert main(["explain", "ann", *command[1:], "x"]) == 2
    assert main(["explain", "--find", "x"]) == 2


def test_sums_that_overflow_are_missing_and_hide_no_customer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON has no infinity; whoever comes after such a record in the file is found as well."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        """
version: 1
channels: {email: {requires: email}}
facts:
  spent: {sum: order_placed.value}
  spent_lately: {sum: order_placed.value, within: 90d}
segments: {big: {field: customer.spent, op: gt, value: 1}}
triggers:
  thanks: {kind: event, on: [order_placed], template: t, channels: [email]}
"""
    )
    orders = [("ann", 1e308, number) for number in range(80)] + [("ben", 5.0, 80)]
    lines = [
        {
            "topic": "orders",
            "event_id": f"e{number}",
            "type": "order_placed",
            "customer_id": customer_id,
            "occurred_at": 1_767_225_600_000 + number * 1000,
            "data": {"value": value, "order_id": f"o{number}"},
        }
        for customer_id, value, number in orders
    ]
    lines.append(
        lines[0]
        | {"event_id": "off", "type": "order_cancelled", "occurred_at": 1_767_225_700_000}
        | {"data": {"order_id": "o79"}}
    )
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    out = str(tmp_path / "out")
    assert main(["backtest", "--rules", str(rules), "--events", str(events), "--out", out]) == 0
    capsys.readouterr()
    for customer_id, spend in (("ann", None), ("ben", 5.0)):
        assert main(["explain", customer_id, "--out", out, "--format", "json"]) == 0
        facts = orjson.loads(capsys.readouterr().out)["facts"]
        assert facts["spend"] == spend
        assert facts["spent"] == spend
        assert facts["spent_lately"] == spend
    assert main(["explain", "--find", "ben", "--out", out]) == 0
    assert capsys.readouterr().out == "ben  id\n"


def test_what_the_model_says_is_that_of_the_decisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cluster and the segments that ask for it, from the folder alone."""
    feature = {"name": "frequency", "mean": 1.0, "std": 1.0}
    centroids = [{"name": "rare", "at": [-1.0]}, {"name": "often", "at": [1.0]}]
    model = {"version": 1, "clusters": {"features": [feature], "centroids": centroids}}
    (tmp_path / "model.json").write_bytes(orjson.dumps(model))
    (tmp_path / "rules.yaml").write_text(
        """
version: 1
model: model.json
channels: {email: {requires: email}}
segments: {keen: {field: customer.cluster, op: eq, value: often}}
triggers:
  thanks: {kind: event, on: [order_placed], template: t, channels: [email]}
"""
    )
    lines = [
        {
            "topic": "orders",
            "event_id": f"e{number}",
            "type": "order_placed",
            "customer_id": "ann",
            "occurred_at": 1_767_225_600_000 + number * 1000,
            "data": {"value": 5, "order_id": f"o{number}"},
        }
        for number in range(3)
    ]
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    rules, events, out = (str(tmp_path / name) for name in ("rules.yaml", "e.jsonl", "out"))
    assert main(["backtest", "--rules", rules, "--events", events, "--out", out]) == 0
    (tmp_path / "model.json").unlink()
    last = orjson.loads((tmp_path / "out" / "decisions.jsonl").read_bytes().splitlines()[-1])
    assert (last["cluster"], last["segments"]) == ("often", ["keen"])
    capsys.readouterr()
    assert main(["explain", "ann", "--out", out, "--format", "json"]) == 0
    facts = orjson.loads(capsys.readouterr().out)["facts"]
    assert (facts["cluster"], facts["segments"]) == ("often", ["keen"])


def test_a_broken_record_is_named_by_file_and_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 for the customer whose it is."""
    (folder / "customers.jsonl").write_bytes(b'["ann",{"x":null},[],null]\n')
    assert main(["explain", "ann", "--out", str(folder)]) == 2
    assert "customers.jsonl, line 1: not a customer record" in capsys.readouterr().err


def test_one_trigger_or_what_is_new_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only its decisions, messages and open instances; an unknown trigger is an error."""
    capsys.readouterr()
    command = ["explain", "ann", "--out", str(folder), "--format", "json", "--last", "99"]
    assert main([*command, "--trigger", "seen"]) == 0
    shown = orjson.loads(capsys.readouterr().out)
    assert {each["trigger"] for each in shown["decisions"]} == {"seen"}
    assert {each["trigger"] for each in shown["sends"]} == {"seen"}
    assert shown["instances"] == []
    since = "2026-01-01T14:00:00Z"
    assert main([*command, "--since", since]) == 0
    shown = orjson.loads(capsys.readouterr().out)
    assert shown["decisions"]
    assert all(each["decided_at"] >= since[:19] for each in shown["decisions"])
    assert shown["sends"] == []
    assert main([*command, "--trigger", "nothing"]) == 2
    assert "expected one of " in capsys.readouterr().err


def test_the_page_from_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one that a worker serves."""
    capsys.readouterr()
    assert main(["explain", "ann", "--out", str(folder), "--format", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>\n")


def test_declared_facts_are_explained_and_segments_may_use_them() -> None:
    """A list, an instant, a sum; one that other rules define otherwise is empty again."""
    facts = (
        "facts:\n  spent: {sum: order_placed.value}\n  viewed: {last: product_viewed}\n"
        "  carts: {last: cart_updated.cart_id, keep: 3}\n"
    )
    asked = "{field: customer.spent, op: gte, value: 30}"
    rules = facts + RULES.replace("{field: customer.orders, op: gte, value: 1}", asked)
    found = explained(rules).facts
    assert (found["spent"], found["carts"]) == (30, ["c1"])
    assert (found["viewed"], found["segments"]) == ("2026-01-01T14:00:00.000Z", ["buyers"])

    customer, decisions = replayed(rules)
    other = parse_rules(
        rules.replace("{sum: order_placed.value}", "{max: order_placed.value}").encode()
    )
    found = explain(customer, other, T0 + 22 * HOUR, decisions).facts
    assert (found["spent"], found["carts"], found["segments"]) == (None, ["c1"], [])


def test_starts_that_opened_nothing_are_explained() -> None:
    """The cart was touched a minute after its purchase; the second view did not meet ``when``."""
    rules = RULES.replace("on: [product_viewed]", "on: [product_viewed], once: true")
    found = explained(rules)
    assert [(stop.trigger, stop.reason) for stop in found.stopped] == [("seen", "once")] * 2
    text = explanation_text(found)
    assert "Opened nothing, newest first\n  today 15:00  seen" in text
    assert "`once`: the customer has been in it before" in text
