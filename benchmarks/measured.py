"""What a run costs: seconds on the wall, processor seconds of all threads, the most memory held."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(slots=True)
class Measured:
    """One run: how many fixes, in how long, how many alerts; `alert_ids` where they were asked for."""

    fixes: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    alerts: int = 0
    peak_mb: float = 0.0
    alert_ids: list[str] = field(default_factory=list)


class Watch:
    """A stop watch for this process. `begin` may be called again: what went before is then warm-up."""

    def __init__(self) -> None:
        _forget_peak()
        self.begin()

    def begin(self) -> None:
        """From here on."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self, fixes: int, alerts: int, alert_ids: list[str] | None = None) -> Measured:
        """What was spent since `begin`; the memory is the most since the watch was made."""
        wall_s, cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Measured(fixes, wall_s, cpu_s, alerts, _peak_mb(), alert_ids or [])


def _forget_peak() -> None:
    """Linux: the most memory held counts from now on; elsewhere it is that of the whole process."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5", encoding="ascii")


def _peak_mb() -> float:
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
