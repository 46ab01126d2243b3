"""A registry whose subjects and rules have the numbers that they had before: who is known keeps his, who is new comes behind.

State is kept by number, and a number is given once: what is gone leaves a gap, a subject or a rule with an empty id that binds
nobody and is bound by nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fences.difference import Difference
from fences.packed_ids import PackedIds
from fences.registry import FOR_EVER, FROM_EVER, Lists, Registry, RulePolicy

_Scalar = TypeVar("_Scalar", bound=np.generic)

GAP = ""
"""The id of a number that is nobody's any more."""


@dataclass(frozen=True, slots=True)
class InOrder:
    """The registry in the order of the numbers, how it differs from the one before, and the ids that have come, in order."""

    registry: Registry
    differs: Difference
    new_subjects: list[str]
    new_rules: list[str]


def in_order(registry: Registry, before: Registry) -> InOrder:
    """`registry` by the numbers of `before`. A rule that changes its effect is a new one. All subjects may be concerned."""
    subjects, subject_rows = _rows(registry.subject_ids, before.subject_ids)
    known = {name: i for i, name in enumerate(before.rule_ids) if name != GAP}
    rules = np.array([known.get(name, -1) for name in registry.rule_ids], np.int64)
    other = np.zeros(len(rules), np.bool_)
    old = np.nonzero(rules >= 0)[0]
    other[old] = before.rule_effect[rules[old]] != registry.rule_effect[old]
    other_effect = tuple(registry.rule_ids[i] for i in np.nonzero(other)[0].tolist())
    rules[other] = -1
    rules, rule_rows = _numbered(rules, len(before.rule_ids))
    gone = subject_rows[: len(before.subject_ids)] < 0, rule_rows[: len(before.rule_ids)] < 0
    ordered = _taken(registry, subject_rows, rule_rows, subjects)
    return InOrder(
        ordered,
        Difference(None, None, *gone, other_effect),
        list(ordered.subject_ids[len(before.subject_ids) :]),
        list(ordered.rule_ids[len(before.rule_ids) :]),
    )


def _rows(ids: Sequence[str], before: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    known = {name: i for i, name in enumerate(before) if name != GAP}
    return _numbered(np.array([known.get(name, -1) for name in ids], np.int64), len(before))


def _numbered(number: NDArray[np.int64], known: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers for those who have none yet (-1), and for each number the row that has it (-1: none)."""
    new = number < 0
    number = number.copy()
    number[new] = known + np.arange(int(new.sum()))
    rows = np.full(known + int(new.sum()), -1, np.int64)
    rows[number] = np.arange(len(number))
    return number, rows


def _taken(registry: Registry, subjects: NDArray[np.int64], rules: NDArray[np.int64], to: NDArray[np.int64]) -> Registry:
    """The columns row by row as `subjects` and `rules` name them (-1: a gap); `to`: the number of each subject."""
    policy, shipped = registry.rule_policy, registry.section_policy
    named = _lists(registry.rule_subjects, rules)
    return replace(
        registry,
        subject_ids=_ids(registry.subject_ids, subjects),
        subject_home=_column(registry.subject_home, subjects, -1),
        subject_groups=_lists(registry.subject_groups, subjects),
        subject_silent_after_s=_column(registry.subject_silent_after_s, subjects, np.nan),
        rule_ids=_ids(registry.rule_ids, rules),
        rule_effect=_column(registry.rule_effect, rules, 0),
        rule_everyone=_column(registry.rule_everyone, rules, 0),
        rule_subjects=Lists(named.start, to[named.item].astype(np.int32)),
        rule_groups=_lists(registry.rule_groups, rules),
        rule_areas=_lists(registry.rule_areas, rules),
        rule_from_ms=_column(registry.rule_from_ms, rules, int(FROM_EVER)),
        rule_until_ms=_column(registry.rule_until_ms, rules, int(FOR_EVER)),
        rule_schedules=tuple(registry.rule_schedules[i] if i >= 0 else None for i in rules.tolist()),
        rule_timezones=tuple(registry.rule_timezones[i] if i >= 0 else None for i in rules.tolist()),
        rule_policy=RulePolicy(
            **{key.name: _column(getattr(policy, key.name), rules, getattr(shipped, key.name)[0]) for key in fields(RulePolicy)}
        ),
    )


def _ids(ids: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    return PackedIds.of([ids[i] if i >= 0 else GAP for i in rows.tolist()])


def _column(column: NDArray[_Scalar], rows: NDArray[np.int64], gap: float) -> NDArray[_Scalar]:
    out: NDArray[_Scalar] = np.full(len(rows), gap, column.dtype)
    out[rows >= 0] = column[rows[rows >= 0]]
    return out


def _lists(lists: Lists, rows: NDArray[np.int64]) -> Lists:
    length = np.where(rows >= 0, lists.start[rows + 1] - lists.start[rows], 0)
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    at = np.repeat(np.where(rows >= 0, lists.start[rows], 0) - start[:-1], length) + np.arange(start[-1])
    return Lists(start, lists.item[at])
