"""What an explanation holds: values without words. Instants are epoch ms, spans seconds."""

from typing import Any, Literal

import msgspec

from app.core.gates.usage import ChannelState


class CapUse(msgspec.Struct, frozen=True, kw_only=True):
    """``used`` of ``limit`` sends in the last ``per_s``; ``scope``: the channel, family or
    trigger whose sends count, None for all together.

    ``free_ms``: when a send fits again; None: one fits now.
    """

    limit: int
    per_s: int
    scope: str | None
    used: int
    free_ms: int | None


class CooldownUse(msgspec.Struct, frozen=True, kw_only=True):
    """A family that was sent at ``last_ms`` and is quiet for other instances until ``until_ms``."""

    family: str
    last_ms: int
    until_ms: int


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A pending step: originally due, next tried, and too late after ``expires_ms``.

    ``expires_ms`` None: the rules no longer have the step, and nothing will come of it.
    ``template`` None: no template of the step fits as things stand.
    """

    step: int
    template: str | None
    due_ms: int
    fires_ms: int
    expires_ms: int | None
    is_deferred: bool
    #: came up and waits until the partition is current
    is_parked: bool = False
    #: counts from what becomes of an earlier step; at ``fires_ms`` it goes undecided
    is_awaiting: bool = False


class OpenInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a trigger that has pending steps, and the event that anchors it."""

    trigger: str
    key: str
    anchor_ms: int
    cause: dict[str, Any]
    timers: list[Timer]


class ExplainedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision; ``gates`` in order, as the decision has them.

    ``led_to`` are the kinds of outcome of what was sent (or, in the control group, was not), as far
    as the record remembers it.
    """

    request_id: str
    decided_ms: int
    due_ms: int
    expires_ms: int
    next_eligible_ms: int | None
    trigger: str
    key: str
    step: int
    outcome: str
    reason: str
    channel: str | None
    template: str | None
    gates: list[dict[str, Any]]
    led_to: list[str]


class KnownStop(msgspec.Struct, frozen=True, kw_only=True):
    """An event that opened no instance although the trigger names its type; why in ``words``."""

    occurred_ms: int
    trigger: str
    key: str
    reason: str
    words: str


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, in words; ``event_id`` when the record remembers which it was."""

    occurred_ms: int
    kind: Literal["event", "engagement", "profile"]
    what: str
    event_id: str | None = None


class KnownSend(msgspec.Struct, frozen=True, kw_only=True):
    """A send that limits, recalls and outcomes still ask for.

    ``is_opened``: an open or a click named it; ``led_to``: the kinds of its outcomes.
    """

    sent_ms: int
    trigger: str
    key: str
    step: int
    channel: str
    is_ghost: bool
    is_opened: bool
    led_to: list[str]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One customer at ``now_ms``.

    ``profile`` has ``true`` in place of personal data unless these were asked for.
    ``is_held_out`` is None when the rules have no holdout. Decisions made before
    ``decisions_since_ms`` were not looked at; None: there are none, or all were.
    """

    customer_id: str
    now_ms: int
    timezone: str
    rules_version: str
    profile: dict[str, Any]
    facts: dict[str, Any]
    is_held_out: bool | None
    is_fatigued: bool
    channels: list[ChannelState]
    caps: list[CapUse]
    cooldowns: list[CooldownUse]
    instances: list[OpenInstance]
    events: list[KnownEvent]
    sends: list[KnownSend]
    decisions_since_ms: int | None
    decisions: list[ExplainedDecision]
    #: the last of them, newest first
    stopped: list[KnownStop]
    #: topics whose end the partition has not reached: marketing steps wait for them
    waits_for: list[str] = []
    #: the customer that this one was merged into, when that arrived, and until when what comes for
    #: this one is that one's; None: it was not merged, or that time is over
    merged_into: str | None = None
    merged_ms: int | None = None
    merged_until_ms: int | None = None
