"""Files of decisions and outcomes of any size, as the engine writes them, and a report on them.

Each message has a decision of about 1.1 KB with its gates, and the sent ones lead to three outcomes
and more: delivered, opened, clicked, and for some a purchase. One customer in twenty is held out.
"""

import sys
import time
from pathlib import Path
from random import Random
from typing import Final

import orjson
import psutil

_TRIGGERS: Final = ("cart_abandoned", "welcome_series", "birthday", "win_back", "review_request")
_KINDS: Final = ("delivered", "opened", "clicked")
_CUSTOMERS_PER_MESSAGE: Final = 0.6
_GATES: Final = orjson.dumps(
    [
        {"gate": "expired", "verdict": "pass", "until": "2026-01-01T00:00:00.000Z"},
        {"gate": "condition", "verdict": "pass"},
        {"gate": "cooldown", "verdict": "pass", "window_s": 172_800, "family": "cart"},
        {"gate": "reach", "verdict": "pass", "channel": "email"},
        {"gate": "consent", "verdict": "pass", "channel": "email"},
        {"gate": "suppressed", "verdict": "pass", "channel": "email"},
        {"gate": "cap", "verdict": "pass", "channel": "email", "count": 0, "limit": 2},
        {"gate": "cap", "verdict": "pass", "channel": "email", "count": 0, "limit": 5},
        {"gate": "holdout", "verdict": "pass", "bucket": 7_311, "below": 500},
    ]
).decode()


def write_files(folder: Path, outcomes: int, seed: int = 1) -> tuple[Path, Path]:
    """``decisions.jsonl`` and ``outcomes.jsonl`` with at least so many outcomes."""
    rng = Random(seed)
    people = max(1, int(outcomes / 3 * _CUSTOMERS_PER_MESSAGE))
    paths = folder / "decisions.jsonl", folder / "outcomes.jsonl"
    made = number = 0
    with paths[0].open("w") as decided, paths[1].open("w") as led_to:
        while made < outcomes:
            customer = rng.randrange(people)
            lines = _outcome_lines(rng, number, customer)
            decided.write(_decision_line(number, customer))
            led_to.writelines(lines)
            made += len(lines)
            number += 1
    return paths


def _when(number: int) -> str:
    return f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}T{number % 24:02d}:00:00.000Z"


def _request(number: int) -> str:
    # spread over all bits, as real ones are
    digits = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _decision_line(number: int, customer: int) -> str:
    when, outcome = _when(number), "holdout" if customer % 20 == 0 else "send"
    return (
        f'{{"request_id":"{_request(number)}","customer_id":"customer-{customer:08d}",'
        f'"trigger":"{_TRIGGERS[number % 5]}","step":0,"key":"key-{number}",'
        f'"category":"marketing","priority":50,"outcome":"{outcome}","reason":"passed",'
        f'"channel":"email","template":"cart-reminder-1","experiment":null,"anchor_at":"{when}",'
        f'"due_at":"{when}","decided_at":"{when}","expires_at":"{when}","next_eligible_at":null,'
        f'"rules_version":"{"a" * 64}","cause":{{"topic":"orders","partition":null,'
        f'"offset":{number},"event_id":"event-{number}"}},"gates":{_GATES}}}\n'
    )


def _outcome_lines(rng: Random, number: int, customer: int) -> list[str]:
    is_ghost = customer % 20 == 0
    kinds = [] if is_ghost else list(_KINDS)
    if rng.random() < (0.15 if is_ghost else 0.2):
        kinds.append("conversion")
    return [_outcome_line(number, customer, kind, rng, is_ghost=is_ghost) for kind in kinds]


def _outcome_line(number: int, customer: int, kind: str, rng: Random, *, is_ghost: bool) -> str:
    money = '"role":null,"value":null,"margin":null,"currency":null'
    if kind == "conversion":
        value = rng.randrange(1, 20_000) / 100
        money = f'"role":"direct","value":{value},"margin":{value / 4:.2f},"currency":"EUR"'
    return (
        f'{{"request_id":"{_request(number)}","customer_id":"customer-{customer:08d}",'
        f'"trigger":"{_TRIGGERS[number % 5]}","step":0,"channel":"email","experiment":null,'
        f'"ghost":{"true" if is_ghost else "false"},"kind":"{kind}",{money},'
        f'"latency_s":5400.0,"occurred_at":"{_when(number)}","cause":{{"topic":"engagement",'
        f'"partition":null,"offset":{number},"event_id":"{kind}-{number}"}}}}\n'
    )


def kpis(folder: Path, outcomes: int, *options: str) -> dict[str, float]:
    """``triggers kpis`` in a process of its own: wall and CPU seconds, and its peak memory."""
    decisions, led_to = write_files(folder, outcomes)
    files = ["--decisions", str(decisions), "--outcomes", str(led_to)]
    command = [sys.executable, "-m", "app.cli", "kpis", *files, "--format", "json", *options]
    began, peak, cpu = time.monotonic(), 0, 0.0
    printed = folder / "report.json"
    with printed.open("wb") as out, psutil.Popen(command, stdout=out) as process:
        while process.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss)
                times = process.cpu_times()
                cpu = max(cpu, times.user + times.system)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
    assert process.returncode == 0
    report = orjson.loads(printed.read_bytes())
    return {
        "outcomes": report["outcomes"],
        "messages": report["messages"],
        "mb": round((decisions.stat().st_size + led_to.stat().st_size) / 2**20),
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(cpu, 1),
        "peak_rss_mb": round(peak / 2**20),
    }
