"""What goes out, as types: one struct for each kind of record, with a field for every key.

``app.formats.encode`` writes the records by hand, because that is faster; that both say the same is
tested on whatever random histories give. All keys are always there, null where there is nothing; a
later release may add keys, so the schemas do not refuse them.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from app.contracts import DRAFT, Schema
from app.contracts.patterns import TRACEPARENT, UTC_MS, UUID
from app.core.decisions import Outcome, Reason
from app.core.gates.registry import Gate
from app.core.outcome_kind import Kind
from app.core.outcomes import Role

Time = Annotated[str, Meta(pattern=UTC_MS)]
RequestId = Annotated[
    str,
    Meta(
        pattern=UUID,
        description="Stable: a crash may repeat a record, never change its id. Deduplicate on it.",
    ),
]
Category = Literal["marketing", "transactional"]


class Cause(msgspec.Struct, forbid_unknown_fields=True):
    """The event behind it, by where it was read. Unknown places are null."""

    topic: Annotated[str, Meta(description="The input topic's logical name.")]
    partition: int | None
    offset: int | None
    event_id: str


class Experiment(msgspec.Struct, forbid_unknown_fields=True):
    """Which experiment the instance takes part in, and with what."""

    name: str
    variant: str


class Check(msgspec.Struct):
    """One gate's verdict with the figures it used: limits, counts, times."""

    gate: Gate
    verdict: Literal["pass", "fail"]


class SendRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A message to send (kind send), or one to take back if it still can be (kind recall)."""

    request_id: RequestId
    kind: Literal["send", "recall"]
    customer_id: str
    trigger: str
    step: Annotated[int, Meta(ge=0)]
    key: str
    category: Category
    priority: Annotated[int, Meta(ge=0, le=100)]
    channel: str
    address: Annotated[str | None, Meta(description="The profile field that the channel needs.")]
    template: str | None
    locale: str | None
    tokens: Annotated[dict[str, Any], Meta(description="What the template fills in.")]
    experiment: Experiment | None
    due_at: Time
    decided_at: Time
    expires_at: Annotated[Time, Meta(description="Not to be sent after this.")]
    rules_version: str
    cause: Cause


Design = Annotated[
    str | None,
    Meta(description="The experiment's plan, as a hash: another one, and it was changed."),
]
Segments = Annotated[
    list[str],
    Meta(description="The names that held when it was decided, sorted; on an outcome, the send's."),
]
Cluster = Annotated[
    str | None, Meta(description="The model's cluster at that time; null without a model.")
]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """The verdict on one step, with its whole reasoning, whether anything is sent or not."""

    request_id: RequestId
    customer_id: str
    trigger: str
    step: Annotated[int, Meta(ge=0)]
    key: str
    category: Category
    priority: Annotated[int, Meta(ge=0, le=100)]
    outcome: Outcome
    reason: Reason
    channel: Annotated[str | None, Meta(description="The one chosen; null when none was.")]
    template: str | None
    experiment: Experiment | None
    design: Design
    segments: Segments
    cluster: Cluster
    anchor_at: Time
    due_at: Time
    decided_at: Time
    expires_at: Time
    next_eligible_at: Annotated[Time | None, Meta(description="When deferred: decided again then.")]
    rules_version: str
    cause: Cause
    gates: Annotated[list[Check], Meta(description="Every check in order.")]


class OutcomeRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What a send, or a ghost send, led to. Identity: request_id, kind and cause.event_id."""

    request_id: RequestId
    customer_id: str
    trigger: str
    step: Annotated[int, Meta(ge=0)]
    channel: str
    experiment: Experiment | None
    design: Design
    segments: Segments
    cluster: Cluster
    ghost: bool
    kind: Kind
    role: Annotated[Role | None, Meta(description="Of a conversion.")]
    value: float | None
    margin: float | None
    currency: str | None
    score: Annotated[float | None, Meta(description="Of an answered survey.")]
    latency_s: Annotated[float, Meta(ge=0, description="From the decision to this.")]
    occurred_at: Time
    cause: Cause


#: topic -> message -> the type of its value
RECORDS: Final[dict[str, dict[str, type[msgspec.Struct]]]] = {
    "dispatch": {"send_request": SendRequest},
    "decisions": {"decision": Decision},
    "outcomes": {"outcome": OutcomeRecord},
}

_DEAD_LETTER_HEADERS: Final = {
    "trigger-source-topic": "Where the record was read.",
    "trigger-source-partition": "Its partition, as decimal digits.",
    "trigger-source-offset": "Its offset, as decimal digits.",
    "trigger-error-class": "The kind of error.",
    "trigger-error-reason": "A short code, the same as in the metric trigger_dead_letters_total.",
    "trigger-error-text": "What was expected and what was found; no values.",
    "trigger-engine-version": "Which release could not understand it.",
}

#: The header that carries a trace through the engine.
TRACE_HEADERS: Final[Schema] = {
    "type": "object",
    "properties": {
        "traceparent": {
            "type": "string",
            "pattern": TRACEPARENT,
            "description": "W3C Trace Context. The anchoring event's goes out again with every"
            " decision and send request that it leads to.",
        }
    },
}

#: Added to the headers that the record had.
DEAD_LETTER_HEADERS: Final[Schema] = {
    "type": "object",
    "required": sorted(_DEAD_LETTER_HEADERS),
    "properties": {
        name: {"type": "string", "description": words}
        for name, words in _DEAD_LETTER_HEADERS.items()
    },
}


def record_schema(record: type[msgspec.Struct]) -> Schema:
    """The JSON Schema of a type, without references."""
    (schema,), parts = msgspec.json.schema_components([record], ref_template="{name}")
    inlined: Schema = _inlined(schema, parts)
    return {"$schema": DRAFT} | inlined


def _inlined(node: Any, parts: dict[str, Schema]) -> Any:
    if isinstance(node, list):
        return [_inlined(each, parts) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        siblings = {name: value for name, value in node.items() if name != "$ref"}
        return {**_inlined(parts[node["$ref"]], parts), **siblings}
    return {
        name: _inlined(value, parts)
        for name, value in node.items()
        if (name, value) != ("additionalProperties", False)
    }
