"""The line of the log that says how long a rebalance took, and what took it."""

import logging

import pytest

from app.live.input.rebalance_log import RebalanceLog


def test_a_rebalance_is_logged_with_its_phases(caplog: pytest.LogCaptureFixture) -> None:
    """One that begins anew before it is over counts from its first beginning."""
    now_s = 0.0
    log = RebalanceLog(lambda: now_s)
    with caplog.at_level(logging.INFO):
        log.begins()
        now_s = 1.0
        log.begins()
        now_s = 2.0
        log.phase_ends()
        now_s = 5.0
        log.phase_ends()
        now_s = 9.0
        log.ends()
        log.ends()

    (record,) = caplog.records
    assert {
        name: vars(record)[name] for name in ("total_s", "release_s", "join_s", "recover_s")
    } == {
        "total_s": 9.0,
        "release_s": 2.0,
        "join_s": 3.0,
        "recover_s": 4.0,
    }
