"""How decisions and send requests are written: JSON, times as RFC 3339 UTC (spec section 7)."""

from operator import attrgetter
from typing import Final

import orjson

from app.core.decisions import Decision
from app.core.instants import format_rfc3339

_json_of: Final = attrgetter("written")


def written(decision: Decision) -> tuple[bytes, bytes | None]:
    """The record for ``decisions`` with its whole reasoning, and for ``dispatch`` if any."""
    due_ms, anchor_ms, decided_ms = decision.due_ms, decision.anchor_ms, decision.decided_ms
    next_ms = decision.next_eligible_ms
    cause, experiment = decision.cause, decision.experiment
    due_at = format_rfc3339(due_ms)
    both = {
        "request_id": decision.request_id,
        "customer_id": decision.customer_id,
        "trigger": decision.trigger,
        "step": decision.step,
        "key": decision.key,
        "category": decision.category,
        "priority": decision.priority,
        "channel": decision.channel,
        "template": decision.template,
        "experiment": experiment and {"name": experiment[0], "variant": experiment[1]},
        "due_at": due_at,
        "decided_at": due_at if decided_ms == due_ms else format_rfc3339(decided_ms),
        "expires_at": format_rfc3339(decision.expires_ms),
        "rules_version": decision.rules_version,
        "cause": {
            "topic": cause.topic,
            "partition": cause.partition,
            "offset": cause.offset,
            "event_id": cause.event_id,
        },
    }
    record = orjson.dumps(
        {
            **both,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "anchor_at": due_at if anchor_ms == due_ms else format_rfc3339(anchor_ms),
            "next_eligible_at": None if next_ms is None else format_rfc3339(next_ms),
            "gates": orjson.Fragment(b"[%b]" % b",".join(map(_json_of, decision.gates))),
        }
    )
    request = decision.dispatch
    if request is None:
        return record, None
    return record, orjson.dumps(
        {
            **both,
            "kind": request.kind,
            "address": request.address,
            "locale": request.locale,
            "tokens": request.tokens,
        }
    )
