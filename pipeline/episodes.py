"""Episodes: the keeper of one shard's state. It takes judged batches in order and gives what has to go out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import FenceSet
from operators.acceptance import REASONS
from operators.fix_batch import OPTIONAL_FIELDS
from operators.order import CONFLICTS, CONTACTS, DUPLICATES, JUDGED, LATE
from operators.raise_alerts import raise_alerts
from operators.snapshot import Ids, from_snapshot, ids_of, numbering_of, to_snapshot
from operators.state import KINDS, OPEN, State
from operators.step import step
from pipeline.items import ClockMark, JudgedBatch, Outgoing
from pipeline.totals import Totals
from sinks.metrics import BatchCounts, Metrics


class Shard:
    """State of one shard, and the step over it."""

    def __init__(
        self, fence_set: FenceSet, totals: Totals, snapshot: dict[str, Any] | None = None,
        known_ids: Callable[[str], Ids | None] | None = None,
        metrics: Metrics | None = None,
    ) -> None:  # fmt: skip
        """`snapshot`: what an earlier run's `snapshot` gave, also under another registry: carried over by `known_ids(numbering)`."""
        registry = fence_set.registry
        if snapshot is None:
            self.state = State(len(registry.subject_ids), registry.region_count)
        else:
            self.state = from_snapshot(snapshot, fence_set, known_ids(snapshot["numbering"]) if known_ids is not None else None)
        self._numbering = numbering_of(ids_of(registry))
        self._totals = totals
        self._metrics = metrics
        totals.watch(self.state)

    def take(self, item: JudgedBatch | ClockMark) -> Outgoing:
        """What an item makes: alerts of a batch, or the mark itself."""
        if isinstance(item, ClockMark):
            return Outgoing(marks=[item])
        started = time.perf_counter()
        fixes, before = item.fixes, self.state.memory.count.copy()
        events, told = step(
            item.verdicts.fences, self.state, item.verdicts, item.rows, item.subject, fixes.time_ms, fixes.lon, fixes.lat,
            fixes.accuracy_m, fixes.arrival_ms,
        )  # fmt: skip
        if item.rejected is not None and item.ignored is not None:
            self._totals.count(item.records, item.rejected, item.ignored)
        alerts = list(raise_alerts(item.fence_set, item.verdicts.fences, fixes, fixes.time_ms, events, told)) if len(events) else []
        if self._metrics is not None:
            self._metrics.stage("episodes", time.perf_counter() - started)
            self._measure(item, self.state.memory.count - before)
        return Outgoing(alerts, item.dead_letters)

    def _measure(self, item: JudgedBatch, counted: NDArray[np.int64]) -> None:
        """Tell the metrics what became of a batch (a live lane has one shard, which sees all of it)."""
        assert self._metrics is not None
        rejected = item.rejected if item.rejected is not None else np.zeros(len(REASONS), np.int64)
        ignored = item.ignored if item.ignored is not None else np.zeros(len(OPTIONAL_FIELDS), np.int64)
        counts = BatchCounts(
            item.feed, item.records, int(counted[JUDGED]), int(counted[CONTACTS]), int(counted[LATE]), int(counted[DUPLICATES]),
            int(counted[CONFLICTS]), {name: n for name, n in zip(REASONS, rejected.tolist(), strict=True) if n},
            {name: n for name, n in zip(OPTIONAL_FIELDS, ignored.tolist(), strict=True) if n},
        )  # fmt: skip
        accepted = item.subject >= 0
        self._metrics.batch(counts, (item.fixes.arrival_ms[accepted] - item.fixes.time_ms[accepted]) / 1000)

    def snapshot(self) -> dict[str, Any]:
        """All that has to be saved; plain bytes and numbers."""
        return to_snapshot(self.state, self._numbering)


def open_by_kind(state: State) -> dict[int, int]:
    """How many episodes are open, by kind number."""
    slot = state.memory.slot
    kinds = slot["kind"][slot["state"] == OPEN]
    return dict(enumerate(np.bincount(kinds, minlength=len(KINDS)).tolist()))
