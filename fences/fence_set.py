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

from fences.activity import Calendar
from fences.bindings import RULE, Profiles, ascending, is_shared, own_bindings, profiles, zones
from fences.compiled import record_type
from fences.id_index import IdIndex
from fences.large_pages import in_large_pages
from fences.numbering import numbering_of
from fences.packed_ids import PackedIds
from fences.patch import Patch
from fences.prints import mixed, prints_between, prints_of
from fences.rasters import compile_shapes
from fences.registry import EFFECTS, Policy, Registry
from fences.shapes import Shapes
from fences.terms import Schedules, numbered, policy_rows
from fences.zone_index import Cells, ZoneIndex

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
        sections = policy_rows(registry.section_policy)
        policy, policy_of = numbered(policy_rows(registry.rule_policy), registry.rule_effect, np.concatenate([sections, sections]))
        self.schedules = Schedules()
        home_zone = np.array([self.schedules.zone(name) for name in registry.region_timezones] + [0], np.int16)
        rule = rule_rows(registry, policy_of, self.schedules.numbered(registry.rule_schedules, registry.rule_timezones))
        groups = ascending(registry.rule_groups)
        shared = is_shared(rule, groups)
        self.profiled = profiled = profiles(registry, rule, groups)
        everybody = np.arange(len(registry.subject_ids))
        subject, own_binding = own_bindings(registry, rule, shared, profiled, everybody)
        subject["at"] += len(profiled.binding)
        subject["has_allow"] = (subject["allow"] > 0) | (profiled.table["allow"][profiled.of] > 0)
        subject["zone"] = home_zone[registry.subject_home]
        zone_start, zone_binding = zones(registry, rule, shared)
        shapes = compile_shapes(registry.area_shapes, progress)
        region_ids = list(registry.area_ids[: registry.region_count])
        rank = np.full(len(registry.area_ids), -1, np.int32)
        rank[np.argsort(np.array(region_ids, object), kind="stable")] = np.arange(len(region_ids), dtype=np.int32)
        self.zone_index = zone_index_of(shapes, rank, zone_start)
        self._shape_prints = prints_of(list(shapely.to_wkb(registry.area_shapes, byte_order=1)))[:, 0]
        self._fences = Fences(
            shapes._replace(cells=in_large_pages(shapes.cells)), in_large_pages(subject), profiled.table,
            in_large_pages(np.concatenate([profiled.binding, own_binding])), policy, rule, zone_start, zone_binding,
            groups.start, groups.item, profiled.groups.start, profiled.groups.item, rank,
            profiled.timed.start, profiled.timed.item, profiled.every.start, profiled.every.item,
            self.schedules.calendar(), silent_after_ms(registry), _limits(registry.policy), self.zone_index.cells,
        )  # fmt: skip

    def fences_for(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Fences:
        """The arrays, with the candidates of the given points' cells known (degrees, NaN is no point)."""
        return self._fences._replace(cells=self.zone_index.cells_for(x, y))

    @property
    def fences(self) -> Fences:
        """The arrays, with the cells that are known so far."""
        return self._fences._replace(cells=self.zone_index.cells)

    @property
    def parts(self) -> Fences:
        """The arrays as they were compiled."""
        return self._fences

    def become(
        self, registry: Registry, fences: Fences, compiled: tuple[Schedules, Profiles, ZoneIndex], subjects: Patch, rules: Patch
    ) -> None:
        """Make a fresh copy of a fence set one that differs by some subjects and rules: see `fences.patched_fence_set`."""
        self.registry, self.version, self._fences, self._numbering = registry, registry.version, fences, None
        self.schedules, self.profiled, self.zone_index = compiled
        if self._prints is not None:
            self._prints = np.append(rules.column(self._prints[:-1], self._prints_of(rules.rows), 0), self._prints[-1])
        if self._rule_index is not None and not rules.is_empty:
            self._rule_index = self._rule_index.patched(PackedIds.of(registry.rule_ids), rules)
        if self._subject_index is not None and not subjects.is_empty:
            self._subject_index = self._subject_index.patched(PackedIds.of(registry.subject_ids), subjects)

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
            everything = np.arange(len(self.registry.rule_ids))
            policy = prints_of([self._fences.policy[-len(EFFECTS)].tobytes()])[:, 0]
            self._prints = np.append(self._prints_of(everything), policy)
        return self._prints

    def _prints_of(self, rules: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The prints of some rules."""
        registry, areas = self.registry, self.registry.rule_areas
        terms = prints_of([row.tobytes() for row in self._fences.policy])[:, 0]
        names = PackedIds.of(registry.rule_ids)
        name_prints = prints_between(names.text, names.start[rules], names.start[rules + 1])[:, 0]
        # A sum over each rule's areas; unsigned numbers wrap, and so does their difference.
        length = areas.start[rules + 1] - areas.start[rules]
        ends = np.cumsum(length)
        at = np.repeat(areas.start[rules] - (ends - length), length) + np.arange(length.sum())
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self._shape_prints[areas.item[at]], dtype=np.uint64)])
        effect = registry.rule_effect[rules].astype(np.uint64)
        return mixed(name_prints, effect, sums[ends] - sums[ends - length], terms[self._fences.rule["policy"][rules]])

    def to_hand_over(self) -> FenceSet:
        """The same for another process: everything made that is made when first asked for, and arrays alone.

        Its registry is without the shapes, times and schedules of its records: judging and explaining have them compiled. It can
        judge, but not be changed.
        """
        # Asked by id now and then, and then not by a pass over all of them.
        for ask in (self.rule_number, self.subject_number):
            ask("")
        _ = self.rule_prints(), self.numbering
        self.zone_index.complete()
        other = copy(self)
        none = np.empty(0, np.object_)
        other.registry = replace(
            self.registry, area_shapes=none, rule_schedules=(), rule_timezones=(),
            rule_from_ms=np.empty(0, np.int64), rule_until_ms=np.empty(0, np.int64),
            subject_ids=PackedIds.of(self.registry.subject_ids), rule_ids=PackedIds.of(self.registry.rule_ids),
        )  # fmt: skip
        del other.schedules, other.profiled
        return other

    def region_id(self, region: int) -> str | None:
        """Id of a region by number, None for -1."""
        return None if region < 0 else self.registry.area_ids[region]


def zone_index_of(shapes: Shapes, rank: NDArray[np.int32], zone_start: NDArray[np.int64]) -> ZoneIndex:
    """The index of the regions and of the areas that are forbidden to groups or everyone."""
    indexed = np.nonzero((rank >= 0) | (np.diff(zone_start) > 0))[0].astype(np.int32)
    boxes = np.column_stack([shapes.area[name][indexed] for name in ("x0", "y0", "x1", "y1")])
    return ZoneIndex(indexed, boxes.reshape(-1, 4))


def rule_rows(registry: Registry, policy: NDArray[np.int32], schedule: NDArray[np.int32]) -> NDArray[np.void]:
    """RULE rows, with the numbers of their policies and schedules."""
    rule = np.zeros(len(registry.rule_ids), RULE)
    rule["from_ms"], rule["until_ms"] = registry.rule_from_ms, registry.rule_until_ms
    rule["policy"], rule["effect"], rule["everyone"] = policy, registry.rule_effect, registry.rule_everyone
    rule["schedule"] = schedule
    return rule


def silent_after_ms(registry: Registry) -> NDArray[np.int64]:
    """By subject, his own waiting time or that of the policy."""
    own = registry.subject_silent_after_s
    return np.round(np.where(np.isnan(own), registry.policy.silent_after_s, own) * 1000).astype(np.int64)


def _limits(policy: Policy) -> NDArray[np.void]:
    out = np.zeros(1, LIMITS)
    for name in LIMITS.names or ():
        out[name] = (
            round(getattr(policy, name.removesuffix("_ms") + "_s") * 1000) if name.endswith("_ms") else getattr(policy, name)
        )
    return out
