"""A small run for the studio to show, made by ``triggers backtest`` itself."""

import os
import time
from pathlib import Path
from typing import Any, Final

import orjson

from app.cli import main
from app.core.time.instants import parse_rfc3339

RULES: Final = """
version: 1
timezone: Asia/Kathmandu
channels: {email: {requires: email}}
throttle: {caps: [{limit: 1, per: 1d}]}
triggers:
  seen: {kind: event, on: [product_viewed], template: seen, channels: [email], cooldown: 0s,
         tokens: {name: profile.first_name}}
  cart: {kind: abandonment, start: [cart_updated], key: cart_id, cancel: [order_placed],
         template: reminder, channels: [email], after: 1h, expires: 2h}
"""


def event(topic: str, name: str, at: str, customer_id: str, **data: Any) -> bytes:
    """One line of history."""
    line = {
        "topic": topic,
        "event_id": f"{customer_id}-{name}-{at}",
        "type": name,
        "customer_id": customer_id,
        "occurred_at": parse_rfc3339(at),
        "data": data,
    }
    return orjson.dumps(line) + b"\n"


#: Ann gets one message on Thursday, 2026-01-01 at 23:50 in Nepal, which is 18:05 UTC, and not the
#: second one; of Bob nothing is known but that he looked.
HISTORY: Final = [
    event(
        "profiles",
        "profile_updated",
        "2026-01-01T10:00:00Z",
        "ann",
        email="ann@example.com",
        first_name="Ann <b>",
        consent={"email": True},
    ),
    event("orders", "product_viewed", "2026-01-01T18:05:00Z", "ann"),
    event("orders", "cart_updated", "2026-01-01T18:10:00Z", "ann", cart_id="<i>1"),
    event("orders", "product_viewed", "2026-01-02T03:00:00Z", "bob"),
]


def make_run(folder: Path, rules: str = RULES, lines: list[bytes] | None = None) -> Path:
    """The folder that a backtest wrote; in a folder that it wrote before, its files are newer."""
    folder.mkdir(parents=True, exist_ok=True)
    rules_path, events = folder / "rules.yaml", folder / "events.jsonl"
    rules_path.write_text(rules)
    events.write_bytes(b"".join(HISTORY if lines is None else lines))
    out = folder / "out"
    command = ["backtest", "--rules", str(rules_path), "--events", str(events), "--out", str(out)]
    assert main([*command, "--until", "2026-01-03T00:00:00Z"]) == 0
    newer_ns = time.time_ns() + 1_000_000_000
    for path in out.iterdir():
        os.utime(path, ns=(newer_ns, newer_ns))
    return out
