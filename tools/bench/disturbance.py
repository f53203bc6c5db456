"""How much processor time others took while something was measured."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path


def _all_busy(softirq: bool) -> float:
    """Seconds of all cores that were not idle, since the machine started; with what the kernel did by itself or not."""
    user, nice, system, _, _, irq, soft, stolen = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + stolen + (irq + soft if softirq else 0)) / os.sysconf("SC_CLK_TCK")


def _own_busy() -> float:
    """Of this program and the ones that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class Disturbance:
    """From its construction on; what it is asked of must have ended by then.

    Where the kernel itself is measured, its interrupts are not somebody else's: `softirq` is false.
    """

    def __init__(self, softirq: bool = True) -> None:
        self.softirq = softirq
        self.at, self.busy, self.own = time.monotonic(), _all_busy(softirq), _own_busy()

    def share(self) -> float:
        """Of the time of one core."""
        passed = max(time.monotonic() - self.at, 1e-3)
        return max(0.0, (_all_busy(self.softirq) - self.busy) - (_own_busy() - self.own)) / passed
