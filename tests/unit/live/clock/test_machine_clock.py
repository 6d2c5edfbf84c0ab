"""Now while the machine's wall clock is set forth and back by an hour."""

import pytest

from app.core.errors import InfrastructureError
from app.live.clock.machine_clock import HOLD_S, MachineClock

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000


class Machine:
    """Its clocks, by hand, and the engine's over them."""

    def __init__(self) -> None:
        self.monotonic_s = 1000.0
        self.off_ms = 0
        self.errors: list[InfrastructureError] = []
        self.wall = MachineClock(self.errors.append, self.machine_ms, lambda: self.monotonic_s)

    def true_ms(self) -> int:
        """What everybody else takes for now."""
        return START_MS + round((self.monotonic_s - 1000.0) * 1000)

    def machine_ms(self) -> int:
        return self.true_ms() + self.off_ms

    def go_on(self, seconds: float, *, records: bool = False) -> None:
        """Time passes, looked at each second; with ``records``, one comes each time."""
        for _ in range(round(seconds)):
            self.monotonic_s += 1.0
            self.wall.now_ms()
            if records:
                self.wall.observe_record(self.true_ms() - 50)

    def error_ms(self) -> int:
        return self.wall.now_ms() - self.true_ms()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_now_follows_a_clock_that_is_kept_right(machine: Machine) -> None:
    """Small corrections, either way, are taken at once."""
    for off_ms in (0, 400, -300, 9_000, 0):
        machine.off_ms = off_ms
        machine.go_on(1)
        assert (machine.error_ms(), machine.wall.step_s()) == (off_ms, 0)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_that_is_taken_back_changes_nothing(machine: Machine, hours: int) -> None:
    """With nothing read meanwhile, for nearly as long as it would take to be believed."""
    machine.off_ms = hours * HOUR_MS
    machine.go_on(HOLD_S - 1)
    assert (machine.error_ms(), machine.wall.step_s()) == (0, hours * 3600)
    machine.off_ms = 0
    machine.go_on(2 * HOLD_S)
    assert (machine.error_ms(), machine.wall.step_s(), machine.errors) == (0, 0, [])


@pytest.mark.parametrize("hours", [1, -1])
def test_publishers_whose_clock_goes_on_speak_against_a_step(machine: Machine, hours: int) -> None:
    """However long it lasts."""
    machine.off_ms = hours * HOUR_MS
    machine.go_on(3600, records=True)
    assert (machine.error_ms(), machine.errors) == (0, [])


def test_a_machine_that_slept_learns_it_from_the_first_new_record(machine: Machine) -> None:
    """Its monotonic clock stood still; what waited since is no word against it."""
    machine.off_ms = HOUR_MS
    machine.wall.now_ms()
    machine.wall.observe_record(machine.true_ms() - HOUR_MS)
    machine.wall.observe_record(machine.true_ms() + 1_000)
    assert machine.error_ms() == 0
    machine.wall.observe_record(machine.machine_ms() - 20)
    assert (machine.error_ms(), machine.wall.step_s()) == (HOUR_MS, 0)


def test_a_step_forth_that_stands_is_believed(machine: Machine) -> None:
    """Without new records after a minute; a further step starts the minute again."""
    machine.off_ms = HOUR_MS
    machine.go_on(HOLD_S / 2)
    machine.off_ms = 2 * HOUR_MS
    machine.go_on(HOLD_S - 1)
    assert machine.error_ms() == 0
    machine.go_on(2)
    assert (machine.error_ms(), machine.errors) == (2 * HOUR_MS, [])


def test_a_step_back_that_stands_ends_the_worker(machine: Machine) -> None:
    """The earlier time was wrong; old records in a backlog do not count against that."""
    machine.off_ms = -HOUR_MS
    for _ in range(round(HOLD_S) + 1):
        machine.go_on(1)
        machine.wall.observe_record(machine.machine_ms() - 10)
    assert machine.error_ms() == -HOUR_MS
    assert "set back by 3600 s" in str(machine.errors[0])


def test_an_answers_time_is_no_later_than_now(machine: Machine) -> None:
    """Whichever side of a step its stamp is from."""
    before_ms = machine.machine_ms()
    for off_ms in (HOUR_MS, -HOUR_MS):
        machine.off_ms = off_ms
        machine.go_on(1)
        stamp_ms = machine.machine_ms() - 100
        assert machine.wall.of_machine_ms(stamp_ms) == machine.true_ms() - 100
        assert machine.wall.of_machine_ms(before_ms) <= machine.true_ms()
