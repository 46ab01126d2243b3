"""A fence set in which some rules and subjects are others: what the change does not touch is shared, and nothing is compiled twice.

It judges as one compiled from the same registry would; where its bindings stand in memory differs, and is of no account.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fences.bindings import RULE, Profiles, ascending, is_shared, own_bindings, profiles, zones
from fences.fence_set import Fences, FenceSet, silent_after_ms, zone_index_of
from fences.patch import Patch
from fences.registry import FOR_EVER, FROM_EVER, Lists, Registry, RulePolicy, Schedule
from fences.terms import numbered, policy_rows

_GAP = np.array([(FROM_EVER, FOR_EVER, 0, 0, 0, -1)], RULE)
MOST_WASTE, ENOUGH_TO_MATTER = 2, 100_000
"""When so many times as many bindings are kept as bind somebody, and so many more, they are put together anew."""


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """Of the rules that are replaced or new, as in `Registry`: what is kept of all in compiled form alone."""

    from_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]
    policy: RulePolicy
    schedules: Sequence[Schedule | None]
    timezones: Sequence[str | None]


def patched_fence_set(
    before: FenceSet, registry: Registry, subjects: Patch, rules: Patch, terms: RuleTerms, own: NDArray[np.int64]
) -> FenceSet:
    """The fence set of `registry`, which differs from that of `before` by these subjects and rules.

    `own` int64, ascending: the subjects whom a rule of these names or named, and those of `subjects`.
    """
    old = before.parts
    schedules = before.schedules.copied()
    schedule_of = schedules.numbered(terms.schedules, terms.timezones)
    policy, policy_of = numbered(policy_rows(terms.policy), registry.rule_effect[rules.rows], old.policy)
    rule = rules.column(old.rule, _rows(registry, rules, terms, policy_of, schedule_of), _GAP[0])
    groups_then = Lists(old.rule_group_start, old.rule_group)
    groups = rules.lists(groups_then, _ascending(registry.rule_groups, rules.rows))
    shared_then, shared = is_shared(old.rule, groups_then), is_shared(rule, groups)
    touched = np.concatenate([rules.rows, rules.gone])
    as_before = subjects.is_empty and not (shared[touched].any() or shared_then[touched[touched < len(shared_then)]].any())
    profiled = before.profiled if as_before else profiles(registry, rule, groups)
    home_zone = np.array([schedules.zone(name) for name in registry.region_timezones] + [0], np.int16)
    bound = _Bindings(registry, rule, shared, profiled, home_zone)
    fences = old._replace(policy=policy, rule=rule, rule_group_start=groups.start, rule_group=groups.item)
    if len(old.binding) > MOST_WASTE * _held(old) + ENOUGH_TO_MATTER:
        fences = bound.put(fences, old.binding[:0], np.arange(len(registry.subject_ids)), with_profiles=True)
    else:
        fences = bound.put(fences, old.binding, own, with_profiles=not as_before)
    if len(schedules.schedules) > len(before.schedules.schedules):
        fences = fences._replace(calendar=schedules.calendar())
    if not subjects.is_empty:
        fences = fences._replace(silent_after_ms=silent_after_ms(registry))
    index = before.zone_index
    if not as_before:
        zone_start, zone_binding = zones(registry, rule, shared)
        fences = fences._replace(
            zone_start=zone_start,
            zone_binding=zone_binding,
            profile_group_start=profiled.groups.start,
            profile_group=profiled.groups.item,
            timed_start=profiled.timed.start,
            timed_rule=profiled.timed.item,
            shared_start=profiled.every.start,
            shared_rule=profiled.every.item,
        )
        if not np.array_equal(np.diff(zone_start) > 0, np.diff(old.zone_start) > 0):
            index = zone_index_of(fences.shapes, fences.region_rank, zone_start)
    after = copy(before)
    after.become(registry, fences, (schedules, profiled, index), subjects, rules)
    return after


def _rows(
    registry: Registry, rules: Patch, terms: RuleTerms, policy: NDArray[np.int32], schedule: NDArray[np.int32]
) -> NDArray[np.void]:
    rows = np.zeros(len(rules.rows), RULE)
    rows["from_ms"], rows["until_ms"], rows["policy"], rows["schedule"] = terms.from_ms, terms.until_ms, policy, schedule
    rows["effect"], rows["everyone"] = registry.rule_effect[rules.rows], registry.rule_everyone[rules.rows]
    return rows


def _ascending(lists: Lists, rows: NDArray[np.int64]) -> Lists:
    length = lists.start[rows + 1] - lists.start[rows]
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return ascending(Lists(start, lists.item[np.repeat(lists.start[rows] - start[:-1], length) + np.arange(start[-1])]))


def _held(fences: Fences) -> int:
    """How many bindings bind somebody."""
    return sum(int(table[name].sum()) for table in (fences.subject, fences.profile) for name in ("allow", "forbid", "require"))


@dataclass(frozen=True, slots=True)
class _Bindings:
    """What binds whom now. `zone`: the time zone of each region, and last of none."""

    registry: Registry
    rule: NDArray[np.void]
    shared: NDArray[np.bool_]
    profiled: Profiles
    zone: NDArray[np.int16]

    def put(self, fences: Fences, binding: NDArray[np.void], own: NDArray[np.int64], *, with_profiles: bool) -> Fences:
        """The bindings of some subjects, and of the profiles, behind those of before; by these others may be bound still."""
        subject = np.zeros(len(self.registry.subject_ids), fences.subject.dtype)
        subject[: len(fences.subject)] = fences.subject
        profile = fences.profile
        if with_profiles:
            profile = self.profiled.table.copy()
            profile["at"] += len(binding)
            binding = np.concatenate([binding, self.profiled.binding])
            subject["profile"] = self.profiled.of
        rows, more = own_bindings(self.registry, self.rule, self.shared, self.profiled, own)
        rows["at"] += len(binding)
        rows["zone"] = self.zone[self.registry.subject_home[own]]
        subject[own] = rows
        some = slice(None) if with_profiles else own
        subject["has_allow"][some] = (subject["allow"][some] > 0) | (profile["allow"][subject["profile"][some]] > 0)
        return fences._replace(subject=subject, profile=profile, binding=np.concatenate([binding, more]))
