"""How decisions, send requests (spec section 7) and outcomes (section 9) are written: JSON, times
as RFC 3339 UTC.
"""

from typing import Any

import orjson

from app.core.decisions import Cause, Decision
from app.core.instants import format_rfc3339
from app.core.outcomes import SendOutcome


def written(decision: Decision) -> tuple[bytes, bytes | None]:
    """The record for ``decisions`` with its whole reasoning, and for ``dispatch`` if any."""
    next_ms = decision.next_eligible_ms
    cause_object = _cause(decision.cause)
    experiment = _experiment(decision.experiment)
    due_at = format_rfc3339(decision.due_ms)
    decided_at = format_rfc3339(decision.decided_ms)
    expires_at = format_rfc3339(decision.expires_ms)
    record = orjson.dumps(
        {
            "request_id": decision.request_id,
            "customer_id": decision.customer_id,
            "trigger": decision.trigger,
            "step": decision.step,
            "key": decision.key,
            "category": decision.category,
            "priority": decision.priority,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "channel": decision.channel,
            "template": decision.template,
            "experiment": experiment,
            "anchor_at": format_rfc3339(decision.anchor_ms),
            "due_at": due_at,
            "decided_at": decided_at,
            "expires_at": expires_at,
            "next_eligible_at": None if next_ms is None else format_rfc3339(next_ms),
            "rules_version": decision.rules_version,
            "cause": cause_object,
            "gates": orjson.Fragment(
                b"[%b]" % b",".join([check.written for check in decision.gates])
            ),
        }
    )
    request = decision.dispatch
    if request is None:
        return record, None
    return record, orjson.dumps(
        {
            "request_id": decision.request_id,
            "kind": request.kind,
            "customer_id": decision.customer_id,
            "trigger": decision.trigger,
            "step": decision.step,
            "key": decision.key,
            "category": decision.category,
            "priority": decision.priority,
            "channel": decision.channel,
            "address": request.address,
            "template": decision.template,
            "locale": request.locale,
            "tokens": request.tokens,
            "experiment": experiment,
            "due_at": due_at,
            "decided_at": decided_at,
            "expires_at": expires_at,
            "rules_version": decision.rules_version,
            "cause": cause_object,
        }
    )


def written_outcome(outcome: SendOutcome) -> bytes:
    """The record for ``outcomes``."""
    return orjson.dumps(
        {
            "request_id": outcome.request_id,
            "customer_id": outcome.customer_id,
            "trigger": outcome.trigger,
            "step": outcome.step,
            "channel": outcome.channel,
            "experiment": _experiment(outcome.experiment),
            "ghost": outcome.is_ghost,
            "kind": outcome.kind,
            "role": outcome.role,
            "value": outcome.value,
            "margin": outcome.margin,
            "currency": outcome.currency,
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


def _experiment(experiment: tuple[str, str] | None) -> dict[str, str] | None:
    return None if experiment is None else {"name": experiment[0], "variant": experiment[1]}
