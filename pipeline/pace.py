"""The pace of a replay: as fast as it goes, or so many times faster than it was recorded."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import typer

from operators.fix_batch import FixBatch

SMALL_BATCH = 100
"""Records a batch where time matters: all of a batch wait for its last one."""


@dataclass(slots=True)
class Pace:
    """Waits before a batch until its last record is due, by the records' own times; `speed` recorded seconds a second."""

    speed: float
    stop: threading.Event = field(default_factory=threading.Event)
    """Ends the waiting: hours may lie between two records."""
    _first: tuple[float, int] | None = field(default=None, init=False)

    @classmethod
    def of(cls, text: str) -> Pace | None:
        """The pace of `max` (None) or of a number. Raises typer.BadParameter."""
        if text == "max":
            return None
        try:
            speed = float(text)
        except ValueError:
            speed = 0.0
        if not 0.0 < speed < float("inf"):
            raise typer.BadParameter("write max, or a number above 0 such as 1 or 60", param_hint="--speed")
        return cls(speed)

    def __call__(self, batch: FixBatch) -> None:
        """Wait until the batch is due."""
        timed = batch.time_ms[batch.time_ms > 0]
        if not len(timed):
            return
        if self._first is None:
            self._first = (time.monotonic(), int(timed[0]))
        due = self._first[0] + (int(timed.max()) - self._first[1]) / 1000 / self.speed
        self.stop.wait(max(0.0, due - time.monotonic()))
