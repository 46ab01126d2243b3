"""From a chunk to judged batches: decode, accept, judge, split by shard. Stateless; one call a chunk."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import FenceSet
from operators.acceptance import REASONS, Accepted, accept
from operators.fix_batch import FixBatch
from operators.judge import judge
from operators.subject_directory import SubjectDirectory
from pipeline.items import Chunk, ClockMark, JudgedBatch
from sinks.dead_letters import dead_letter

StageTimer = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A fence set with the directory of its subjects: what is swapped whole."""

    fence_set: FenceSet
    directory: SubjectDirectory


def rule_set_of(fence_set: FenceSet) -> RuleSet:
    """The rule set of a compiled registry."""
    return RuleSet(fence_set, SubjectDirectory(fence_set.registry.subject_ids))


@dataclass(slots=True)
class Judging:
    """Judges chunks under a rule set. `from_ms`, `to_ms`: records outside are left out, as if they had not been there."""

    rules: RuleSet
    shards: int
    from_ms: int | None = None
    to_ms: int | None = None
    keep_dead_letters: bool = True
    timer: StageTimer | None = None
    pace: Callable[[FixBatch], None] | None = None
    _shard_of: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """A subject's shard goes by his id: under another registry his row is another, and his state must be found again."""
        ids = self.rules.fence_set.registry.subject_ids if self.shards > 1 else ()
        self._shard_of = np.array([*(zlib.crc32(name.encode()) % self.shards for name in ids), 0], np.int32)  # the last: row -1

    def __call__(self, item: Chunk | ClockMark) -> list[tuple[str, JudgedBatch | ClockMark]]:
        """The chunk's judged parts, keyed by shard; a clock mark goes to every shard."""
        if isinstance(item, ClockMark):
            return [(shard_key(k), item) for k in range(self.shards)]
        started = time.perf_counter()
        batch = item.decode()
        started = self._timed("decode", started)
        if self.pace is not None:
            self.pace(batch)
            started = time.perf_counter()
        policy = self.rules.fence_set.registry.policy
        fixes = accept(
            batch, self.rules.directory, future_tolerance_ms=round(policy.future_tolerance_s * 1000),
            max_accuracy_m=policy.max_accuracy_m, live=item.live,
        )  # fmt: skip
        started = self._timed("accept", started)
        parts = self._judged(item, batch, fixes)
        self._timed("judge", started)
        return parts

    def _timed(self, stage: str, started: float) -> float:
        now = time.perf_counter()
        if self.timer is not None:
            self.timer(stage, now - started)
        return now

    def _wanted(self, batch: FixBatch) -> NDArray[np.bool_]:
        """Which records lie within `from_ms` and `to_ms`; one whose time cannot be read does."""
        wanted = np.ones(len(batch), bool)
        if self.from_ms is not None:
            wanted &= (batch.time_ms >= self.from_ms) | (batch.time_ms <= 0)
        if self.to_ms is not None:
            wanted &= batch.time_ms < self.to_ms
        return wanted

    def _judged(self, item: Chunk, batch: FixBatch, fixes: Accepted) -> list[tuple[str, JudgedBatch | ClockMark]]:
        subject = np.where(fixes.reason != 0, np.int32(-1), fixes.subject)
        wanted = self._wanted(batch)
        rejects = np.nonzero((fixes.reason != 0) & wanted)[0]
        letters: tuple[bytes, ...] = ()
        rejected = np.bincount(fixes.reason[rejects] - 1, minlength=len(REASONS))
        if self.keep_dead_letters:
            letters = tuple(dead_letter(REASONS[fixes.reason[i] - 1], item.source, batch.place(i), batch.raw(i)) for i in rejects.tolist())
        subject[~wanted] = -1
        subject.flags.writeable = False
        fence_set = self.rules.fence_set
        fences = fence_set.fences_for(fixes.lon, fixes.lat)
        verdicts = judge(fences, subject, fixes.time_ms, fixes.lon, fixes.lat, fixes.accuracy_m)
        shard = self._shard_of[subject] if self.shards > 1 else subject
        parts: list[tuple[str, JudgedBatch | ClockMark]] = []
        for k in range(self.shards):
            rows = np.arange(len(subject)) if self.shards == 1 else np.nonzero(shard == k)[0]
            first = k == 0
            part = JudgedBatch(
                fence_set, fixes, subject, verdicts, rows, int(wanted.sum()), rejected if first else None,
                fixes.ignored if first else None, letters if first else (), item.feed or item.source,
            )  # fmt: skip
            if first or len(rows):
                parts.append((shard_key(k), part))
        return parts


def shard_key(shard: int) -> str:
    """Bytewax key of a shard."""
    return f"s{shard:03d}"
