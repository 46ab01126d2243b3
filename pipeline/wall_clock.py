"""The wall clock of a run, and the demo's scaled one: every stamp, mark and wall clock of the daemon goes through it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WallClock:
    """The real time, or (`speed` not 1) a time that began at `start_ms` when this clock was made and runs `speed` times as fast."""

    start_ms: int | None = None
    speed: float = 1.0
    _made_ms: float = field(default_factory=lambda: time.time() * 1000)

    def at(self, real_ms: float) -> int:
        """What this clock shows at a real instant (both UTC milliseconds): also for a source's stamps."""
        if self.start_ms is None:
            return int(real_ms)
        return int(self.start_ms + (real_ms - self._made_ms) * self.speed)

    def now_ms(self) -> int:
        """What this clock shows now, UTC milliseconds."""
        return self.at(time.time() * 1000)
