"""How one registry version differs from the one before, as far as the state must know: who is concerned, what is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fences.fence_set import FenceSet


@dataclass(frozen=True, slots=True)
class Difference:
    """From an old version (n subjects, m rules) to a new one.

    `subject_to` int64[n], `rule_to` int64[m]: the new numbers, -1 of what is gone; both None where all keep theirs, and whoever is
    new has a number behind the old ones. `gone_subjects` bool[n], `gone_rules` bool[m]: a rule that changes its effect is a new
    one, so the old one is gone; its id is in `other_effect`. `concerned`: numbers (int32, where numbers stay) of the subjects for
    whom anything may differ, those who are gone and new ones included; None: all.
    """

    subject_to: NDArray[np.int64] | None
    rule_to: NDArray[np.int64] | None
    gone_subjects: NDArray[np.bool_]
    gone_rules: NDArray[np.bool_]
    other_effect: tuple[str, ...] = ()
    concerned: NDArray[np.int32] | None = None


def difference(old: FenceSet, new: FenceSet) -> Difference:
    """The difference of two versions that were loaded apart, where numbers follow the order of the files: all are concerned."""
    before, after = old.registry, new.registry
    subjects = {name: i for i, name in enumerate(after.subject_ids)}
    rules = {name: i for i, name in enumerate(after.rule_ids)}
    subject_to = np.array([subjects.get(name, -1) for name in before.subject_ids], np.int64)
    rule_to = np.array([rules.get(name, -1) for name in before.rule_ids], np.int64)
    same = before.rule_effect == after.rule_effect[rule_to] if len(after.rule_ids) else rule_to >= 0
    other = (rule_to >= 0) & ~same
    other_effect = tuple(before.rule_ids[i] for i in np.nonzero(other)[0].tolist())
    rule_to[other] = -1
    return Difference(subject_to, rule_to, subject_to < 0, rule_to < 0, other_effect)
