"""A registry as plain Python objects: what a flow that takes one fix at a time looks things up in.

Own areas hang on the subject, found through a dict; zones that bind a group or everybody, and regions, stand in R-trees. Shapes
are prepared once. Made for speed in plain Python: slots, tuples, no call where a comparison will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import shapely
from rtree import index

from fences.registry import ALLOW, FORBID, Registry

Area = tuple[float, float, float, float, shapely.Geometry]
"""Bounding box (x0, y0, x1, y1, degrees) and the prepared shape."""

CALM, PENDING, OPEN = 0, 1, 2


@dataclass(slots=True, eq=False)
class Rule:
    """A rule with its policy resolved; `number` is its place in the registry."""

    number: int
    id: str
    effect: int
    from_ms: int
    until_ms: int
    areas: tuple[Area, ...]
    everyone: bool
    groups: frozenset[int]
    confirm_fixes: int
    confirm_ms: int
    clear_fixes: int
    tolerance_m: float
    accuracy_factor: float
    level: int


@dataclass(slots=True, eq=False)
class Slot:
    """The state of a slot (J6); `told`: the regions that its open episode has told."""

    state: int = CALM
    onset_ms: int = 0
    count: int = 0
    clear_count: int = 0
    kind: str = ""
    level: int = 0
    told: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Person:
    """A subject: what binds him, and where he stands.

    `last_ms` 0: no record yet; `slots`: those of rules that are not calm; `found`: the region he was last looked for and found in.
    """

    id: str
    home: int
    groups: frozenset[int]
    allow: tuple[Rule, ...] = ()
    forbid: tuple[Rule, ...] = ()
    require: tuple[Rule, ...] = ()
    last_ms: int = 0
    area: Slot = field(default_factory=Slot)
    slots: dict[int, Slot] = field(default_factory=dict)
    found: int = -1


class PlainRegistry:
    """The people by id, zones and regions in R-trees, and names for the alerts."""

    def __init__(self, registry: Registry) -> None:
        """Schedules are not supported: the worlds of the benchmarks have none."""
        if any(schedule is not None for schedule in registry.rule_schedules):
            raise ValueError("the yardsticks know no schedules")
        self.version = registry.version
        self.max_accuracy_m = registry.policy.max_accuracy_m
        shapely.prepare(registry.area_shapes)
        boxes = shapely.bounds(registry.area_shapes).reshape(-1, 4).tolist()
        self.areas: list[Area] = [(*box, shape) for box, shape in zip(boxes, registry.area_shapes, strict=True)]
        self.rules = [self._rule(registry, r) for r in range(len(registry.rule_ids))]
        section = registry.section_policy
        columns = (section.confirm_fixes, section.confirm_ms, section.clear_fixes, section.level)
        confirm_fixes, confirm_ms, clear_fixes, level = (int(column[ALLOW]) for column in columns)
        self.allow_policy = (confirm_fixes, confirm_ms, clear_fixes, level)
        # Regions are numbered by id here, so that of several the first that covers a point is the one that counts.
        by_id = sorted(range(registry.region_count), key=registry.area_ids.__getitem__)
        self.region_ids = [registry.area_ids[r] for r in by_id]
        self.regions = [self.areas[r] for r in by_id]
        self.region_tree = _tree(self.regions)
        self.rivals = [[r for r in sorted(self.region_tree.intersection(self.regions[k][:4])) if r < k] for k in range(len(by_id))]
        self.people = self._people(registry, {r: k for k, r in enumerate(by_id)})
        shared = [rule for rule in self.rules if rule.effect == FORBID and (rule.everyone or rule.groups)]
        self.zones = [(rule, area) for rule in shared for area in rule.areas]
        self.zone_tree = _tree([area for _, area in self.zones])

    def forget(self) -> None:
        """Nobody was seen yet."""
        for person in self.people.values():
            person.last_ms, person.found, person.area, person.slots = 0, -1, Slot(), {}

    def _rule(self, registry: Registry, r: int) -> Rule:
        policy = registry.rule_policy
        return Rule(
            number=r,
            id=registry.rule_ids[r],
            effect=int(registry.rule_effect[r]),
            from_ms=int(registry.rule_from_ms[r]),
            until_ms=int(registry.rule_until_ms[r]),
            areas=tuple([self.areas[a] for a in registry.rule_areas.of(r).tolist()]),
            everyone=bool(registry.rule_everyone[r]),
            groups=frozenset(registry.rule_groups.of(r).tolist()),
            confirm_fixes=int(policy.confirm_fixes[r]),
            confirm_ms=int(policy.confirm_ms[r]),
            clear_fixes=int(policy.clear_fixes[r]),
            tolerance_m=float(policy.tolerance_m[r]),
            accuracy_factor=float(policy.accuracy_factor[r]),
            level=int(policy.level[r]),
        )

    def _people(self, registry: Registry, region: dict[int, int]) -> dict[str, Person]:
        own: dict[int, list[Rule]] = {}
        shared = [rule for rule in self.rules if (rule.everyone or rule.groups) and rule.effect != FORBID]
        for r, rule in enumerate(self.rules):
            for s in registry.rule_subjects.of(r).tolist():
                own.setdefault(s, []).append(rule)
        people: dict[str, Person] = {}
        homes = [region.get(home, -1) for home in registry.subject_home.tolist()]
        for s, subject in enumerate(registry.subject_ids):
            groups = frozenset(registry.subject_groups.of(s).tolist())
            bound = own.get(s, [])
            if shared:
                more = [rule for rule in shared if rule.everyone or not groups.isdisjoint(rule.groups)]
                bound = [*more, *[rule for rule in bound if rule not in more]]
            allow, forbid, require = (tuple([rule for rule in bound if rule.effect == effect]) for effect in range(3))
            people[subject] = Person(subject, homes[s], groups, allow, forbid, require)
        return people


def _tree(areas: list[Area]) -> index.Index:
    tree = index.Index(interleaved=True)
    for k, area in enumerate(areas):
        tree.insert(k, area[:4])
    return tree
