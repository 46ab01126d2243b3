"""The subjects as columns, with their homes and groups; what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fences.areas import Areas
from fences.findings import Findings, meant, shown
from fences.jsonl import Records
from fences.names import as_text, each_once, index_ids, rows_of
from fences.policy import AS_GOOD_AS_NEVER
from fences.records import SubjectRecord
from fences.registry import Lists

NO_HOME = -1


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a rule may name: the row of each subject and of each group, and in which groups anybody is (bool by row).

    `complete` is false where some subjects could not be read: then nobody can say who is missing.
    """

    rows: Mapping[str, int]
    group_rows: Mapping[str, int]
    inhabited: NDArray[np.bool_]
    complete: bool


@dataclass(frozen=True, slots=True)
class Subjects:
    """One element a subject. `home` is the row of a region, -1 for none; `silent_after_s` is NaN where the policy's counts."""

    ids: tuple[str, ...]
    rows: dict[str, int]
    home: NDArray[np.int32]
    groups: Lists
    group_ids: tuple[str, ...]
    group_rows: dict[str, int]
    silent_after_s: NDArray[np.float64]
    complete: bool

    @property
    def named(self) -> Named:
        """Whom a rule may name, where these are all there are."""
        return Named(self.rows, self.group_rows, np.ones(len(self.group_ids), np.bool_), self.complete)


def check_subjects(read: Records[SubjectRecord], areas: Areas, findings: Findings, known_groups: Sequence[str] = ()) -> Subjects:
    """The subjects; unknown home regions, wrong ids and wrong waiting times go to `findings`.

    `known_groups` come first among the groups.
    """
    records = read.records
    ids = tuple(as_text(record.id for record in records))
    rows = index_ids("subject", ids, partial(read.place, path="id"), partial(read.refused, key="id"), findings)
    groups = [record.groups for record in records]
    names = {str(name) for list_ in {tuple(list_) for list_ in groups if list_} for name in list_}
    group_ids = (*known_groups, *sorted(names.difference(known_groups)))
    group_rows = {name: row for row, name in enumerate(group_ids)}
    return Subjects(
        ids=ids,
        rows=rows,
        home=_homes(read, areas, findings),
        groups=each_once(*rows_of(groups, group_rows)),
        group_ids=group_ids,
        group_rows=group_rows,
        silent_after_s=_silent_after_s(read, findings),
        complete=read.complete,
    )


def _homes(read: Records[SubjectRecord], areas: Areas, findings: Findings) -> NDArray[np.int32]:
    """The row of each home region, -1 for none."""
    regions = {id_: areas.rows[id_] for id_ in areas.regions.ids}
    named = [None if record.home_region is None else str(record.home_region) for record in read.records]
    home = np.fromiter((NO_HOME if name is None else regions.get(name, NO_HOME) for name in named), np.int32, len(named))
    if areas.regions.complete:
        unknown = [row for row in np.flatnonzero(home == NO_HOME).tolist() if named[row] is not None]
        findings.add_each(
            "unknown region",
            unknown,
            lambda row: (
                read.place(row, "home_region"),
                f"there is no region {shown(named[row])}{meant(named[row] or '', regions)}"
                + (": that is an area" if named[row] in areas.rows else ""),
                "write the id of a region, or null",
            ),
        )
    return home


def _silent_after_s(read: Records[SubjectRecord], findings: Findings) -> NDArray[np.float64]:
    values = np.array([record.silent_after_s for record in read.records], np.float64)  # None becomes NaN.
    findings.add_each(
        "out of range",
        np.flatnonzero(values <= 0).tolist(),
        lambda row: (
            read.place(row, "silent_after_s"),
            f"{shown(read.records[row].silent_after_s)} is no waiting time",
            "write a number of seconds above 0, or null",
        ),
    )
    return np.where(values > 0, np.minimum(values, AS_GOOD_AS_NEVER), math.nan)
