"""How decisions, send requests (spec section 7) and outcomes (section 9) are written: JSON, times
as RFC 3339 UTC.
"""

from typing import Any

import orjson

from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.core.recorded import Cause
from app.core.time.instants import format_rfc3339
from app.formats.checks import json_of_check


def written(decision: Decision) -> tuple[bytes, bytes | None]:
    """The record for ``decisions`` with its whole reasoning, and for ``dispatch`` if any."""
    due_ms, anchor_ms, decided_ms = decision.due_ms, decision.anchor_ms, decision.decided_ms
    next_ms, experiment = decision.next_eligible_ms, decision.experiment
    due_at = format_rfc3339(due_ms)
    shared: dict[str, Any] = {
        "request_id": decision.request_id,
        "customer_id": decision.customer_id,
        "trigger": decision.trigger,
        "step": decision.step,
        "key": decision.key,
        "category": decision.category,
        "priority": decision.priority,
        "channel": decision.channel,
        "template": decision.template,
        "experiment": None if experiment is None else _experiment(experiment),
        "due_at": due_at,
        "decided_at": due_at if decided_ms == due_ms else format_rfc3339(decided_ms),
        "expires_at": format_rfc3339(decision.expires_ms),
        "rules_version": decision.rules_version,
        "cause": _cause(decision.cause),
    }
    if decision.merged_from is not None:
        shared["merged_from"] = decision.merged_from
    both = orjson.dumps(shared)[:-1]
    own = orjson.dumps(
        {
            "outcome": decision.outcome._value_,
            "reason": decision.reason._value_,
            "design": decision.design,
            "segments": decision.segments,
            "cluster": decision.cluster,
            "anchor_at": due_at if anchor_ms == due_ms else format_rfc3339(anchor_ms),
            "next_eligible_at": None if next_ms is None else format_rfc3339(next_ms),
            "gates": orjson.Fragment(b"[%b]" % b",".join(map(json_of_check, decision.gates))),
        }
    )
    record = b"%b,%b" % (both, own[1:])
    request = decision.dispatch
    if request is None:
        return record, None
    content = orjson.dumps(
        {
            "kind": request.kind,
            "address": request.address,
            "locale": request.locale,
            "tokens": request.tokens,
        }
    )
    return record, b"%b,%b" % (both, content[1:])


def written_outcome(outcome: SendOutcome) -> bytes:
    """The record for ``outcomes``."""
    merged_from = outcome.merged_from
    return orjson.dumps(
        {
            **({} if merged_from is None else {"merged_from": merged_from}),
            "request_id": outcome.request_id,
            "customer_id": outcome.customer_id,
            "trigger": outcome.trigger,
            "step": outcome.step,
            "channel": outcome.channel,
            "experiment": None if outcome.experiment is None else _experiment(outcome.experiment),
            "design": outcome.design,
            "segments": outcome.segments,
            "cluster": outcome.cluster,
            "ghost": outcome.is_ghost,
            "kind": outcome.kind,
            "role": outcome.role,
            "value": outcome.value,
            "margin": outcome.margin,
            "currency": outcome.currency,
            "score": outcome.score,
            "latency_s": outcome.latency_ms / 1000,
            "occurred_at": format_rfc3339(outcome.occurred_ms),
            "cause": _cause(outcome.cause),
        }
    )


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "topic": cause.topic,
        "partition": cause.partition,
        "offset": cause.offset,
        "event_id": cause.event_id,
    }


def _experiment(experiment: tuple[str, str]) -> dict[str, str]:
    name, variant = experiment
    return {"name": name, "variant": variant}
