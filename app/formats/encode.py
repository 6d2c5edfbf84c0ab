"""How decisions, send requests (spec section 7) and outcomes (section 9) are written: JSON, times
as RFC 3339 UTC.
"""

from typing import Any, Final

import orjson
from msgspec.structs import asdict

from app.core.decisions import Decision
from app.core.outcomes import SendOutcome
from app.core.time.instants import format_rfc3339
from app.core.verdicts import Outcome, Reason
from app.formats.checks import written_checks

_dumps: Final = orjson.dumps

#: What decisions of one step with one verdict have in common: trigger and step, category, priority,
#: channel, template and experiment, version of the rules and topic of the cause, outcome, reason,
#: design and cluster.
_Common = tuple[
    str,
    int,
    str,
    int,
    str | None,
    str | None,
    tuple[str, str] | None,
    str,
    str,
    Outcome,
    Reason,
    str | None,
    str | None,
]
#: What a record has of it from one text, list or number of the single decision to the next: from
#: customer to key, to due time; from expiry to the cause's partition; from what a request has too
#: to segments, to the time of the anchor.
_Pieces = tuple[str, str, str, str, str]


def written(decision: Decision) -> tuple[bytes, bytes | None]:
    """The record for ``decisions`` with its whole reasoning, and for ``dispatch`` if any."""
    cause = decision.cause
    to_key, to_due, to_partition, to_segments, to_anchor = _PIECES[
        decision.trigger,
        decision.step,
        decision.category,
        decision.priority,
        decision.channel,
        decision.template,
        decision.experiment,
        decision.rules_version,
        cause.topic,
        decision.outcome,
        decision.reason,
        decision.design,
        decision.cluster,
    ]
    request_id, customer_id, key = decision.request_id, decision.customer_id, decision.key
    event_id = cause.event_id
    if not _is_plain(f"{request_id}{customer_id}{key}{event_id}"):
        request_id, customer_id = _escaped(request_id), _escaped(customer_id)
        key, event_id = _escaped(key), _escaped(event_id)
    due_ms, anchor_ms, decided_ms = decision.due_ms, decision.anchor_ms, decision.decided_ms
    due_at = format_rfc3339(due_ms)
    decided_at = due_at if decided_ms == due_ms else format_rfc3339(decided_ms)
    anchor_at = due_at if anchor_ms == due_ms else format_rfc3339(anchor_ms)
    partition, offset = cause.partition, cause.offset
    both = (
        f'{{"request_id":"{request_id}","customer_id":"{customer_id}{to_key}{key}{to_due}{due_at}'
        f'","decided_at":"{decided_at}","expires_at":"{format_rfc3339(decision.expires_ms)}'
        f'{to_partition}{"null" if partition is None else str(partition)},"offset":'
        f'{"null" if offset is None else str(offset)},"event_id":"{event_id}"}}'
    )
    if decision.merged_from is not None:
        both = f'{both},"merged_from":"{_escaped(decision.merged_from)}"'
    segments, next_ms = decision.segments, decision.next_eligible_ms
    record = (
        f"{both}{to_segments}{_dumps(segments).decode() if segments else '[]'}{to_anchor}"
        f'{anchor_at}","next_eligible_at":{"null" if next_ms is None else _time(next_ms)}'
        f',"gates":[{written_checks(decision.gates)}]}}'
    ).encode()
    request = decision.dispatch
    if request is None:
        return record, None
    content = _dumps(asdict(request)).decode()
    return record, f"{both},{content[1:]}".encode()


class _KnownPieces(dict[_Common, _Pieces]):
    """Each made when it first comes; begins anew with so many."""

    _LIMIT: Final = 4096

    def __missing__(self, common: _Common) -> _Pieces:
        if len(self) >= self._LIMIT:
            self.clear()
        pieces = self[common] = _pieces(common)
        return pieces


_PIECES: Final = _KnownPieces()


def _pieces(common: _Common) -> _Pieces:
    trigger, step, category, priority, channel, template, experiment = common[:7]
    rules_version, topic, outcome, reason, design, cluster = common[7:]
    by_trigger = {"trigger": trigger, "step": step}
    by_step = {
        "category": category,
        "priority": priority,
        "channel": channel,
        "template": template,
        "experiment": None if experiment is None else _experiment(experiment),
    }
    by_verdict = {"outcome": outcome.value, "reason": reason.value, "design": design}
    return (
        f'",{_members(by_trigger)},"key":"',
        f'",{_members(by_step)},"due_at":"',
        f'",{_members({"rules_version": rules_version})},"cause":'
        f'{{{_members({"topic": topic})},"partition":',
        f',{_members(by_verdict)},"segments":',
        f',{_members({"cluster": cluster})},"anchor_at":"',
    )


def _members(named: dict[str, Any]) -> str:
    """What a JSON object has between its braces."""
    return _dumps(named).decode()[1:-1]


def _is_plain(text: str) -> bool:
    """Whether JSON has the text as it is: of another one it makes more bytes than characters."""
    return len(_dumps(text)) == len(text) + 2


def _escaped(text: str) -> str:
    """The text as JSON has it between its quotes."""
    return _dumps(text).decode()[1:-1]


def _time(instant_ms: int) -> str:
    return f'"{format_rfc3339(instant_ms)}"'


def written_outcome(outcome: SendOutcome) -> bytes:
    """The record for ``outcomes``."""
    cause, experiment = outcome.cause, outcome.experiment
    record = _dumps(
        {
            "request_id": outcome.request_id,
            "customer_id": outcome.customer_id,
            "trigger": outcome.trigger,
            "step": outcome.step,
            "channel": outcome.channel,
            "experiment": None if experiment is None else _experiment(experiment),
            "design": outcome.design,
            "segments": outcome.segments,
            "cluster": outcome.cluster,
            "ghost": outcome.is_ghost,
            "kind": outcome.kind._value_,
            "role": outcome.role,
            "value": outcome.value,
            "margin": outcome.margin,
            "currency": outcome.currency,
            "score": outcome.score,
            "latency_s": outcome.latency_ms / 1000,
            "occurred_at": format_rfc3339(outcome.occurred_ms),
            "cause": {
                "topic": cause.topic,
                "partition": cause.partition,
                "offset": cause.offset,
                "event_id": cause.event_id,
            },
        }
    )
    if outcome.merged_from is None:
        return record
    return b"%b,%b" % (_dumps({"merged_from": outcome.merged_from})[:-1], record[1:])


def _experiment(experiment: tuple[str, str]) -> dict[str, str]:
    name, variant = experiment
    return {"name": name, "variant": variant}
