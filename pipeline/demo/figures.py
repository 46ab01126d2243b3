"""The figures of a demo: latency of its alerts, and how fast fixes are judged now."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.scenario_clock import told_ms
from pipeline.demo.story import Ints, Tracks
from pipeline.demo.threads import Heard

RATE_OVER_S = 3.0


class Rate:
    """A counter's growth a second over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, count: int) -> float:
        """The rate, now that the counter stands at `count`."""
        now = time.monotonic()
        self._seen.append((now, count))
        while now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        began, before = self._seen[0]
        return (count - before) / (now - began) if now > began else 0.0


def latencies_s(tracks: Tracks, sent_s: NDArray[np.float64], heard: Sequence[Heard]) -> list[float]:
    """Real seconds from the sending of the fix that brought an alert to the alert's arrival through the channel, sorted.

    The fix is the one of that subject with the `received` that the alert names.
    """
    row_of = {subject: i for i, subject in enumerate(tracks.subject_ids)}
    found = []
    for one in heard:
        received = one.event["data"]["received"]
        if received is None:
            continue
        rows = _at(tracks.received_ms, told_ms(received))
        rows = rows[tracks.subject[rows] == row_of.get(one.event["subject"], -1)]
        if len(rows):
            found.append(one.heard_s - float(sent_s[rows[0]]))
    return sorted(found)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of sorted values, at least one."""
    return values[max(0, ceil(share * len(values)) - 1)]


def _at(times_ms: Ints, at_ms: int) -> Ints:
    begin, end = np.searchsorted(times_ms, [at_ms, at_ms + 1])
    return np.arange(begin, end)
