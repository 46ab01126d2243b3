"""Judging recorded files again for one subject: all is decoded, his records alone are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import FenceSet
from fences.findings import meant, shown
from fences.problems import FencewatchError
from operators.fix_batch import FixBatch
from operators.subject_directory import SubjectDirectory
from pipeline.episodes import Shard
from pipeline.explain.story import Explanation, Story
from pipeline.items import Chunk, JudgedBatch, Until
from pipeline.judging import Judging, rule_set_of
from pipeline.selection import between, selected
from pipeline.sources.files import FileOptions, FileStream
from pipeline.totals import Totals

_SOME = 1_000


class UnexplainedError(FencewatchError):
    """There is nothing to explain: the text says what is missing, and where to look."""


def explain_files(
    files: list[str],
    reading: FileOptions,
    fence_set: FenceSet,
    later: Sequence[tuple[int, FenceSet]],
    subject: str,
    at_ms: int,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> Explanation:
    """What a replay of the files knew of a subject at an instant.

    `later`: registry versions with their instants; `from_ms`, `to_ms`: records outside are left out (all UTC milliseconds).
    Raises UnexplainedError for a subject who is in no registry or of whom there is no record, UnreadableError for a file.
    """
    must_be_known(subject, [fence_set, *(version for _, version in later)])
    versions = sorted(later, key=lambda version: version[0])
    judging = Judging(
        rule_set_of(fence_set, 1), 1, keep_dead_letters=False, versions=[(time_ms, rule_set_of(v, 1)) for time_ms, v in versions]
    )
    story = Story(Shard(fence_set, Totals()), subject, at_ms)
    mine = _Mine(subject, judging, from_ms, to_ms)
    for chunk in FileStream(files, reading):
        first = 0
        for _, part in judging(replace(chunk, decode=lambda chunk=chunk: mine.of(chunk))):  # type: ignore[misc]  # a default binds it
            if isinstance(part, JudgedBatch):
                for i in np.nonzero(mine.rows[first : first + part.records])[0].tolist():
                    story.record(part, i)
                first += part.records
            else:
                story.mark(part)
    for _, part in judging(Until(at_ms)):
        if isinstance(part, Until):
            story.close(part)
        elif not isinstance(part, JudgedBatch):
            story.mark(part)
    if not mine.found:
        where = files[0] if len(files) == 1 else f"{len(files):,} files"
        raise UnexplainedError(
            f"no record of {shown(subject)} among the {mine.records:,} in {where}; are they his files, and is the subject in the "
            "column that --columns names?"
        )
    return story.told("files", [])


class _Mine:
    """Which records are his; while no registry version is to come, the others are dropped at once."""

    def __init__(self, subject: str, judging: Judging, from_ms: int | None, to_ms: int | None) -> None:
        self._directory = SubjectDirectory([subject])
        self._judging = judging
        self._from_ms, self._to_ms = from_ms, to_ms
        self.rows: NDArray[np.bool_] = np.zeros(0, bool)
        self.found = False
        self.records = 0

    def of(self, chunk: Chunk) -> FixBatch:
        """The batch to judge; `rows` says which of its records are his."""
        batch = between(chunk.decode(), self._from_ms, self._to_ms)
        self.records += len(batch)
        self.rows = self._directory.rows(batch.ids, batch.id_start, batch.id_len) == 0
        self.found |= bool(self.rows.any())
        if self._judging.versions:
            return batch
        batch = selected(batch, np.nonzero(self.rows)[0])
        self.rows = np.ones(len(batch), bool)
        return batch


def must_be_known(subject: str, fence_sets: Sequence[FenceSet]) -> None:
    """Raises UnexplainedError for a subject who is in none of some registries."""
    if any(subject in fence_set.registry.subject_ids for fence_set in fence_sets):
        return
    ids = fence_sets[0].registry.subject_ids
    near = [name for name in ids if name[: len(subject) // 2] == subject[: len(subject) // 2]] if len(subject) > 1 else []
    raise UnexplainedError(f"there is no subject {shown(subject)} in the registry{meant(subject, near[:_SOME])}.")
