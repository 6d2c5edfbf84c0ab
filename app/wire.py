"""How decisions and send requests are written: JSON, times as RFC 3339 UTC (spec section 7)."""

from typing import Any

import orjson

from app.core.decisions import Cause, Decision, SendRequest
from app.core.instants import format_rfc3339


def decision_json(decision: Decision) -> bytes:
    """One decision with its whole reasoning, as it goes onto ``decisions``."""
    next_ms = decision.next_eligible_ms
    return orjson.dumps(
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
            "experiment": None,
            "anchor_at": format_rfc3339(decision.anchor_ms),
            "due_at": format_rfc3339(decision.due_ms),
            "decided_at": format_rfc3339(decision.decided_ms),
            "expires_at": format_rfc3339(decision.expires_ms),
            "next_eligible_at": None if next_ms is None else format_rfc3339(next_ms),
            "rules_version": decision.rules_version,
            "cause": _cause(decision.cause),
            "gates": orjson.Fragment(
                b"[%b]" % b",".join([check.written for check in decision.gates])
            ),
        }
    )


def request_json(request: SendRequest) -> bytes:
    """One send request or recall, as it goes onto ``dispatch``."""
    return orjson.dumps(
        {
            "request_id": request.request_id,
            "kind": request.kind,
            "customer_id": request.customer_id,
            "trigger": request.trigger,
            "step": request.step,
            "key": request.key,
            "category": request.category,
            "priority": request.priority,
            "channel": request.channel,
            "address": request.address,
            "template": request.template,
            "locale": request.locale,
            "tokens": request.tokens,
            "experiment": None,
            "due_at": format_rfc3339(request.due_ms),
            "decided_at": format_rfc3339(request.decided_ms),
            "expires_at": format_rfc3339(request.expires_ms),
            "rules_version": request.rules_version,
            "cause": _cause(request.cause),
        }
    )


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "topic": cause.topic,
        "partition": cause.partition,
        "offset": cause.offset,
        "event_id": cause.event_id,
    }
