"""Decisions and outcomes as the engine writes them, made by hand, and files of them."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from app.core.time.instants import DAY_MS, format_rfc3339

T0: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a Thursday


def request_of(name: str) -> str:
    """The request id of a message that a test calls so."""
    return str(uuid5(NAMESPACE_URL, name))


def decision(
    name: str,
    customer: str,
    *,
    trigger: str = "cart",
    outcome: str = "send",
    key: str | None = None,
    day: float = 0,
    anchor_day: float | None = None,
    channel: str | None = "email",
    category: str = "marketing",
    experiment: tuple[str, str] | None = None,
    step: int = 0,
    cause: str = "e-0",
    segments: list[str] | None = None,
    design: str | None = None,
    gates: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """One line; ``name`` tells requests apart. The key is the name when none is given."""
    decided = format_rfc3339(T0 + round(day * DAY_MS))
    anchor = format_rfc3339(T0 + round((day if anchor_day is None else anchor_day) * DAY_MS))
    return {
        "request_id": request_of(name),
        "customer_id": customer,
        "trigger": trigger,
        "step": step,
        "key": name if key is None else key,
        "category": category,
        "priority": 50,
        "outcome": outcome,
        "reason": "passed",
        "channel": channel,
        "template": "t",
        "experiment": experiment and {"name": experiment[0], "variant": experiment[1]},
        "anchor_at": anchor,
        "due_at": anchor,
        "decided_at": decided,
        "expires_at": decided,
        "next_eligible_at": None,
        "rules_version": "v",
        "gates": list(gates),
        "cause": {"topic": "orders", "partition": None, "offset": 0, "event_id": cause},
        "segments": segments,
        "design": design,
    }


def outcome(
    name: str,
    kind: str,
    *,
    event: str | None = None,
    role: str | None = None,
    value: float | None = None,
    margin: float | None = None,
    currency: str | None = "EUR",
    score: float | None = None,
    day: float = 1,
    trigger: str = "cart",
    ghost: bool = False,
) -> dict[str, Any]:
    """One line about the request that a test calls ``name``."""
    is_money = kind in ("conversion", "recovery")
    return {
        "request_id": request_of(name),
        "customer_id": "c",
        "trigger": trigger,
        "step": 0,
        "channel": "email",
        "experiment": None,
        "ghost": ghost,
        "kind": kind,
        "role": role,
        "value": value,
        "margin": margin,
        "score": score,
        "currency": currency if is_money else None,
        "latency_s": day * 86_400,
        "occurred_at": format_rfc3339(T0 + round(day * DAY_MS)),
        "cause": {
            "topic": "orders",
            "partition": None,
            "offset": 0,
            "event_id": event or f"{kind}-{name}",
        },
    }


def bought(name: str, value: float | None = 10, **more: Any) -> dict[str, Any]:
    """A conversion credited to the request."""
    return outcome(name, "conversion", role="direct", value=value, **more)


def write_lines(path: Path, lines: Iterable[Any]) -> Path:
    """JSON lines; gzip when the name says so; bytes go in as they are."""
    content = b"".join(
        (line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines
    )
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
