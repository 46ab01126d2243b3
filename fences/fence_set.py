"""The fence set: a registry compiled for judging. Immutable, versioned, swapped whole.

What a subject may and must not do is found by subject: his own bindings (rules that name him) and those of his profile (rules of
allow or require that bind his groups or everyone). Zones that bind a group or everyone, and the region of a point, are found by
point: through the zone index.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from fences.activity import Calendar, compile_calendar
from fences.compiled import record_type
from fences.id_index import IdIndex
from fences.large_pages import in_large_pages
from fences.numbering import numbering_of
from fences.packed_ids import PackedIds
from fences.prints import mixed, prints_between, prints_of
from fences.rasters import compile_shapes
from fences.registry import ALLOW, FOR_EVER, FORBID, FROM_EVER, REQUIRE, Lists, Policy, Registry, RulePolicy, Schedule
from fences.shapes import Shapes
from fences.zone_index import Cells, ZoneIndex

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
POLICY = record_type(
    [
        ("tolerance_m", "f8"), ("accuracy_factor", "f8"), ("confirm_ms", "i8"), ("confirm_fixes", "i4"), ("clear_fixes", "i4"),
        ("level", "i4"),
    ],
)  # fmt: skip
RULE = record_type(
    [("from_ms", "i8"), ("until_ms", "i8"), ("policy", "i4"), ("effect", "i4"), ("everyone", "i4"), ("schedule", "i4")]
)


LIMITS = record_type(
    [
        ("max_position_age_ms", "i8"), ("edge_grace_ms", "i8"), ("silent_long_after_ms", "i8"), ("no_position_after_ms", "i8"),
        ("max_speed_mps", "f8"), ("min_jump_m", "f8"), ("battery_low_pct", "f8"), ("battery_critical_pct", "f8"),
    ],
)  # fmt: skip
"""The keys of `[policy]` that are not a rule's, as far as the step asks for them."""


class Fences(NamedTuple):
    """The fence set as arrays for compiled loops.

    `subject` and `profile` BOUND, `binding` BINDING, `policy` POLICY (its last three rows: the sections allow, forbid, require),
    `rule` RULE. `zone_start` int64[areas + 1] into `zone_binding` BINDING: the forbid rules of an area that bind groups or
    everyone. `rule_group_*` and `profile_group_*`: sorted group numbers. `region_rank` int32[areas]: place of a region among the
    regions by id, -1 of an area that is none. `timed_start` into `timed_rule` int32: by profile, the forbid rules that bind it
    through groups or everyone and are not active always (`shared_*`: all of them). `calendar`: schedules and time zones.
    `silent_after_ms` int64[subjects].
    `limits` LIMITS[1].
    """

    shapes: Shapes
    subject: NDArray[np.void]
    profile: NDArray[np.void]
    binding: NDArray[np.void]
    policy: NDArray[np.void]
    rule: NDArray[np.void]
    zone_start: NDArray[np.int64]
    zone_binding: NDArray[np.void]
    rule_group_start: NDArray[np.int64]
    rule_group: NDArray[np.int32]
    profile_group_start: NDArray[np.int64]
    profile_group: NDArray[np.int32]
    region_rank: NDArray[np.int32]
    timed_start: NDArray[np.int64]
    timed_rule: NDArray[np.int32]
    shared_start: NDArray[np.int64]
    shared_rule: NDArray[np.int32]
    calendar: Calendar
    silent_after_ms: NDArray[np.int64]
    limits: NDArray[np.void]
    cells: Cells


class FenceSet:
    """A compiled registry: `fences` for the loops, names for the alerts, the zone index with its cache."""

    def __init__(self, registry: Registry, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Compile rasters, bindings and index; `progress(what, done, total)` is called now and then."""
        self.registry = registry
        self.version = registry.version
        self._numbering: str | None = None
        self._rule_index: IdIndex | None = None
        self._subject_index: IdIndex | None = None
        self._prints: NDArray[np.uint64] | None = None
        self.region_count = registry.region_count
        policy, rule_policy = _policies(registry.rule_policy, registry.section_policy)
        zones, calendar, schedule_of = _calendar(registry)
        rule = _rules(registry, rule_policy, schedule_of)
        shared = registry.rule_everyone | (np.diff(registry.rule_groups.start) > 0)
        groups = _sorted(registry.rule_groups)
        profile_of, profile_groups = _profiles(registry, groups)
        profile, profile_binding = _profile_bindings(registry, rule, shared, groups, profile_groups)
        subject, own_binding = _own_bindings(registry, rule, shared, groups, profile_of, profile_groups)
        subject["at"] += len(profile_binding)
        subject["has_allow"] = (subject["allow"] > 0) | (profile["allow"][profile_of] > 0)
        home_zone = np.array([zones.index(name) for name in registry.region_timezones] + [0], np.int16)
        subject["zone"] = home_zone[registry.subject_home]
        zone_start, zone_binding = _zones(registry, rule, shared)
        every = _shared(rule, shared, groups, profile_groups)
        always = (rule["from_ms"] == FROM_EVER) & (rule["until_ms"] == FOR_EVER) & (rule["schedule"] < 0)
        timed = _shared(rule, shared & ~always, groups, profile_groups)
        shapes = compile_shapes(registry.area_shapes, progress)
        region_ids = list(registry.area_ids[: registry.region_count])
        rank = np.full(len(registry.area_ids), -1, np.int32)
        rank[np.argsort(np.array(region_ids, object), kind="stable")] = np.arange(len(region_ids), dtype=np.int32)
        indexed = np.nonzero((rank >= 0) | (np.diff(zone_start) > 0))[0].astype(np.int32)
        self.zone_index = ZoneIndex(indexed, shapely.bounds(registry.area_shapes[indexed]).reshape(-1, 4))
        self._fences = Fences(
            shapes._replace(cells=in_large_pages(shapes.cells)), in_large_pages(subject), profile,
            in_large_pages(np.concatenate([profile_binding, own_binding])), policy, rule, zone_start, zone_binding,
            groups.start, groups.item, profile_groups.start, profile_groups.item, rank, timed.start, timed.item, every.start,
            every.item,
            calendar,
            _silent_after_ms(registry), _limits(registry.policy), self.zone_index.cells,
        )  # fmt: skip

    def fences_for(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Fences:
        """The arrays, with the candidates of the given points' cells known (degrees, NaN is no point)."""
        return self._fences._replace(cells=self.zone_index.cells_for(x, y))

    @property
    def fences(self) -> Fences:
        """The arrays, with the cells that are known so far."""
        return self._fences._replace(cells=self.zone_index.cells)

    @property
    def numbering(self) -> str:
        """The name of its numbering of subjects and rules."""
        if self._numbering is None:
            self._numbering = numbering_of((self.registry.subject_ids, self.registry.rule_ids))
        return self._numbering

    def name_numbering(self, name: str) -> None:
        """Another name than that of its ids in order, for a numbering that is only added to."""
        self._numbering = name

    def rule_number(self, rule_id: str) -> int | None:
        """Number of a rule by id, None where there is none."""
        if self._rule_index is None:
            self._rule_index = IdIndex.of(self.registry.rule_ids)
        return self._rule_index.find(rule_id)

    def subject_number(self, subject_id: str) -> int | None:
        """Number of a subject by id, None where there is none."""
        if self._subject_index is None:
            self._subject_index = IdIndex.of(self.registry.subject_ids)
        return self._subject_index.find(subject_id)

    @property
    def subject_count(self) -> int:
        """How many subjects there are."""
        self.subject_number("")
        return 0 if self._subject_index is None else len(self._subject_index.numbers)

    def rule_prints(self) -> NDArray[np.uint64]:
        """A print of each rule's id, effect, shapes and policy, and last that of the policy's section allow.

        Equal where these are.
        """
        if self._prints is None:
            self._prints = _rule_prints(self.registry, self._fences)
        return self._prints

    def to_hand_over(self) -> FenceSet:
        """The same for another process: everything made that is made when first asked for, and arrays alone.

        Its registry is without the shapes, schedules and time zones of its records; judging and explaining need none of them.
        """
        self.rule_prints()
        other = copy(self)
        none = np.empty(0, np.object_)
        other.registry = replace(
            self.registry, area_shapes=none, rule_schedules=(), rule_timezones=(),
            subject_ids=PackedIds.of(self.registry.subject_ids), rule_ids=PackedIds.of(self.registry.rule_ids),
        )  # fmt: skip
        other.zone_index.complete()
        # Asked by id now and then, and then not by a pass over all of them.
        for ask in (other.rule_number, other.subject_number):
            ask("")
        _ = other.numbering
        return other

    def region_id(self, region: int) -> str | None:
        """Id of a region by number, None for -1."""
        return None if region < 0 else self.registry.area_ids[region]


def _rule_prints(registry: Registry, fences: Fences) -> NDArray[np.uint64]:
    """What `FenceSet.rule_prints` gives."""
    shapes = prints_of(list(shapely.to_wkb(registry.area_shapes, byte_order=1)))[:, 0]
    terms = prints_of([row.tobytes() for row in fences.policy])[:, 0]
    packed = PackedIds.of(registry.rule_ids)
    # A sum over each rule's areas; unsigned numbers wrap, and so does their difference.
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(shapes[registry.rule_areas.item], dtype=np.uint64)])
    areas = sums[registry.rule_areas.start[1:]] - sums[registry.rule_areas.start[:-1]]
    names = prints_between(packed.text, packed.start)[:, 0]
    rules = mixed(names, registry.rule_effect.astype(np.uint64), terms[fences.rule["policy"]], areas)
    return np.append(rules, terms[-3])


def _sorted(lists: Lists) -> Lists:
    owner = np.repeat(np.arange(len(lists.start) - 1), np.diff(lists.start))
    return Lists(lists.start, lists.item[np.lexsort((lists.item, owner))].astype(np.int32))


def _policies(rules: RulePolicy, sections: RulePolicy) -> tuple[NDArray[np.void], NDArray[np.int32]]:
    """Distinct policies (the three sections last), and the policy's row of each rule."""
    columns = [np.concatenate([np.asarray(getattr(rules, k)), np.asarray(getattr(sections, k))]) for k in POLICY.names or ()]
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, code = np.unique(column, return_inverse=True)
        codes = codes * len(values) + code
    _, first, which = np.unique(codes[:-3], return_index=True, return_inverse=True)
    rows = np.concatenate([first, np.arange(len(codes) - 3, len(codes))])
    table = np.zeros(len(rows), POLICY)
    for name, column in zip(POLICY.names or (), columns, strict=True):
        table[name] = column[rows]
    return table, which.astype(np.int32)


def _calendar(registry: Registry) -> tuple[list[str], Calendar, NDArray[np.int32]]:
    """Time zones (UTC first), the calendar, and each rule's schedule in it; equal schedules are one."""
    zones = [
        "UTC",
        *dict.fromkeys(name for name in (*registry.region_timezones, *registry.rule_timezones) if name not in (None, "UTC")),
    ]
    known: dict[tuple[Schedule, int], int] = {}
    schedule_of = np.full(len(registry.rule_ids), -1, np.int32)
    for rule, (schedule, zone) in enumerate(zip(registry.rule_schedules, registry.rule_timezones, strict=True)):
        if schedule is not None:
            key = (schedule, -1 if zone is None else zones.index(zone))
            schedule_of[rule] = known.setdefault(key, len(known))
    return zones, compile_calendar(zones, list(known)), schedule_of


def _silent_after_ms(registry: Registry) -> NDArray[np.int64]:
    own = registry.subject_silent_after_s
    return np.round(np.where(np.isnan(own), registry.policy.silent_after_s, own) * 1000).astype(np.int64)


def _limits(policy: Policy) -> NDArray[np.void]:
    out = np.zeros(1, LIMITS)
    for name in LIMITS.names or ():
        out[name] = (
            round(getattr(policy, name.removesuffix("_ms") + "_s") * 1000) if name.endswith("_ms") else getattr(policy, name)
        )
    return out


def _shared(rule: NDArray[np.void], shared: NDArray[np.bool_], rule_groups: Lists, profile_groups: Lists) -> Lists:
    """By profile, those of some forbid rules that bind it."""
    wanted = np.nonzero(shared & (rule["effect"] == FORBID))[0].tolist()
    lists = [[r for r in wanted if _binds(rule, r, rule_groups, groups)] for groups in _group_sets(profile_groups)]
    return Lists(
        np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64),
        np.array([r for x in lists for r in x], np.int32),
    )


def _group_sets(profile_groups: Lists) -> list[set[int]]:
    return [set(profile_groups.of(p).tolist()) for p in range(len(profile_groups.start) - 1)]


def _binds(rule: NDArray[np.void], r: int, rule_groups: Lists, groups: set[int]) -> bool:
    return bool(rule["everyone"][r]) or not groups.isdisjoint(rule_groups.of(r).tolist())


def _rules(registry: Registry, rule_policy: NDArray[np.int32], schedule_of: NDArray[np.int32]) -> NDArray[np.void]:
    rule = np.zeros(len(registry.rule_ids), RULE)
    rule["from_ms"], rule["until_ms"] = registry.rule_from_ms, registry.rule_until_ms
    rule["policy"], rule["effect"], rule["everyone"] = rule_policy, registry.rule_effect, registry.rule_everyone
    rule["schedule"] = schedule_of
    return rule


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


def _profiles(registry: Registry, rule_groups: Lists) -> tuple[NDArray[np.int32], Lists]:
    """Subjects with the same groups (of those that a rule binds) share a profile: each subject's, and each profile's groups."""
    bound = np.zeros(len(registry.group_ids) + 1, bool)
    bound[rule_groups.item] = True
    known: dict[bytes, int] = {b"": 0}
    profile_of = np.zeros(len(registry.subject_ids), np.int32)
    start, groups = registry.subject_groups.start.tolist(), registry.subject_groups.item
    by_groups: dict[bytes, int] = {}
    for s in np.nonzero(np.diff(registry.subject_groups.start))[0].tolist():
        own = groups[start[s] : start[s + 1]]
        as_given = own.tobytes()  # Few lists of groups are new: only these are sorted and cut down to what a rule binds.
        if as_given not in by_groups:
            key = np.unique(own[bound[own]]).astype(np.int32).tobytes()
            by_groups[as_given] = known.setdefault(key, len(known))
        profile_of[s] = by_groups[as_given]
    lists = [np.frombuffer(key, np.int32) for key in known]
    return profile_of, Lists(np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64), np.concatenate(lists))


def _counted(
    n: int, owner: NDArray[np.int64], effect: NDArray[np.int64], profile: NDArray[np.int32], home: NDArray[np.int32]
) -> NDArray[np.void]:
    """BOUND rows of n owners whose bindings stand sorted by owner and effect."""
    table = np.zeros(n, BOUND)
    for name, value in (("allow", ALLOW), ("forbid", FORBID), ("require", REQUIRE)):
        table[name] = np.bincount(owner[effect == value], minlength=n)
    total = np.bincount(owner, minlength=n)
    table["at"] = np.cumsum(total) - total
    table["profile"], table["home"] = profile, home
    return table


def _profile_bindings(
    registry: Registry, rule: NDArray[np.void], shared: NDArray[np.bool_], rule_groups: Lists, profile_groups: Lists,
) -> tuple[NDArray[np.void], NDArray[np.void]]:  # fmt: skip
    """Bindings of each profile by the allow and require rules that bind everyone or one of its groups."""
    wanted = np.nonzero(shared & (rule["effect"] != FORBID))[0]
    wanted = wanted[np.argsort(rule["effect"][wanted], kind="stable")]
    n = len(profile_groups.start) - 1
    owners: list[int] = []
    rules: list[int] = []
    for p, groups in enumerate(_group_sets(profile_groups)):
        for r in wanted.tolist():
            if _binds(rule, r, rule_groups, groups):
                owners.append(p)
                rules.append(r)
    place, areas = _with_areas(registry, np.array(rules, np.int64))
    owner, which = np.array(owners, np.int64)[place], np.array(rules, np.int64)[place]
    return _counted(n, owner, rule["effect"][which].astype(np.int64), np.zeros(n, np.int32), np.zeros(n, np.int32)), _bind(
        rule, which, areas
    )


def _own_bindings(
    registry: Registry, rule: NDArray[np.void], shared: NDArray[np.bool_], rule_groups: Lists,
    profile_of: NDArray[np.int32], profile_groups: Lists,
) -> tuple[NDArray[np.void], NDArray[np.void]]:  # fmt: skip
    """Bindings of each subject by the rules that name him and do not bind him through a group or everyone all the same."""
    n = len(registry.subject_ids)
    which = np.repeat(np.arange(len(rule)), np.diff(registry.rule_subjects.start))
    owner = registry.rule_subjects.item.astype(np.int64)
    keep = np.ones(len(owner), bool)
    groups = _group_sets(profile_groups)
    for i in np.nonzero(shared[which])[0].tolist():
        keep[i] = not _binds(rule, int(which[i]), rule_groups, groups[profile_of[owner[i]]])
    pairs = np.unique(owner[keep] * max(1, len(rule)) + which[keep])  # a subject named twice in a rule is bound once
    owner, which = pairs // max(1, len(rule)), pairs % max(1, len(rule))
    order = np.lexsort((which, rule["effect"][which], owner))
    owner, which = owner[order], which[order]
    place, areas = _with_areas(registry, which)
    owner, which = owner[place], which[place]
    return _counted(n, owner, rule["effect"][which].astype(np.int64), profile_of, registry.subject_home), _bind(rule, which, areas)


def _zones(registry: Registry, rule: NDArray[np.void], shared: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """The forbid rules that bind groups or everyone, by area."""
    rules = np.nonzero(shared & (rule["effect"] == FORBID))[0]
    place, areas = _with_areas(registry, rules)
    order = np.lexsort((rules[place], areas))
    start = np.zeros(len(registry.area_ids) + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(areas, minlength=len(registry.area_ids)))
    return start, _bind(rule, rules[place][order], areas[order])
