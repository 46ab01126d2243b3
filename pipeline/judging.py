"""From a chunk to judged batches: decode, accept, judge, split by shard. Stateless; one call a chunk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fences.difference import difference
from fences.fence_set import FenceSet
from operators.acceptance import BEFORE_MS, EARLIEST_MS, FUTURE, REASONS, UNKNOWN_SUBJECT, Accepted, accept
from operators.decode.joined import part
from operators.feeds import Heard
from operators.fix_batch import FixBatch
from operators.judge import judge
from operators.subject_directory import SubjectDirectory
from pipeline.items import Chunk, JudgedBatch, Mark, RegistryMark, Until
from pipeline.selection import between
from sinks.dead_letters import dead_letter

StageTimer = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A fence set with the directory of its subjects: what is swapped whole.

    `shard` int64[n + 1]: which shard keeps each subject, the last for -1.
    """

    fence_set: FenceSet
    directory: SubjectDirectory
    shard: NDArray[np.int64]


def rule_set_of(fence_set: FenceSet, shards: int) -> RuleSet:
    """The rule set of a compiled registry. A subject's shard follows from his id alone: it is the same under every version."""
    ids = fence_set.registry.subject_ids
    if shards == 1:
        return RuleSet(fence_set, SubjectDirectory(ids, gaps=True), np.zeros(len(ids) + 1, np.int64))
    hashes = [crc32(name.encode()) for name in ids]
    return RuleSet(fence_set, SubjectDirectory(ids, gaps=True), np.array([*hashes, 0], np.int64) % shards)


@dataclass(slots=True)
class Judging:
    """Judges chunks under a rule set. `from_ms`, `to_ms`: records outside are left out, as if they had not been there.

    `versions`: registry versions to come, each with the instant from which it holds (UTC milliseconds), in order.
    """

    rules: RuleSet
    shards: int
    from_ms: int | None = None
    to_ms: int | None = None
    keep_dead_letters: bool = True
    timer: StageTimer | None = None
    pace: Callable[[FixBatch], None] | None = None
    versions: list[tuple[int, RuleSet]] = field(default_factory=list)

    def __call__(self, item: Chunk | Mark) -> list[tuple[str, JudgedBatch | Mark]]:
        """The chunk's judged parts, keyed by shard; a mark goes to every shard."""
        if isinstance(item, Until):
            parts = self._change_version() if self.versions and self.versions[0][0] <= item.time_ms else []
            return [*parts, *(self(item) if parts else self._to_all(item))]
        if not isinstance(item, Chunk):
            if isinstance(item, RegistryMark) and item.rules is not None:
                self.rules = item.rules
            return self._to_all(item)
        started = time.perf_counter()
        batch = between(item.decode(), self.from_ms, self.to_ms)
        started = self._timed("decode", started)
        if self.pace is not None:
            self.pace(batch)
            started = time.perf_counter()
        fixes = self._accepted(item, batch)
        out: list[tuple[str, JudgedBatch | Mark]] = []
        while self.versions:
            first = self._first_arriving(batch, fixes, self.versions[0][0])
            if first == len(batch):
                break
            if first:
                head = part(batch, 0, first)
                out += self._judged(item, head, self._accepted(item, head))
                batch = part(batch, first, len(batch))
            out += self._change_version()
            fixes = self._accepted(item, batch)
        started = self._timed("accept", started)
        out += self._judged(item, batch, fixes)
        self._timed("judge", started)
        return out

    def _accepted(self, item: Chunk, batch: FixBatch) -> Accepted:
        policy = self.rules.fence_set.registry.policy
        return accept(
            batch, self.rules.directory, future_tolerance_ms=round(policy.future_tolerance_s * 1000),
            max_accuracy_m=policy.max_accuracy_m, live=item.live,
        )  # fmt: skip

    def _first_arriving(self, batch: FixBatch, fixes: Accepted, time_ms: int) -> int:
        """The first record that arrives at or after an instant; one rejected as unknown or from the future counts too."""
        received = batch.received_ms
        arrival = np.where((received >= EARLIEST_MS) & (received < BEFORE_MS), received, batch.time_ms)
        counts = (fixes.reason == 0) | (fixes.reason == UNKNOWN_SUBJECT) | (fixes.reason == FUTURE)
        found = np.nonzero(counts & (arrival >= time_ms))[0]
        return int(found[0]) if len(found) else len(batch)

    def _change_version(self) -> list[tuple[str, JudgedBatch | Mark]]:
        old = self.rules.fence_set
        time_ms, self.rules = self.versions.pop(0)
        new = self.rules.fence_set
        return self._to_all(RegistryMark(new, time_ms, differs=difference(old, new)))

    def _to_all(self, mark: Mark) -> list[tuple[str, JudgedBatch | Mark]]:
        return [(shard_key(k), mark) for k in range(self.shards)]

    def _timed(self, stage: str, started: float) -> float:
        now = time.perf_counter()
        if self.timer is not None:
            self.timer(stage, now - started)
        return now

    def _judged(self, item: Chunk, batch: FixBatch, fixes: Accepted) -> list[tuple[str, JudgedBatch | Mark]]:
        subject = np.where(fixes.reason != 0, np.int32(-1), fixes.subject)
        rejects = np.nonzero(fixes.reason)[0]
        letters: tuple[bytes, ...] = ()
        rejected = np.bincount(fixes.reason[rejects] - 1, minlength=len(REASONS))
        if self.keep_dead_letters:
            letters = tuple(
                dead_letter(REASONS[fixes.reason[i] - 1], item.source, batch.place(i), batch.raw(i)) for i in rejects.tolist()
            )
        subject.flags.writeable = False
        fence_set = self.rules.fence_set
        fences = fence_set.fences_for(fixes.lon, fixes.lat)
        verdicts = judge(fences, subject, fixes.time_ms, fixes.lon, fixes.lat, fixes.accuracy_m)
        heard = None
        if item.live and len(batch):
            heard = Heard(int(batch.stamp_ms[0]), int(fixes.arrival_ms[0]), int(batch.stamp_ms.max()))
        parts: list[tuple[str, JudgedBatch | Mark]] = []
        shard = self.rules.shard[subject]  # of a rejected record, row -1, any: it is left out by its row
        for k in range(self.shards):
            rows = np.arange(len(subject)) if self.shards == 1 else np.nonzero(shard == k)[0]
            first = k == 0
            judged = JudgedBatch(
                fence_set, fixes, subject, verdicts, rows, len(batch), rejected if first else None,
                fixes.ignored if first else None, letters if first else (), item.feed or item.source, heard,
            )  # fmt: skip
            if first or len(rows):
                parts.append((shard_key(k), judged))
        return parts


def shard_key(shard: int) -> str:
    """Bytewax key of a shard."""
    return f"s{shard:03d}"
