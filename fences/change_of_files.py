"""A registry of which some files changed: these alone are read, checked against what is known of the rest, and compiled.

The result is that of a load of everything. What cannot be seen to be right without the rest (an id that stands in two files, a
rule that names who is gone), and a change of areas or policy, is left to such a load, which also tells what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fences.difference import Difference
from fences.findings import Findings
from fences.jsonl import Records, files_of, read_records
from fences.known import GONE, Change, Known, KnownRecords, name_below
from fences.load import collector_paused, warn_of_shallow_areas
from fences.numbering import Ids
from fences.packed_ids import PackedIds
from fences.patch import Patch
from fences.patched_fence_set import RuleTerms, patched_fence_set
from fences.problems import WrongRegistryError
from fences.records import RuleRecord, SubjectRecord
from fences.registry import Lists, Registry, RulePolicy
from fences.rules import Rules, check_rules
from fences.subjects import Named, Subjects, check_subjects
from fences.version import changed_sums, registry_version, rule_prints, subject_prints


class NotAloneError(Exception):
    """The change cannot be checked without the rest of the registry."""


def change_of_files(before: Known, directory: Path, names: Sequence[str]) -> Change:
    """What a registry has become, of which only these files changed, came or are gone: `rules.jsonl`, `subjects.d/x.jsonl`, ...

    Raises WrongRegistryError with every problem in these files, and NotAloneError.
    """
    findings = Findings()
    with collector_paused():
        subjects = _changed_subjects(before, directory, names, findings)
        rules, columns = _changed_rules(before, directory, names, subjects.named, findings)
        return _change(before, subjects, rules, columns, findings)


@dataclass(frozen=True, slots=True)
class _Changed:
    """Records of the files that changed, by number: `row_of` int64[len(patch.rows)] is the record of each row of the patch.

    `ids`: of `patch.rows`; `came`: how many of them are new. `records`: as they will be known.
    """

    patch: Patch
    row_of: NDArray[np.int64]
    ids: list[str]
    came: int
    records: KnownRecords

    @property
    def touched(self) -> NDArray[np.int64]:
        """The numbers of those that differ, came or are gone."""
        return np.concatenate([self.patch.rows, self.patch.gone])


def _numbered(
    before: tuple[KnownRecords, PackedIds],
    read: Records[SubjectRecord] | Records[RuleRecord],
    said: tuple[Sequence[str], NDArray[np.uint64]],
    was_there: NDArray[np.bool_],
    number: NDArray[np.int64],
    directory: Path,
) -> _Changed:
    """The records of changed files by number; those that have none (`number` -1) get new ones.

    `said`: their ids and prints; `was_there`: which numbers stood in these files before.
    """
    (known, old_ids), (ids, prints) = before, said
    then = len(known.prints)
    come = np.flatnonzero(number < 0)
    total = then + len(come)
    number[come] = np.arange(then, total)
    stays = np.zeros(total, np.bool_)
    stays[number] = True
    gone = np.flatnonzero(was_there & ~stays[:then])
    old = np.flatnonzero(number < then)
    differs = np.ones(len(ids), np.bool_)
    differs[old] = (known.prints[number[old]] != prints[old]).any(axis=1)
    row_of = np.flatnonzero(differs)
    row_of = row_of[np.argsort(number[row_of], kind="stable")]
    patch = Patch(number[row_of], gone, total)
    replaced = patch.rows[patch.rows < then]
    ended = known.prints[np.concatenate([gone, replaced])]
    numbers = known.numbers
    if len(come) or len(gone):
        numbers = dict(numbers)
        for there in gone.tolist():
            del numbers[old_ids[there]]
        numbers.update((ids[row], int(number[row])) for row in come.tolist())
    files = tuple(dict.fromkeys([*known.files, *(name_below(path, directory) for path in read.files)]))
    file_of = Patch(np.empty(0, np.int64), gone, total).column(known.file_of, np.empty(0, np.int32), GONE)
    file_of[number] = np.array([files.index(name_below(path, directory)) for path in read.files] or [GONE], np.int32)[read.file_of]
    records = KnownRecords(
        numbers, patch.column(known.prints, prints[row_of], 0), changed_sums(known.sums, ended, prints[row_of]), files, file_of
    )
    return _Changed(patch, row_of, [ids[row] for row in row_of.tolist()], len(come), records)


def _old_numbers(known: KnownRecords, ids: Sequence[str], was_there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of each record of changed files, -1 of a new one. Raises NotAloneError."""
    number = np.fromiter(map(known.numbers.get, ids, repeat(GONE)), np.int64, len(ids))
    if not was_there[number[number >= 0]].all():
        raise NotAloneError  # an id that stands in a file that did not change, too
    return number


@dataclass(frozen=True, slots=True)
class _SubjectChange:
    """The subjects of changed files, the groups of all subjects then, and whom a rule may name then."""

    changed: _Changed
    columns: Subjects
    groups: Lists
    named: Named


def _changed_subjects(before: Known, directory: Path, names: Sequence[str], findings: Findings) -> _SubjectChange:
    registry = before.registry
    read = read_records(_paths(directory, "subjects", names), SubjectRecord, findings)
    columns = check_subjects(read, before.areas, findings, registry.group_ids)
    if findings.errors:
        raise NotAloneError  # rules that name them may be wrong now as well
    was_there = before.subjects.in_files(name for name in names if name.startswith("subjects"))
    number = _old_numbers(before.subjects, columns.ids, was_there)
    said = columns.ids, subject_prints(read.records, columns)
    changed = _numbered((before.subjects, _packed(registry.subject_ids)), read, said, was_there, number, directory)
    lost = np.flatnonzero(np.isin(registry.rule_subjects.item, changed.patch.gone))
    if not before.rules.in_files(names)[_owners(registry.rule_subjects, lost)].all():
        raise NotAloneError  # a rule in a file that did not change names one who is gone
    groups = changed.patch.lists(registry.subject_groups, _taken(columns.groups, changed.row_of))
    group_rows = {name: row for row, name in enumerate(columns.group_ids)}
    inhabited = np.bincount(groups.item, minlength=len(group_rows)) > 0
    return _SubjectChange(changed, columns, groups, Named(changed.records.numbers, group_rows, inhabited, complete=True))


def _changed_rules(
    before: Known, directory: Path, names: Sequence[str], named: Named, findings: Findings
) -> tuple[_Changed, Rules]:
    registry = before.registry
    read = read_records(_paths(directory, "rules", names), RuleRecord, findings)
    columns = check_rules(read, named, before.areas, registry.section_policy, findings)
    warn_of_shallow_areas(read, columns, before.areas, findings)
    was_there = before.rules.in_files(name for name in names if name.startswith("rules"))
    number = _old_numbers(before.rules, columns.ids, was_there)
    if findings.errors:
        raise WrongRegistryError(findings.listed())
    old = np.flatnonzero(number >= 0)
    # A rule that changes its effect is a new one.
    number[old[registry.rule_effect[number[old]] != columns.effect[old]]] = GONE
    said = columns.ids, rule_prints(read.records, columns)
    return _numbered((before.rules, _packed(registry.rule_ids)), read, said, was_there, number, directory), columns


def _change(before: Known, subjects: _SubjectChange, rules: _Changed, columns: Rules, findings: Findings) -> Change:
    old, patch, rows = before.registry, subjects.changed.patch, rules.patch
    version = registry_version(before.policy, *before.fixed, subjects.changed.records.sums, rules.records.sums)
    people, row_of, rule_of = subjects.columns, subjects.changed.row_of, rules.row_of
    registry = replace(
        old,
        version=version,
        subject_ids=patch.ids(_packed(old.subject_ids), subjects.changed.ids),
        subject_home=patch.column(old.subject_home, people.home[row_of], -1),
        subject_groups=subjects.groups,
        subject_silent_after_s=patch.column(old.subject_silent_after_s, people.silent_after_s[row_of], np.nan),
        group_ids=columns.group_ids,
        rule_ids=rows.ids(_packed(old.rule_ids), rules.ids),
        rule_effect=rows.column(old.rule_effect, columns.effect[rule_of], 0),
        rule_everyone=rows.column(old.rule_everyone, columns.everyone[rule_of], 0),
        rule_subjects=rows.lists(old.rule_subjects, _taken(columns.subjects, rule_of)),
        rule_groups=rows.lists(old.rule_groups, _taken(columns.groups, rule_of)),
        rule_areas=rows.lists(old.rule_areas, _taken(columns.areas, rule_of)),
    )
    terms = RuleTerms(
        columns.from_ms[rule_of],
        columns.until_ms[rule_of],
        RulePolicy(**{key.name: getattr(columns.policy, key.name)[rule_of] for key in fields(RulePolicy)}),
        [columns.schedules[row] for row in rule_of.tolist()],
        [columns.timezones[row] for row in rule_of.tolist()],
    )
    own = np.zeros(len(registry.subject_ids), np.bool_)
    for numbers in (_bound_by_name(old, rules.touched), _bound_by_name(registry, rules.touched), subjects.changed.touched):
        own[numbers] = True
    fence_set = patched_fence_set(before.fence_set, registry, patch, rows, terms, np.flatnonzero(own))
    known = Known(registry, fence_set, before.areas, before.policy, before.fixed, subjects.changed.records, rules.records)
    effects = old.rule_effect[rows.gone] if len(rows.gone) else np.empty(0, np.uint8)
    other = tuple(
        old.rule_ids[there] for there in rows.gone[: len(effects)].tolist() if old.rule_ids[there] in rules.records.numbers
    )
    differs = Difference(
        None, None, _flags(patch.gone, len(old.subject_ids)), _flags(rows.gone, len(old.rule_ids)), other,
        _concerned(old, registry, rules.touched, own),
    )  # fmt: skip
    came = Ids(subjects.changed.ids[len(subjects.changed.ids) - subjects.changed.came :], rules.ids[len(rules.ids) - rules.came :])
    return Change(known, differs, came, findings.listed())


def _concerned(old: Registry, new: Registry, rules: NDArray[np.int64], own: NDArray[np.bool_]) -> NDArray[np.int32] | None:
    """The subjects for whom some rules may make a difference: those named (`own`), those in their groups; None: everyone."""
    found = own.copy()
    for registry in (old, new):
        there = rules[rules < len(registry.rule_ids)]
        if registry.rule_everyone[there].any():
            return None
        groups = _taken(registry.rule_groups, there).item
        if len(groups):
            found[_owners(registry.subject_groups, np.flatnonzero(np.isin(registry.subject_groups.item, groups)))] = True
    return np.flatnonzero(found[: len(old.subject_ids)]).astype(np.int32)


def _bound_by_name(registry: Registry, rules: NDArray[np.int64]) -> NDArray[np.int64]:
    return _taken(registry.rule_subjects, rules[rules < len(registry.rule_ids)]).item.astype(np.int64)


def _paths(directory: Path, stem: str, names: Sequence[str]) -> list[Path]:
    wanted = set(names)
    return [path for path in files_of(directory, stem) if name_below(path, directory) in wanted]


def _packed(ids: Sequence[str]) -> PackedIds:
    return PackedIds.of(ids)


def _flags(numbers: NDArray[np.int64], total: int) -> NDArray[np.bool_]:
    flags = np.zeros(total, np.bool_)
    flags[numbers] = True
    return flags


def _owners(lists: Lists, items: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """To which list each of some items belongs."""
    return np.searchsorted(lists.start, items, side="right") - 1


def _taken(lists: Lists, rows: NDArray[np.int64]) -> Lists:
    """Some of the lists, in this order."""
    length = lists.start[rows + 1] - lists.start[rows]
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return Lists(start, lists.item[np.repeat(lists.start[rows] - start[:-1], length) + np.arange(start[-1])])
