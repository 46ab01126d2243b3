"""What binds whom: a subject's own bindings, those he shares with all of the same groups (his profile), and the forbidden zones.

Each answer is made for all, or, after a change, for some subjects alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import record_type
from fences.registry import ALLOW, FOR_EVER, FORBID, FROM_EVER, REQUIRE, Lists, Registry

BINDING = record_type([("from_ms", "i8"), ("until_ms", "i8"), ("area", "i4"), ("rule", "i4"), ("policy", "i4"), ("schedule", "i4")])
"""One area of one rule, as it binds somebody; `policy` is a row of `Fences.policy`, `schedule` -1 for none."""
BOUND = record_type(
    [
        ("at", "i8"),
        ("allow", "i4"),
        ("forbid", "i4"),
        ("require", "i4"),
        ("profile", "i4"),
        ("home", "i4"),
        ("zone", "i2"),
        ("has_allow", "i2"),
    ]
)
"""A subject (or a profile): his bindings begin at `at`, first those of allow rules, then forbid, then require, by rule number.

`zone` is the number of his time zone, that of his home region (0: UTC)."""
RULE = record_type(
    [("from_ms", "i8"), ("until_ms", "i8"), ("policy", "i4"), ("effect", "i4"), ("everyone", "i4"), ("schedule", "i4")]
)


class Profiles(NamedTuple):
    """Subjects with the same groups, of those that a rule binds, share a profile.

    `of` int32[subjects]; by profile: its `groups`, the `rules` that bind it through them or everyone, and of these the forbidding
    ones (`every`), and those that are not active always (`timed`). `table` BOUND and `binding` BINDING: by rules of allow and
    require.
    """

    of: NDArray[np.int32]
    groups: Lists
    rules: Lists
    every: Lists
    timed: Lists
    table: NDArray[np.void]
    binding: NDArray[np.void]


def is_shared(rule: NDArray[np.void], rule_groups: Lists) -> NDArray[np.bool_]:
    """Which rules bind groups or everyone, bool[rules]."""
    shared: NDArray[np.bool_] = (rule["everyone"] != 0) | (np.diff(rule_groups.start) > 0)
    return shared


def profiles(registry: Registry, rule: NDArray[np.void], rule_groups: Lists) -> Profiles:
    """The profiles; `rule` RULE, `rule_groups` as of the registry, each list ascending."""
    of, groups = _of_groups(registry, rule_groups)
    rules = _rules_of(rule, rule_groups, groups)
    owner, item = _owners(rules), rules.item
    forbidding = rule["effect"][item] == FORBID
    always = (rule["from_ms"] == FROM_EVER) & (rule["until_ms"] == FOR_EVER) & (rule["schedule"] < 0)
    order = np.flatnonzero(~forbidding)
    order = order[np.lexsort((item[order], rule["effect"][item[order]], owner[order]))]
    place, areas = _with_areas(registry, item[order].astype(np.int64))
    which = item[order][place].astype(np.int64)
    return Profiles(
        of,
        groups,
        rules,
        _where(rules, owner, forbidding),
        _where(rules, owner, forbidding & ~always[item]),
        _counted(len(groups.start) - 1, owner[order][place], rule["effect"][which].astype(np.int64)),
        _bind(rule, which, areas),
    )


def own_bindings(
    registry: Registry, rule: NDArray[np.void], shared: NDArray[np.bool_], profiled: Profiles, subjects: NDArray[np.int64]
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Bindings of some subjects (ascending) by the rules that name them and do not bind them through a group or everyone too.

    Gives their BOUND rows, `at` counted from the first of the BINDING rows.
    """
    place_of = np.full(len(registry.subject_ids), -1, np.int64)
    place_of[subjects] = np.arange(len(subjects))
    named = registry.rule_subjects
    at = np.flatnonzero(place_of[named.item] >= 0) if len(subjects) < len(place_of) else np.arange(len(named.item))
    which = np.searchsorted(named.start, at, side="right") - 1
    owner = named.item[at].astype(np.int64)
    both = np.flatnonzero(shared[which])
    if len(both):
        rules = max(1, len(rule))
        through = _owners(profiled.rules) * rules + profiled.rules.item
        keep = np.ones(len(owner), bool)
        keep[both] = ~np.isin(profiled.of[owner[both]].astype(np.int64) * rules + which[both], through)
        owner, which = owner[keep], which[keep]
    owner = place_of[owner]
    # By owner and effect, then by rule: within an owner the rules stand in their order already.
    order = np.argsort(owner * len("afr") + rule["effect"][which], kind="stable")
    owner, which = owner[order], which[order]
    place, areas = _with_areas(registry, which)
    owner, which = owner[place], which[place]
    table = _counted(len(subjects), owner, rule["effect"][which].astype(np.int64))
    table["profile"], table["home"] = profiled.of[subjects], registry.subject_home[subjects]
    return table, _bind(rule, which, areas)


def zones(registry: Registry, rule: NDArray[np.void], shared: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """The forbid rules that bind groups or everyone, by area: int64[areas + 1] into BINDING rows."""
    rules = np.nonzero(shared & (rule["effect"] == FORBID))[0]
    place, areas = _with_areas(registry, rules)
    order = np.lexsort((rules[place], areas))
    start = np.zeros(len(registry.area_ids) + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(areas, minlength=len(registry.area_ids)))
    return start, _bind(rule, rules[place][order], areas[order])


def ascending(lists: Lists) -> Lists:
    """The same lists, each in ascending order."""
    owner = _owners(lists)
    return Lists(lists.start, lists.item[np.lexsort((lists.item, owner))].astype(np.int32))


def _owners(lists: Lists) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(lists.start) - 1), np.diff(lists.start))


def _where(lists: Lists, owner: NDArray[np.int64], wanted: NDArray[np.bool_]) -> Lists:
    counts = np.bincount(owner[wanted], minlength=len(lists.start) - 1)
    return Lists(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), lists.item[wanted])


def _of_groups(registry: Registry, rule_groups: Lists) -> tuple[NDArray[np.int32], Lists]:
    """Each subject's profile, and each profile's groups; the first has none."""
    bound = np.zeros(len(registry.group_ids), bool)
    bound[rule_groups.item] = True
    lists = _where(registry.subject_groups, _owners(registry.subject_groups), bound[registry.subject_groups.item])
    # A number for each set of groups: the sum of a random one for each group. That equal numbers are equal sets is looked at below.
    chance = np.random.default_rng(0).integers(1, 1 << 63, len(bound), np.uint64)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(chance[lists.item], dtype=np.uint64)])
    key = np.append(np.uint64(0), sums[lists.start[1:]] - sums[lists.start[:-1]])
    _, first, of = np.unique(key, return_index=True, return_inverse=True)
    example = np.maximum(first - 1, 0)
    groups = [lists.of(s) if f else np.empty(0, np.int32) for f, s in zip(first.tolist(), example.tolist(), strict=True)]
    start = np.concatenate([[0], np.cumsum([len(x) for x in groups])]).astype(np.int64)
    out = Lists(start, np.concatenate(groups).astype(np.int32))
    number: NDArray[np.int32] = of.reshape(-1)[1:].astype(np.int32)
    at = start[number][_owners(lists)] + np.arange(len(lists.item)) - np.repeat(lists.start[:-1], np.diff(lists.start))
    if not (np.array_equal(np.diff(lists.start), np.diff(start)[number]) and np.array_equal(out.item[at], lists.item)):
        raise ArithmeticError("two sets of groups have one sum: an unheard-of coincidence; add a group that nobody is in")
    return number, out


def _rules_of(rule: NDArray[np.void], rule_groups: Lists, profile_groups: Lists) -> Lists:
    """By profile, the rules that bind it through everyone or one of its groups, ascending."""
    everyone = np.flatnonzero(rule["everyone"])
    order = np.argsort(rule_groups.item, kind="stable")
    group, of_group = rule_groups.item[order], _owners(rule_groups)[order]
    lists = []
    for p in range(len(profile_groups.start) - 1):
        own = profile_groups.of(p)
        first, end = np.searchsorted(group, own, "left"), np.searchsorted(group, own, "right")
        lists.append(np.unique(np.concatenate([everyone, *(of_group[a:b] for a, b in zip(first, end, strict=True))])))
    start = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    return Lists(start, np.concatenate([np.empty(0, np.int32), *lists]).astype(np.int32))


def _bind(rule: NDArray[np.void], rules: NDArray[np.int64], areas: NDArray[np.int32]) -> NDArray[np.void]:
    """Bindings of rules with areas, element by element."""
    binding = np.zeros(len(rules), BINDING)
    for name in ("from_ms", "until_ms", "policy", "schedule"):
        binding[name] = rule[name][rules]
    binding["rule"], binding["area"] = rules, areas
    return binding


def _with_areas(registry: Registry, rules: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Each rule of a sequence repeated for its areas: (place in the sequence, area)."""
    starts = registry.rule_areas.start
    counts = starts[rules + 1] - starts[rules]
    place = np.repeat(np.arange(len(rules)), counts)
    offset = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place, registry.rule_areas.item[starts[rules][place] + offset]


def _counted(n: int, owner: NDArray[np.int64], effect: NDArray[np.int64]) -> NDArray[np.void]:
    """BOUND rows of n owners whose bindings stand sorted by owner and effect."""
    table = np.zeros(n, BOUND)
    for name, value in (("allow", ALLOW), ("forbid", FORBID), ("require", REQUIRE)):
        table[name] = np.bincount(owner[effect == value], minlength=n)
    total = np.bincount(owner, minlength=n)
    table["at"] = np.cumsum(total) - total
    return table
