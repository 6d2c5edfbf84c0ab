"""Now, by a wall clock that may be set while the worker runs.

A machine's wall clock is set forth and back: by hand, by NTP after a bad start, when a virtual
machine goes on. Taken as it is, a step forth of an hour would fire an hour of timers before
their time, and the step back would make time stand still for an hour. So now goes on with the
monotonic clock, which is never set, and a step is believed only

- forth: when a record has a timestamp that speaks for it, or nothing has spoken against it for
  ``HOLD_S`` (a machine that slept learns it from the first record that it reads);
- back: when nothing has spoken against it for ``HOLD_S``. What was done meanwhile was done ahead of
  time, and watermarks do not go back: the worker ends, and its next start begins with the new time.

A record speaks against a step when the publisher's clock goes on as if there had been none.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from app.core.errors import InfrastructureError
from app.live.clock.partition_clock import machine_ms

_log: Final = logging.getLogger(__name__)

#: A smaller step is taken as it is: clocks that are kept right move by less.
STEP_MS: Final = 10_000
#: How long a step has to stand, unopposed, until it is believed.
HOLD_S: Final = 60.0

OnSetBack = Callable[[InfrastructureError], None]


class MachineClock:
    """Epoch milliseconds that tolerate a machine clock that is set while the worker runs.

    One for a worker; used from its main loop and from the consumer's thread.
    """

    def __init__(
        self,
        on_set_back: OnSetBack,
        machine_ms: Callable[[], int] = machine_ms,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_set_back = on_set_back
        self._machine_ms = machine_ms
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: machine time less monotonic time, as believed
        self._offset_ms = machine_ms() - monotonic() * 1000
        #: a step that is not believed yet, and since when nothing has spoken against it
        self._step_ms = 0.0
        self._since_s = 0.0

    def now_ms(self) -> int:
        """Now, as far as it can be known."""
        with self._lock:
            self._look()
            return round(self._monotonic() * 1000 + self._offset_ms)

    def of_machine_ms(self, stamp_ms: int) -> int:
        """Convert a recent reading of the machine's clock to this clock; never later than now."""
        with self._lock:
            self._look()
            now_ms = round(self._monotonic() * 1000 + self._offset_ms)
            return min(now_ms, round(stamp_ms - self._step_ms))

    def step_s(self) -> float:
        """By how much the machine's clock was set and is not believed; 0 when all is well."""
        with self._lock:
            self._look()
            return self._step_ms / 1000

    def observe_record(self, record_ms: int) -> None:
        """A record has come that has this timestamp: what its publisher took for now."""
        if not self._step_ms:
            return
        with self._lock:
            now_ms = self._monotonic() * 1000 + self._offset_ms
            speaks_for_later = record_ms > now_ms + self._step_ms / 2
            if self._step_ms > 0 and speaks_for_later:
                self._believe()
            elif record_ms > now_ms - HOLD_S * 1000 and (self._step_ms > 0 or speaks_for_later):
                self._since_s = self._monotonic()

    def _look(self) -> None:
        """See whether the machine's clock was set."""
        monotonic_s = self._monotonic()
        step_ms = self._machine_ms() - monotonic_s * 1000 - self._offset_ms
        if abs(step_ms) < STEP_MS:
            if self._step_ms:
                self._say("the clock was set back to what it was", logging.INFO)
            self._step_ms = 0.0
            self._offset_ms += step_ms
        elif abs(step_ms - self._step_ms) >= STEP_MS:
            self._step_ms, self._since_s = step_ms, monotonic_s
            self._say("the clock was set; it is believed when nothing speaks against it")
        else:
            self._step_ms = step_ms
            if monotonic_s - self._since_s >= HOLD_S:
                self._believe()

    def _believe(self) -> None:
        step_s = self._step_ms / 1000
        self._say("the clock was set and is believed")
        self._offset_ms += self._step_ms
        self._step_ms = 0.0
        if step_s < 0:
            self._on_set_back(
                InfrastructureError(
                    f"the machine's clock was set back by {-step_s:.0f} s, so its time before"
                    " was wrong, and what was decided by it came too early: start the worker again,"
                    " it begins with the new time; see that the machine keeps its clock (NTP)"
                )
            )

    def _say(self, what: str, level: int = logging.WARNING) -> None:
        _log.log(level, what, extra={"action": "clock", "step_s": round(self._step_ms / 1000)})
