"""The registry as columns: what `load` makes of a directory and what a fence set is compiled from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALLOW, FORBID, REQUIRE = 0, 1, 2
EFFECTS = ("allow", "forbid", "require")
FROM_EVER = np.int64(np.iinfo(np.int64).min)
FOR_EVER = np.int64(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Lists:
    """Many short lists in two arrays: list i is `item[start[i]:start[i + 1]]`."""

    start: NDArray[np.int64]
    item: NDArray[np.int32]

    def of(self, i: int) -> NDArray[np.int32]:
        """List i."""
        return self.item[self.start[i] : self.start[i + 1]]


@dataclass(frozen=True, slots=True)
class Span:
    """A weekly span of a schedule: weekdays (0 = Monday) on which it starts, minutes of the local day; to_min may be 1440."""

    days: tuple[int, ...]
    from_min: int
    to_min: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule is active within a week. `except_days` are local dates (days since 1970-01-01) whose spans are removed."""

    spans: tuple[Span, ...]
    except_days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The keys of `[policy]` that are not per rule."""

    max_position_age_s: float = 900
    max_accuracy_m: float = 1000
    edge_grace_s: float = 60
    silent_after_s: float = 900
    silent_long_after_s: float = 2700
    feed_silent_after_s: float = 300
    feed_min_subjects: float = 10
    no_position_after_s: float = 900
    max_speed_mps: float = 100.0
    min_jump_m: float = 300.0
    battery_low_pct: float = 20
    battery_critical_pct: float = 5
    future_tolerance_s: float = 300


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """The six keys that may stand on a rule, resolved (the nearest wins), a column each; one element a rule.

    The same record with three elements (allow, forbid, require) holds what the policy's sections say.
    """

    confirm_fixes: NDArray[np.int32]
    confirm_ms: NDArray[np.int64]
    clear_fixes: NDArray[np.int32]
    tolerance_m: NDArray[np.float64]
    accuracy_factor: NDArray[np.float64]
    level: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Registry:
    """A checked registry. Areas: the regions first (`region_count` of them), then the areas, each file in its order.

    `area_shapes` are shapely polygons or multipolygons in WGS-84 (circles already turned into the polygon that stands for them).
    `subject_home` is -1 for none. An empty id is a number that is nobody's any more: a gap, bound by nothing. Times are UTC
    milliseconds; `FROM_EVER` and `FOR_EVER` where the rule gives none.
    """

    version: str
    policy: Policy
    section_policy: RulePolicy
    area_ids: tuple[str, ...]
    area_shapes: NDArray[np.object_]
    region_count: int
    region_timezones: tuple[str, ...]
    subject_ids: Sequence[str]
    subject_home: NDArray[np.int32]
    subject_groups: Lists
    subject_silent_after_s: NDArray[np.float64]
    group_ids: tuple[str, ...]
    rule_ids: Sequence[str]
    rule_effect: NDArray[np.uint8]
    rule_everyone: NDArray[np.bool_]
    rule_subjects: Lists
    rule_groups: Lists
    rule_areas: Lists
    rule_from_ms: NDArray[np.int64]
    rule_until_ms: NDArray[np.int64]
    rule_schedules: tuple[Schedule | None, ...]
    rule_timezones: tuple[str | None, ...]
    rule_policy: RulePolicy
