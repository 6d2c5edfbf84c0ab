"""What an event costs, in a measure that no busy machine moves: bytecodes."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from app.backtest.history import read_arrivals
from app.backtest.output import OutputFolder
from app.backtest.replay import Replay
from app.rules_file.load import load_rules
from app.settings.model import default_rules_path
from tests.bench.events import events, profiles

#: Of this history, with the default rules; raise it only for what is worth it to every user.
MOST_BYTECODES: Final = 4_650
CUSTOMERS: Final = 20
WARM_UP: Final = 200
MEASURED: Final = 200


def test_an_event_executes_no_more_bytecodes_than_it_did(tmp_path: Path) -> None:
    """From the line of history to the lines of decisions, with records that have a past."""
    lines = [*profiles(CUSTOMERS), *events(WARM_UP + MEASURED, CUSTOMERS)]
    with OutputFolder(tmp_path) as output:
        replay = Replay(
            load_rules(default_rules_path()),
            output.write,
            outcome=output.write_outcome,
            stopped=output.tally.take_stopped,
        )
        replay.run(read_arrivals(lines[:-MEASURED]))
        executed = bytecodes_of(lambda: replay.run(read_arrivals(lines[-MEASURED:])))

    assert executed / MEASURED < MOST_BYTECODES


def bytecodes_of(call: Callable[[], object]) -> int:
    """How many bytecodes the call executes in this thread."""
    executed = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal executed
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        executed += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return executed
