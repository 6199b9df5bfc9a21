"""One clock for every process of a recording: moments are as far apart as they were, whatever the wall clock does."""

from __future__ import annotations

from wiretape_capture.proxy.clock import LOOK_NS, STEP_NS, TRIES, Clock

SECOND = 1_000_000_000


class Machine:
    """A wall clock that can be set, and a process that can lose the processor between two readings."""

    def __init__(self) -> None:
        self.now = 5 * SECOND
        self.ahead = 1_700_000_000 * SECOND
        self.stalls: list[int] = []
        """For the next readings of the wall clock: how long each takes."""

    def monotonic(self) -> int:
        return self.now

    def wall(self) -> int:
        self.now += self.stalls.pop(0) if self.stalls else 0
        return self.now + self.ahead

    def clock(self) -> Clock:
        return Clock(self.monotonic, self.wall)


def test_a_reading_in_which_the_processor_was_lost_does_not_count() -> None:
    machine = Machine()
    machine.stalls = [40_000_000] * (TRIES - 1) + [100]
    assert abs(machine.clock().wall(machine.now) - (machine.now + machine.ahead)) <= 100


def test_a_slewed_wall_clock_moves_nothing_and_one_that_was_set_does() -> None:
    machine = Machine()
    clock = machine.clock()
    first = clock.wall(machine.now)
    for _ in range(10):
        machine.now += LOOK_NS + 1
        machine.ahead += 500_000  # 500 ppm, the most that a kernel slews
        assert clock.wall(machine.now) - first == machine.now - 5 * SECOND
    machine.ahead += STEP_NS
    machine.now += LOOK_NS + 1
    assert clock.wall(machine.now) == machine.now + machine.ahead
