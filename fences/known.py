"""A registry in force, kept so that a change of some of its files can be read and checked alone (`fences.change_of_files`).

Subjects and rules have the numbers that they were given first: see `fences.in_order`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fences.areas import Areas
from fences.difference import Difference
from fences.fence_set import FenceSet
from fences.in_order import in_order
from fences.jsonl import Progress
from fences.load import Content, collector_paused, load_content
from fences.numbering import Ids
from fences.packed_ids import PackedIds
from fences.problems import Problem
from fences.registry import Registry
from fences.version import Sums, sums_of

GONE = -1


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """The subjects, or the rules, by number. `numbers`: by id, of those that there are.

    `prints` uint64[n, 2], `sums` of those that there are; `file_of` int32[n]: which of `files` (names below the directory) each
    stands in, -1 of one that is gone.
    """

    numbers: dict[str, int]
    prints: NDArray[np.uint64]
    sums: Sums
    files: tuple[str, ...]
    file_of: NDArray[np.int32]

    def in_files(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Which of them stand in some files, bool[n]."""
        wanted = set(names)
        flags = np.array([*(name in wanted for name in self.files), False], np.bool_)  # the last for -1
        return flags[self.file_of]


@dataclass(frozen=True, slots=True)
class Known:
    """A registry by number, compiled, with what changes of it are checked against."""

    registry: Registry
    fence_set: FenceSet
    areas: Areas
    policy: bytes
    fixed: tuple[Sums, Sums]
    subjects: KnownRecords
    rules: KnownRecords


@dataclass(frozen=True, slots=True)
class Change:
    """What a registry has become: how that differs, and the ids that came, in the order of their numbers."""

    known: Known
    differs: Difference
    came: Ids
    warnings: list[Problem]


def known_of(directory: Path, progress: Progress | None = None) -> tuple[Known, list[Problem]]:
    """The registry of a directory, with numbers in the order of its files; and the warnings. Raises WrongRegistryError."""
    content = load_content(directory, progress)
    with collector_paused():
        return _known(content, content.registry, directory, progress), content.warnings


def change_of_all(before: Known, directory: Path, progress: Progress | None = None) -> Change:
    """What a registry has become, read as a whole; all subjects may be concerned. Raises WrongRegistryError."""
    content = load_content(directory, progress)
    with collector_paused():
        ordered = in_order(content.registry, before.registry)
        known = _known(content, ordered.registry, directory, progress)
        return Change(known, ordered.differs, Ids(ordered.new_subjects, ordered.new_rules), content.warnings)


def _known(content: Content, registry: Registry, directory: Path, progress: Progress | None) -> Known:
    registry = replace(registry, subject_ids=PackedIds.of(registry.subject_ids), rule_ids=PackedIds.of(registry.rule_ids))
    return Known(
        _without_what_is_compiled(registry),
        FenceSet(registry, progress),
        content.areas,
        content.policy,
        content.fixed,
        _known_records(
            (content.registry.subject_ids, content.subject_prints), content.subject_files, registry.subject_ids, directory
        ),
        _known_records((content.registry.rule_ids, content.rule_prints), content.rule_files, registry.rule_ids, directory),
    )


def _known_records(
    said: tuple[Sequence[str], NDArray[np.uint64]],
    files: tuple[tuple[str, ...], NDArray[np.int32]],
    by_number: Sequence[str],
    directory: Path,
) -> KnownRecords:
    ids, prints = said
    numbers = {name: number for number, name in enumerate(by_number) if name}
    place = np.array([numbers[name] for name in ids], np.int64)
    of_number = np.zeros((len(by_number), 2), np.uint64)
    of_number[place] = prints
    file_of = np.full(len(by_number), GONE, np.int32)
    file_of[place] = files[1]
    return KnownRecords(numbers, of_number, sums_of(prints), tuple(name_below(path, directory) for path in files[0]), file_of)


def name_below(path: str | Path, directory: Path) -> str:
    """How a file of a registry is called in it."""
    return Path(path).relative_to(directory).as_posix()


def _without_what_is_compiled(registry: Registry) -> Registry:
    """Without the columns that the fence set has in its own form."""
    none = np.empty(0, np.int64)
    return replace(registry, rule_schedules=(), rule_timezones=(), rule_from_ms=none, rule_until_ms=none)
