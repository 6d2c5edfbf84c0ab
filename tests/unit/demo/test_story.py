"""The demo's story shows what the engine can do: rehearsed on the core, without Kafka."""

import heapq
from collections import Counter
from typing import Any

import msgspec
import orjson
import pytest

from app.backtest.history import Arrival
from app.backtest.replay import Replay
from app.core.compile import compile_rules
from app.core.decisions import Decision, Outcome, Reason
from app.core.errors import EventError
from app.core.events import ALL_TYPES, Event
from app.core.outcomes import SendOutcome
from app.core.time.instants import parse_rfc3339
from app.demo.audience import react
from app.demo.customers import Role, make_people, registrations
from app.demo.happening import EventBody, Happening
from app.demo.moment import next_moment_ms
from app.demo.rules import shorten
from app.demo.story import tell
from app.demo.words import words_of
from app.formats.decode import Erasure, decode_record
from app.formats.encode import written
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path

LAUNCH_MS = parse_rfc3339("2026-06-15T12:00:10Z")
START_UP_MS = 4_000
SETTLE_MS = 4_000
SECONDS = 75.0
CUSTOMERS = 220


class Rehearsal(msgspec.Struct):
    """What a demo launched then comes to."""

    start_ms: int
    decisions: list[Decision]
    counts: Counter[str]
    published: list[Happening]
    led_to: list[SendOutcome]

    def outcomes(self) -> Counter[tuple[str, str]]:
        """Decisions by outcome and reason."""
        return Counter((each.outcome.value, each.reason.value) for each in self.decisions)

    def sent(self, role: Role, seed: int = 1) -> set[str]:
        """The triggers that reached people of this role."""
        ids = {p.customer_id for p in make_people(seed, CUSTOMERS, 0) if p.role is role}
        return {
            each.trigger
            for each in self.decisions
            if each.outcome is Outcome.SEND and each.customer_id in ids
        }


def rehearse(launch_ms: int = LAUNCH_MS, seed: int = 1, seconds: float = SECONDS) -> Rehearsal:
    """Run the demo on the core: the audience answers what is dispatched."""
    moment_ms = next_moment_ms(launch_ms, 20_000)
    document = shorten(load_rules(default_rules_path()).document, moment_ms=moment_ms)
    people = make_people(seed, CUSTOMERS, moment_ms)
    start_ms = launch_ms + START_UP_MS
    queue: list[tuple[int, int, Happening]] = []
    rehearsal = Rehearsal(start_ms, [], Counter(), [], [])

    def add(happenings: list[Happening]) -> None:
        for each in happenings:
            heapq.heappush(queue, (each.at_ms, len(queue) + len(rehearsal.published), each))

    def emit(decision: Decision) -> None:
        rehearsal.decisions.append(decision)
        request = written(decision)[1]
        if request is not None:
            add(react(orjson.loads(request), seed, decision.decided_ms))

    replay = Replay(
        compile_rules(document, version="demo"),
        emit,
        outcome=rehearsal.led_to.append,
        grace_ms=1_000,
    )
    add(list(registrations(people, launch_ms)))
    add(tell(people, seed, start_ms, seconds))
    end_ms = start_ms + round(seconds * 1000)
    while queue and queue[0][0] < end_ms:
        _, _, happening = heapq.heappop(queue)
        rehearsal.published.append(happening)
        replay.take(arrival(happening, len(rehearsal.published)))
    replay.finish(end_ms + SETTLE_MS)
    rehearsal.counts = replay.counts
    return rehearsal


def arrival(happening: Happening, number: int) -> Arrival:
    """The record as the worker decodes it."""
    try:
        content: Any = decode_record(
            happening.topic, 0, number, happening.customer_id.encode(), happening.value()
        )
    except EventError as exc:
        content = exc
    if isinstance(content, Erasure):
        content = content.customer_id
    return Arrival(number, happening.at_ms, content)


@pytest.fixture(scope="module")
def rehearsal() -> Rehearsal:
    """The default demo, at its default length."""
    return rehearse()


def test_every_outcome_is_there_more_than_once(rehearsal: Rehearsal) -> None:
    """Sends, control group, both reasons to wait, what gates hold back, recalls."""
    outcomes = rehearsal.outcomes()

    assert outcomes["send", "passed"] > 300
    assert outcomes["recall", "cancelled"] >= 2
    assert outcomes["holdout", "holdout"] >= 2
    assert outcomes["defer", "cap"] >= 2
    assert outcomes["defer", "quiet"] >= 2
    for reason in (Reason.COOLDOWN, Reason.REACH, Reason.CONSENT, Reason.SUPPRESSED):
        assert outcomes["suppress", reason] >= 2
    assert outcomes["suppress", "quiet"] >= 1
    assert outcomes["suppress", "expired"] >= 1


def test_messages_lead_to_something(rehearsal: Rehearsal) -> None:
    """They are read, bring people back to their carts, and cost a few."""
    kinds = Counter(each.kind.value for each in rehearsal.led_to if not each.is_ghost)

    assert kinds["opened"] > kinds["clicked"] > kinds["recovery"] >= 5
    assert kinds["conversion"] >= kinds["recovery"]
    assert kinds["unsubscribed"] >= 1
    assert kinds["bounced"] >= 1


def test_every_trigger_sends(rehearsal: Rehearsal) -> None:
    """All of the rules that ship, but for the loyalty programme, which the caps of a short life may
    leave no room.
    """
    triggers = load_rules(default_rules_path()).triggers
    sent = {each.trigger for each in rehearsal.decisions if each.outcome is Outcome.SEND}

    assert set(triggers) - sent <= {"loyalty_programme"}


def test_guests_who_log_in_get_the_reminder_of_their_cart(rehearsal: Rehearsal) -> None:
    """Decided for the customer; the decision says whose cart it was."""
    moved = [each for each in rehearsal.decisions if each.merged_from is not None]

    assert {each.customer_id for each in moved if each.outcome is Outcome.SEND}
    assert all(each.merged_from == f"guest-{each.customer_id}" for each in moved)


def test_publishers_make_mistakes(rehearsal: Rehearsal) -> None:
    """The story has dead letters, duplicates and an erased customer."""
    assert rehearsal.counts["dead_letter"] >= 2
    assert rehearsal.counts["duplicate"] >= 2
    assert rehearsal.counts["erased"] >= 1


def test_every_decision_has_words(rehearsal: Rehearsal) -> None:
    """Whatever its gates recorded."""
    for each in rehearsal.decisions:
        words = words_of(orjson.loads(written(each)[0]))
        assert words
        assert words != each.reason


def test_something_is_seen_soon(rehearsal: Rehearsal) -> None:
    """Sends within seconds, a recall within half a minute."""
    first: dict[str, float] = {}
    for each in rehearsal.decisions:
        after_s = (each.decided_ms - rehearsal.start_ms) / 1000
        first.setdefault(each.outcome.value, after_s)

    assert first["send"] < 5
    assert first["suppress"] < 10
    assert first["defer"] < 15
    assert first["recall"] < 30
    assert first["holdout"] < 40


@pytest.mark.parametrize("second", [0, 40, 59])
def test_the_moment_comes_while_the_demo_runs(second: int) -> None:
    """At whatever second of a minute the demo is started, and on both sides of midnight."""
    launch_ms = parse_rfc3339("2027-12-31T22:58:00Z") + second * 1000

    rehearsal = rehearse(launch_ms)

    assert "birthday" in rehearsal.sent(Role.BIRTHDAY)
    assert "loyalty_anniversary" in rehearsal.sent(Role.MEMBER)
    assert "first_purchase_anniversary" in rehearsal.sent(Role.FIRST_YEAR)
    assert "cart_abandoned" in rehearsal.sent(Role.NIGHT)


@pytest.mark.parametrize("seed", [2, 2026])
def test_other_seeds_tell_other_stories_as_rich(seed: int) -> None:
    """Every kind of decision comes with other seeds, too."""
    outcomes = {outcome for outcome, _ in rehearse(seed=seed).outcomes()}

    assert outcomes == {outcome.value for outcome in Outcome}


def test_a_short_demo_has_a_recall_too() -> None:
    """The shortest that is useful."""
    assert rehearse(seconds=15).outcomes()["recall", "cancelled"] >= 1


def test_a_seed_is_a_story(rehearsal: Rehearsal) -> None:
    """The same people do the same things, at any time of day; another seed, other things."""

    def plot(seed: int, start_ms: int) -> list[tuple[int, bytes | str | None]]:
        people = make_people(seed, CUSTOMERS, LAUNCH_MS)
        return [
            (each.at_ms - start_ms, each.body.event_id + each.body.type)
            if isinstance(each.body, EventBody)
            else (each.at_ms - start_ms, each.body)
            for each in tell(people, seed, start_ms, SECONDS)
        ]

    assert plot(1, LAUNCH_MS) == plot(1, LAUNCH_MS + 3_600_000)
    assert plot(1, LAUNCH_MS) != plot(2, LAUNCH_MS)


def test_it_speaks_the_contract(rehearsal: Rehearsal) -> None:
    """Every event but the garbled ones is understood, of a known type, and in order."""
    decoded = [arrival(each, 1).content for each in rehearsal.published]
    errors = [each.reason for each in decoded if isinstance(each, EventError)]
    types = Counter(each.type for each in decoded if isinstance(each, Event))

    assert set(errors) == {"not_json"}
    assert types.keys() <= ALL_TYPES | {"product_restocked"}
    assert not ALL_TYPES - types.keys() - {"order_cancelled", "message_complained"}
    people = make_people(1, CUSTOMERS, LAUNCH_MS)
    times = [each.at_ms for each in tell(people, 1, LAUNCH_MS, SECONDS)]
    assert times == sorted(times)


def test_late_is_published_after_it_happened(rehearsal: Rehearsal) -> None:
    """The purchases that recall something."""
    late = [
        each
        for each in rehearsal.published
        if isinstance(each.body, EventBody)
        and each.body.type == "order_placed"
        and 1_000 < each.at_ms - each.body.occurred_ms < 60_000
    ]

    assert len(late) >= 2
