"""How decisions and send requests are written: JSON, times as RFC 3339 UTC (spec section 7)."""

import orjson

from app.core.decisions import Decision
from app.core.instants import format_rfc3339


def written(decision: Decision) -> tuple[bytes, bytes | None]:
    """The record for ``decisions`` with its whole reasoning, and for ``dispatch`` if any."""
    next_ms = decision.next_eligible_ms
    cause = decision.cause
    cause_object = {
        "topic": cause.topic,
        "partition": cause.partition,
        "offset": cause.offset,
        "event_id": cause.event_id,
    }
    experiment = decision.experiment and {
        "name": decision.experiment[0],
        "variant": decision.experiment[1],
    }
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
