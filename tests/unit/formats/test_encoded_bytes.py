"""Decisions, requests and outcomes are, byte for byte, what orjson makes of a dictionary."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.core.decisions import Check, Decision, Figure, Outcome, Reason
from app.core.gates.registry import GATES, FigureSpec, Form, Gate
from app.core.outcome_kind import Kind
from app.core.outcomes import Role, SendOutcome
from app.core.recorded import Cause, SendRequest
from app.core.time.instants import MAX_MS, MIN_MS
from app.formats.encode import written, written_outcome
from tests.effort import examples

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: What JSON escapes, what it does not though it looks like it, separators of JSON, and characters
#: of one to four bytes.
ODD: Final = '"\\/\b\t\n\x00\x1f\x7f\x80\u2028\u2029é€😀,:{}[]a1'
TEXTS = (
    st.text("abc-1", max_size=8)
    | st.text(ODD, max_size=4)
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
OPTIONAL = st.none() | TEXTS
#: few, so that what is kept for decisions that are alike is used
NAMES = st.sampled_from(["cart", "order", "é", 'a"b', "\\", "\u2028"])
INSTANTS = st.integers(MIN_MS, MAX_MS) | st.integers(1_700_000_000_000, 1_700_200_000_000)
INTEGERS = st.integers(-3, 3) | st.integers(-(1 << 63), (1 << 64) - 1)
NUMBERS = INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
TOKENS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
PLACES = st.none() | st.integers(0, (1 << 63) - 1)
CAUSES = st.builds(Cause, NAMES, PLACES, PLACES, TEXTS, st.none() | TEXTS)
EXPERIMENTS = st.none() | st.tuples(NAMES, NAMES)
#: Figures that are true or false; none is now a number and now a boolean.
BOOLEANS: Final = {"fatigued", "given"}


def figures(spec: FigureSpec) -> st.SearchStrategy[Figure]:
    """What a gate may report under this name."""
    if spec.form is Form.INSTANT:
        return st.none() | INSTANTS
    if spec.form is Form.LOCAL_TIME:
        return st.none() | st.integers(0, 24 * 60 - 1)
    if spec.form is not Form.VALUE:
        return st.none() | st.integers(0, 10**12)
    if spec.name in BOOLEANS:
        return st.none() | st.booleans()
    broken = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x % 1 != 0)
    return st.none() | TEXTS | INTEGERS | broken


@st.composite
def checks(draw: st.DrawFn) -> Check:
    """A check of any gate, with all its figures or the first of them."""
    gate = draw(st.sampled_from(Gate))
    specs = GATES[gate].figures
    some = specs[: draw(st.integers(0, len(specs)))]
    return (
        gate.value,
        draw(st.booleans()),
        draw(st.none() | NAMES),
        *[draw(figures(spec)) for spec in some],
    )


REQUESTS = st.builds(
    SendRequest,
    st.sampled_from(["send", "recall"]),
    OPTIONAL,
    OPTIONAL,
    st.dictionaries(TEXTS, TOKENS, max_size=4),
)
DECISIONS = st.builds(
    Decision,
    request_id=TEXTS,
    customer_id=TEXTS,
    trigger=NAMES,
    key=TEXTS,
    step=st.integers(0, 3),
    category=st.sampled_from(["marketing", "transactional"]),
    priority=st.integers(0, 2),
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason),
    channel=st.none() | NAMES,
    template=st.none() | NAMES,
    anchor_ms=INSTANTS,
    due_ms=INSTANTS,
    decided_ms=INSTANTS,
    expires_ms=INSTANTS,
    cause=CAUSES,
    rules_version=NAMES,
    next_eligible_ms=st.none() | INSTANTS,
    gates=st.lists(checks(), max_size=4).map(tuple),
    experiment=EXPERIMENTS,
    design=st.none() | NAMES,
    segments=st.lists(TEXTS, max_size=3),
    cluster=st.none() | NAMES,
    dispatch=st.none() | REQUESTS,
    merged_from=OPTIONAL,
)
OUTCOMES = st.builds(
    SendOutcome,
    request_id=TEXTS,
    customer_id=TEXTS,
    trigger=NAMES,
    step=st.integers(0, 3),
    channel=NAMES,
    experiment=EXPERIMENTS,
    is_ghost=st.booleans(),
    kind=st.sampled_from(Kind),
    latency_ms=st.integers(0, 10**7) | st.integers(0, MAX_MS - MIN_MS),
    occurred_ms=INSTANTS,
    cause=CAUSES,
    design=st.none() | NAMES,
    segments=st.lists(TEXTS, max_size=3),
    cluster=st.none() | NAMES,
    role=st.sampled_from([None, *get_args(Role)]),
    value=st.none() | NUMBERS,
    margin=st.none() | NUMBERS,
    currency=OPTIONAL,
    score=st.none() | NUMBERS,
    merged_from=OPTIONAL,
)


def time(instant_ms: int | None) -> str | None:
    """As the standard library writes it."""
    if instant_ms is None:
        return None
    at = EPOCH + timedelta(milliseconds=instant_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_figure(form: Form, figure: Any) -> object:
    """What JSON says of a figure."""
    match form:
        case Form.INSTANT:
            return time(figure)
        case Form.SECONDS:
            return figure // 1000
        case Form.FINE_SECONDS:
            return figure / 1000
        case Form.LOCAL_TIME:
            return (EPOCH + timedelta(minutes=figure)).strftime("%H:%M")
        case Form.VALUE:
            return figure


def plain_check(check: Check) -> dict[str, object]:
    """A check as an object."""
    gate, passed, channel, *some = check
    plain: dict[str, object] = {"gate": gate, "verdict": "pass" if passed else "fail"}
    if channel is not None:
        plain["channel"] = channel
    for spec, figure in zip(GATES[Gate(str(gate))].figures, some, strict=False):
        if figure is not None:
            plain[spec.name] = plain_figure(spec.form, figure)
        elif spec.is_nullable:
            plain[spec.name] = None
    return plain


def plain_cause(cause: Cause) -> dict[str, object]:
    """Where an event was read, without its trace."""
    return {
        "topic": cause.topic,
        "partition": cause.partition,
        "offset": cause.offset,
        "event_id": cause.event_id,
    }


def plain_experiment(experiment: tuple[str, str] | None) -> dict[str, str] | None:
    """An experiment as an object."""
    return None if experiment is None else {"name": experiment[0], "variant": experiment[1]}


@examples(200)
@given(DECISIONS)
def test_a_decision_and_its_request_are_written_as_orjson_writes_them(decision: Decision) -> None:
    """All verdicts, gates with any figures, and texts that JSON escapes."""
    shared = {
        "request_id": decision.request_id,
        "customer_id": decision.customer_id,
        "trigger": decision.trigger,
        "step": decision.step,
        "key": decision.key,
        "category": decision.category,
        "priority": decision.priority,
        "channel": decision.channel,
        "template": decision.template,
        "experiment": plain_experiment(decision.experiment),
        "due_at": time(decision.due_ms),
        "decided_at": time(decision.decided_ms),
        "expires_at": time(decision.expires_ms),
        "rules_version": decision.rules_version,
        "cause": plain_cause(decision.cause),
    }
    if decision.merged_from is not None:
        shared["merged_from"] = decision.merged_from
    own = {
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "design": decision.design,
        "segments": decision.segments,
        "cluster": decision.cluster,
        "anchor_at": time(decision.anchor_ms),
        "next_eligible_at": time(decision.next_eligible_ms),
        "gates": [plain_check(check) for check in decision.gates],
    }
    request = decision.dispatch

    for record, sent in (written(decision), written(decision)):
        assert record == orjson.dumps(shared | own)
        if request is None:
            assert sent is None
        else:
            content = {
                "kind": request.kind,
                "address": request.address,
                "locale": request.locale,
                "tokens": request.tokens,
            }
            assert sent == orjson.dumps(shared | content)


@examples(200)
@given(OUTCOMES)
def test_an_outcome_is_written_as_orjson_writes_it(outcome: SendOutcome) -> None:
    """All kinds, integers and numbers with a point, and texts that JSON escapes."""
    merged_from = outcome.merged_from
    first = {} if merged_from is None else {"merged_from": merged_from}
    assert written_outcome(outcome) == orjson.dumps(
        first
        | {
            "request_id": outcome.request_id,
            "customer_id": outcome.customer_id,
            "trigger": outcome.trigger,
            "step": outcome.step,
            "channel": outcome.channel,
            "experiment": plain_experiment(outcome.experiment),
            "design": outcome.design,
            "segments": outcome.segments,
            "cluster": outcome.cluster,
            "ghost": outcome.is_ghost,
            "kind": outcome.kind.value,
            "role": outcome.role,
            "value": outcome.value,
            "margin": outcome.margin,
            "currency": outcome.currency,
            "score": outcome.score,
            "latency_s": outcome.latency_ms / 1000,
            "occurred_at": time(outcome.occurred_ms),
            "cause": plain_cause(outcome.cause),
        }
    )
