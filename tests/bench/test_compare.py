"""``python -m tests.bench compare`` on few events: shapes and equal work, no times."""

import json
from importlib.util import find_spec
from typing import Any

import pytest

from tests.bench.command import run
from tests.bench.compare.inputs import make
from tests.bench.compare.process import apart

pytestmark = pytest.mark.slow

_EVENTS = 600
_WARM_UP = 100
_CUSTOMERS = 200
_TIMEOUT_S = 1800


@pytest.fixture(scope="module")
def lines() -> dict[str, dict[str, Any]]:
    """The JSON lines of one round of the hosts that the tests' own libraries bring, and of one
    more, by host.
    """
    done = run(
        *("tests.bench", "compare", "--broker", "embedded"),
        *("--events", str(_EVENTS - _WARM_UP), "--warm-up", str(_WARM_UP)),
        *("--customers", str(_CUSTOMERS), "--rounds", "1"),
        *("--hosts", "ours", "faust_agent", "floor", "bytewax"),
        timeout_s=_TIMEOUT_S,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for line in found:
        rows = [row for row in done.stdout.splitlines() if row.startswith(line["host"])]
        assert len(rows) == 1, done.stdout
        if "missing" in line:
            assert f"MISSING: {line['host']}" in done.stderr
            assert "MISSING" in rows[0]
    return {line["host"]: line for line in found}


def test_every_host_does_the_same_job(lines: dict[str, dict[str, Any]]) -> None:
    """The same sends, as many as the events that are answered at once, and as many decisions."""
    expected = make(_EVENTS, _CUSTOMERS, 4).expected_sends
    assert expected > _EVENTS / 10
    ran = [line for line in lines.values() if "missing" not in line]
    assert {"ours", "faust_agent", "floor"} <= {line["host"] for line in ran}
    for line in ran:
        assert line["sends"] == line["decisions"] == [expected], line
    assert len({tuple(line["sends_digest"]) for line in ran}) == 1


def test_every_host_writes_its_changelog(lines: dict[str, dict[str, Any]]) -> None:
    """An entry for each measured event, or fewer where a batch is coalesced."""
    assert lines["faust_agent"]["changelog_records"] == _EVENTS - _WARM_UP
    for host in ("ours", "floor"):
        assert 0 < lines[host]["changelog_records"] <= _EVENTS - _WARM_UP


def test_a_line_says_what_was_measured(lines: dict[str, dict[str, Any]]) -> None:
    """Medians within their ranges, and the ratio to ours."""
    for host in ("ours", "faust_agent", "floor"):
        line = lines[host]
        assert (line["events"], line["customers"]) == (_EVENTS - _WARM_UP, _CUSTOMERS)
        for name in (
            "cpu_us_per_event",
            "cold_us_per_event",
            "events_per_s",
            "peak_rss_mb",
            "ratio_to_ours",
        ):
            low, high = line[f"{name}_range"]
            assert 0 < low <= line[name] <= high, name
    assert lines["ours"]["ratio_to_ours"] == 1


def test_a_host_without_its_library_is_reported_as_missing(
    lines: dict[str, dict[str, Any]],
) -> None:
    """Bytewax comes with the extra ``bench`` only."""
    if find_spec("bytewax") is None:
        assert "pip install '.[bench]'" in lines["bytewax"]["missing"]
        assert "cpu_us_per_event" not in lines["bytewax"]
    else:
        assert lines["bytewax"]["sends"] == lines["ours"]["sends"]


def test_the_mix_is_the_issue_s() -> None:
    """Shares by type within a percent, and events of about 250 bytes."""
    events = make(20_000, 1000, 4).events
    shares = {"product_viewed": 60, "cart_updated": 20, "order_placed": 8, "delivered": 6}
    for kind, percent in shares.items():
        count = sum(f'"type":"{kind}"'.encode() in event.before for event in events)
        assert abs(count * 100 / len(events) - percent) < 1, kind
    by_topic = {
        topic: sum(event.topic == topic for event in events) * 100 / len(events)
        for topic in ("bookings", "profiles", "engagement")
    }
    assert abs(by_topic["bookings"] - 4) < 1
    assert abs(by_topic["profiles"] + by_topic["engagement"] - 2) < 1
    sizes = [len(event.before) + 13 + len(event.after) for event in events]
    assert 235 < sum(sizes) / len(sizes) < 265


def test_worker_and_broker_are_apart(lines: dict[str, dict[str, Any]]) -> None:
    """On different cores, where there are two: every thread of a host is on its own."""
    worker, others = apart()
    assert len(worker) == 1
    assert not set(worker) & set(others) or worker == others
    for host in ("ours", "faust_agent", "floor"):
        assert lines[host]["cores"] == worker
