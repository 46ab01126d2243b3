"""Episodes: the keeper of one shard's state. It takes judged batches in order and gives what has to go out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fences.fence_set import FenceSet
from operators.raise_alerts import raise_alerts
from operators.snapshot import Ids, from_snapshot, to_snapshot
from operators.state import State
from operators.step import step
from pipeline.items import ClockMark, JudgedBatch, Outgoing
from pipeline.totals import Totals


class Shard:
    """State of one shard, and the step over it."""

    def __init__(
        self, fence_set: FenceSet, totals: Totals, snapshot: dict[str, Any] | None = None, ids_of: Callable[[str], Ids | None] | None = None,
        timer: Callable[[str, float], None] | None = None,
    ) -> None:  # fmt: skip
        """`snapshot`: what an earlier run's `snapshot` gave, also under another registry: it is carried over by `ids_of(version)`."""
        registry = fence_set.registry
        if snapshot is None:
            self.state = State(len(registry.subject_ids), registry.region_count)
        else:
            self.state = from_snapshot(snapshot, fence_set, ids_of(snapshot["version"]) if ids_of is not None else None)
        self._fence_set = fence_set
        self._totals = totals
        self._timer = timer
        totals.watch(self.state)

    def take(self, item: JudgedBatch | ClockMark) -> Outgoing:
        """What an item makes: alerts of a batch, or the mark itself."""
        if isinstance(item, ClockMark):
            return Outgoing(marks=[item])
        started = time.perf_counter()
        fixes = item.fixes
        events, told = step(
            item.verdicts.fences, self.state, item.verdicts, item.rows, item.subject, fixes.time_ms, fixes.lon, fixes.lat,
            fixes.accuracy_m,
        )  # fmt: skip
        if item.rejected is not None and item.ignored is not None:
            self._totals.count(item.source, len(item.subject), item.rejected, item.ignored)
        alerts = list(raise_alerts(item.fence_set, item.verdicts.fences, fixes, fixes.time_ms, events, told)) if len(events) else []
        if self._timer is not None:
            self._timer("episodes", time.perf_counter() - started)
        return Outgoing(alerts, item.dead_letters, read_at=item.read_at)

    def snapshot(self) -> dict[str, Any]:
        """All that has to be saved; plain bytes and numbers."""
        return to_snapshot(self.state, self._fence_set.version)


def open_by_kind(state: State) -> dict[int, int]:
    """How many episodes are open, by kind number."""
    slot = state.memory.slot
    kinds = slot["kind"][slot["state"] == 2]  # noqa: PLR2004 - OPEN
    return dict(enumerate(np.bincount(kinds, minlength=4).tolist()))
