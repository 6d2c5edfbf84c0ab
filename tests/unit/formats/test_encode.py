"""How decisions and outcomes are written: as a JSON encoder would, whatever is in them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from app.core.decisions import Decision, Outcome, Reason
from app.core.outcome_kind import Kind
from app.core.outcomes import SendOutcome
from app.core.recorded import Cause, SendRequest
from app.formats.encode import written, written_outcome

# what JSON cannot say, no input has
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
EXPERIMENTS = st.none() | st.tuples(TEXTS, TEXTS)
PLACES = st.none() | st.integers(0, 1 << 40)
CAUSES = st.builds(Cause, TEXTS, PLACES, PLACES, TEXTS)
VALUES = st.none() | st.integers(-100, 1 << 53) | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(TEXTS, min_size=6, max_size=6),
    EXPERIMENTS,
    CAUSES,
    st.none() | TEXTS,
    st.lists(TEXTS, max_size=2),
    st.integers(-(10**12), 10**12),
    st.dictionaries(TEXTS, VALUES | TEXTS, max_size=2),
)
def test_decision_and_request_say_what_the_decision_says(
    texts: list[str],
    experiment: tuple[str, str] | None,
    cause: Cause,
    optional: str | None,
    segments: list[str],
    instant_ms: int,
    tokens: dict[str, object],
) -> None:
    """Every text comes out as it went in, on both records."""
    customer_id, trigger, key, template, version, address = texts
    decision = Decision(
        request_id="00000000-0000-5000-8000-000000000000",
        customer_id=customer_id,
        trigger=trigger,
        key=key,
        step=1,
        category="marketing",
        priority=50,
        outcome=Outcome.SEND,
        reason=Reason.PASSED,
        channel=optional,
        template=template,
        anchor_ms=0,
        due_ms=instant_ms,
        decided_ms=instant_ms + 1,
        expires_ms=86_400_000,
        gates=(("expired", True, None),),
        cause=cause,
        rules_version=version,
        experiment=experiment,
        design=optional,
        segments=segments,
        cluster=optional,
        merged_from=optional,
        dispatch=SendRequest("send", address, optional, tokens),
    )

    record, request = written(decision)

    assert request is not None
    both = {
        "request_id": decision.request_id,
        "customer_id": customer_id,
        "trigger": trigger,
        "step": 1,
        "key": key,
        "category": "marketing",
        "priority": 50,
        "channel": optional,
        "template": template,
        "experiment": experiment and {"name": experiment[0], "variant": experiment[1]},
        "expires_at": "1970-01-02T00:00:00.000Z",
        "rules_version": version,
        "cause": {
            "topic": cause.topic,
            "partition": cause.partition,
            "offset": cause.offset,
            "event_id": cause.event_id,
        },
        **({} if optional is None else {"merged_from": optional}),
    }
    found, sent = json.loads(record), json.loads(request)
    for each in (found, sent):
        assert each.pop("due_at") != each.pop("decided_at")
    assert found == both | {
        "outcome": "send",
        "reason": "passed",
        "design": optional,
        "segments": segments,
        "cluster": optional,
        "anchor_at": "1970-01-01T00:00:00.000Z",
        "next_eligible_at": None,
        "gates": [{"gate": "expired", "verdict": "pass"}],
    }
    assert sent == both | {
        "kind": "send",
        "address": address,
        "locale": optional,
        "tokens": tokens,
    }


@given(TEXTS, EXPERIMENTS, CAUSES, st.none() | TEXTS, st.lists(TEXTS, max_size=2), VALUES)
def test_an_outcome_says_all_that_it_was_given(
    text: str,
    experiment: tuple[str, str] | None,
    cause: Cause,
    optional: str | None,
    segments: list[str],
    value: float | None,
) -> None:
    """Every text and number comes out as it went in."""
    outcome = SendOutcome(
        request_id="00000000-0000-5000-8000-000000000000",
        customer_id=text,
        trigger=text,
        step=0,
        channel=text,
        experiment=experiment,
        design=optional,
        segments=segments,
        cluster=optional,
        is_ghost=True,
        kind=Kind.CONVERSION,
        role="direct",
        value=value,
        margin=value,
        currency=optional,
        score=value,
        latency_ms=1_500,
        occurred_ms=0,
        cause=cause,
        merged_from=optional,
    )

    assert json.loads(written_outcome(outcome)) == {
        **({} if optional is None else {"merged_from": optional}),
        "request_id": outcome.request_id,
        "customer_id": text,
        "trigger": text,
        "step": 0,
        "channel": text,
        "experiment": experiment and {"name": experiment[0], "variant": experiment[1]},
        "design": optional,
        "segments": segments,
        "cluster": optional,
        "ghost": True,
        "kind": "conversion",
        "role": "direct",
        "value": value,
        "margin": value,
        "currency": optional,
        "score": value,
        "latency_s": 1.5,
        "occurred_at": "1970-01-01T00:00:00.000Z",
        "cause": {
            "topic": cause.topic,
            "partition": cause.partition,
            "offset": cause.offset,
            "event_id": cause.event_id,
        },
    }
