"""Episodes: the keeper of one shard's state. It takes judged batches in order and gives what has to go out."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.difference import difference
from fences.fence_set import FenceSet
from fences.numbering import Ids
from operators.acceptance import REASONS
from operators.alert import Alert
from operators.due import bring_due, bring_mark
from operators.explanation import explain, standing_of
from operators.facts import Facts
from operators.feeds import Feeds
from operators.fix_batch import OPTIONAL_FIELDS
from operators.order import CONFLICTS, CONTACTS, DUPLICATES, JUDGED, LATE
from operators.raise_alerts import Telling
from operators.snapshot import from_snapshot, to_snapshot
from operators.state import KINDS, OPEN, State
from operators.step import step
from operators.versions import VersionChange
from pipeline.items import ClockMark, JudgedBatch, Mark, Outgoing, RegistryMark, RegistryPart, Until
from pipeline.totals import Totals
from sinks.metrics import BatchCounts, Metrics

SUBJECTS_A_PART = 8_192
"""So many get their part of a new version at once: what must be judged anew of them takes about as long as a large batch."""


class Shard:
    """State of one shard, and the step over it."""

    def __init__(
        self, fence_set: FenceSet, totals: Totals, snapshot: dict[str, Any] | None = None,
        known_ids: Callable[[str], Ids | None] | None = None,
        metrics: Metrics | None = None,
        feeds: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """`snapshot`: what an earlier run's `snapshot` gave.

        Also under another registry: carried over by `known_ids(numbering)`. `feeds`, live only: the names of the sources.
        """
        registry = fence_set.registry
        if snapshot is None:
            self.state = State(len(registry.subject_ids), registry.area_ids[: registry.region_count])
        else:
            self.state = from_snapshot(snapshot, fence_set, known_ids(snapshot["numbering"]) if known_ids is not None else None)
        self.feeds = Feeds(self.state, feeds, snapshot.get("feeds") if snapshot is not None else None)
        self._lock = threading.Lock()
        self._fence_set = fence_set
        self._versions_done = 0 if snapshot is None else snapshot["versions_done"]
        self._change: VersionChange | None = None
        self._owed: list[Alert] = [] if snapshot is None else pickle.loads(snapshot["owed"])  # noqa: S301 - our own store
        self._totals = totals
        self._metrics = metrics
        totals.watch(self.state)

    def take(self, item: JudgedBatch | Mark) -> Outgoing:
        """What an item makes: alerts of a batch or of a mark, and the clock marks that have gone by."""
        with self._lock:
            return self._batch(item) if isinstance(item, JudgedBatch) else self._mark(item)

    def facts(self, subject: str, at_ms: int) -> Facts:
        """What is known of a subject between two items, judged as of an instant; may be asked from another thread."""
        while True:
            fence_set = self._fence_set
            number = fence_set.subject_number(subject)
            if number is None:
                return Facts(subject, at_ms, fence_set.version, registered=False)
            with self._lock:
                if self._fence_set is fence_set:
                    standing = standing_of(self.state, number, int(fence_set.fences.limits[0]["silent_long_after_ms"]))
                    break
        return explain(fence_set, number, standing, at_ms)

    @property
    def fence_set(self) -> FenceSet:
        """The fence set in force."""
        return self._fence_set

    def _batch(self, item: JudgedBatch) -> Outgoing:
        started = time.perf_counter()
        fixes, before = item.fixes, self.state.memory.counts.copy()
        # The newest cells: those of last positions were made known after this batch was judged.
        fences = item.verdicts.fences._replace(cells=item.fence_set.zone_index.cells)
        alerts = self._paid()
        if self._change is not None:
            alerts += self._change.take(item.subject[item.rows])
        if item.heard is not None:
            alerts += self.feeds.heard(item.feed, item.heard, item.fence_set)
        events = step(fences, self.state, item.verdicts, item.rows, item.subject, fixes, self.feeds.number(item.feed))
        if item.rejected is not None and item.ignored is not None:
            self._totals.count(item.records, item.rejected, item.ignored)
        if events.used[0]:
            alerts += Telling(item.fence_set, fences, self.state).alerts(events, item.verdicts)
        if self._metrics is not None:
            self._metrics.stage("episodes", time.perf_counter() - started)
            self._measure(self._metrics, item, self.state.memory.counts - before)
        return Outgoing(alerts, item.dead_letters)

    def _mark(self, mark: Mark) -> Outgoing:
        started, alerts, versions = time.perf_counter(), self._paid(), list[FenceSet]()
        if isinstance(mark, RegistryMark):
            alerts += self._change_version(mark)
            versions.append(mark.fence_set)
        if isinstance(mark, RegistryMark | RegistryPart):
            whole = isinstance(mark, RegistryMark) and not mark.in_parts
            alerts += self._go_on(None if whole else SUBJECTS_A_PART)
            self._timed("rules", started)
            return Outgoing(alerts, versions=versions)
        fences, events = self._fence_set.fences, None
        if isinstance(mark, Until):
            alerts += self._go_on(None)
            events = bring_due(fences, self.state, mark.time_ms + 1, mark.time_ms)
        else:
            alerts += self.feeds.bring(mark.feeds, mark.least_ms, self._fence_set)
            # The least over all streams: one that is empty must not carry the clock past what waits in another.
            if mark.least_ms is not None and self._change is not None:
                alerts += self._change.mark(mark.least_ms)
            elif mark.least_ms is not None:
                events = bring_mark(fences, self.state, mark.least_ms)
        if events is not None:
            alerts += Telling(self._fence_set, fences, self.state).alerts(events)
        return Outgoing(alerts, marks=[mark] if isinstance(mark, ClockMark) else [])

    def _change_version(self, mark: RegistryMark) -> list[Alert]:
        """A new version begins to take effect; what still waited of the one before comes first."""
        alerts, old, new = self._go_on(None), self._fence_set, mark.fence_set
        self._change = VersionChange(self.state, old, new, mark.time_ms, mark.differs or difference(old, new))
        alerts += self._change.begin()
        self.feeds.change_version(old, new, mark.time_ms)
        self._fence_set = new
        self._versions_done += 1
        return alerts

    def _go_on(self, most: int | None) -> list[Alert]:
        """The new version takes effect for some more of those who wait for it, None: for all."""
        if self._change is None:
            return []
        alerts = list(self._change.take_some(self._change.waiting if most is None else most))
        if not self._change.waiting:
            self._change = None
        return alerts

    def _timed(self, stage: str, started: float) -> None:
        if self._metrics is not None:
            self._metrics.stage(stage, time.perf_counter() - started)

    def _paid(self) -> list[Alert]:
        """Alerts that were made when nothing could be given."""
        alerts, self._owed = self._owed, []
        return alerts

    @staticmethod
    def _measure(metrics: Metrics, item: JudgedBatch, counted: NDArray[np.int64]) -> None:
        """Tell the metrics what became of a batch (a live lane has one shard, which sees all of it)."""
        rejected = item.rejected if item.rejected is not None else np.zeros(len(REASONS), np.int64)
        ignored = item.ignored if item.ignored is not None else np.zeros(len(OPTIONAL_FIELDS), np.int64)
        counts = BatchCounts(
            item.feed, item.records, int(counted[JUDGED]), int(counted[CONTACTS]), int(counted[LATE]), int(counted[DUPLICATES]),
            int(counted[CONFLICTS]), {name: n for name, n in zip(REASONS, rejected.tolist(), strict=True) if n},
            {name: n for name, n in zip(OPTIONAL_FIELDS, ignored.tolist(), strict=True) if n},
        )  # fmt: skip
        accepted = item.subject >= 0
        metrics.batch(counts, (item.fixes.arrival_ms[accepted] - item.fixes.time_ms[accepted]) / 1000)

    def snapshot(self) -> dict[str, Any]:
        """All that has to be saved; plain bytes and numbers. State is saved under one version: who waits gets his part now."""
        started = time.perf_counter()
        with self._lock:
            self._owed += self._go_on(None)
        saved = {
            **to_snapshot(self.state, self._fence_set.numbering),
            "versions_done": self._versions_done,
            "owed": pickle.dumps(self._owed),
            "feeds": self.feeds.snapshot(),
        }
        self._timed("save", started)
        return saved


def open_by_kind(state: State) -> dict[int, int]:
    """How many episodes are open, by kind number."""
    slot = np.concatenate([state.memory.area, state.memory.pool.slot])
    kinds = slot["kind"][slot["state"] == OPEN]
    return dict(enumerate(np.bincount(kinds, minlength=len(KINDS)).tolist()))
