"""The judge: what each rule makes of a position at an instant. Pure: it knows no state and no other fix (J1-J5).

One record after another in the order of the rules. The same functions serve the batch and the few rows of edges, late records and
explanations; `operators.distance` says in metres what was found here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fences.activity import is_active
from fences.compiled import Record, compiled, inlined
from fences.fence_set import Fences
from fences.shapes import EDGE, OUTSIDE, Shapes, border_within_m, cell_code, covers, surely_farther_m
from fences.zone_index import Cells, cell_key, find_cell

FINE, UNCERTAIN, BREACH, NOT_JUDGED = 0, 1, 2, 3
_RAD = math.pi / 180.0


@inlined
def _near(fences: Fences, binding: Record, x: float, y: float, accuracy_m: float) -> int:
    """J2 for one area: covered or within the tolerance, else within tolerance and accuracy, else a breach."""
    shapes, area = fences.shapes, binding.area
    code = cell_code(shapes, area, x, y)
    if 0 < code < OUTSIDE or (code == EDGE and covers(shapes, area, x, y)):
        return FINE
    policy = fences.policy[binding.policy]
    reach_m = policy.tolerance_m + policy.accuracy_factor * accuracy_m
    if surely_farther_m(shapes, area, x, y, math.cos(y * _RAD)) > reach_m:
        return BREACH
    if reach_m <= 0.0:
        return BREACH  # not covered is outside, though by less than an ulp, where the distance would round to nothing
    distance_m = border_within_m(shapes, area, x, y, reach_m)
    if distance_m <= policy.tolerance_m and policy.tolerance_m > 0.0:
        return FINE
    return UNCERTAIN if distance_m <= reach_m else BREACH


@inlined
def _near_any(fences: Fences, at: int, count: int, zone: int, time_ms: int, x: float, y: float, accuracy_m: float) -> int:
    """The best verdict over some bindings that are active; a breach where none is."""
    best = BREACH
    rule, active = np.int64(-1), False
    for i in range(at, at + count):
        binding = fences.binding[i]
        if binding.rule != rule:  # the areas of a rule stand together
            rule = np.int64(binding.rule)
            active = is_active(fences.calendar, binding.from_ms, binding.until_ms, binding.schedule, zone, time_ms)
        if active:
            verdict = _near(fences, binding, x, y, accuracy_m)
            if verdict == FINE:
                return FINE
            best = min(best, verdict)
    return best


@inlined
def judge_area(fences: Fences, subject: int, time_ms: int, x: float, y: float, accuracy_m: float) -> int:
    """J2: the verdict of slot `area`. `subject` is his row; `accuracy_m` 0 where missing."""
    bound = fences.subject[subject]
    if not bound.has_allow:
        return NOT_JUDGED
    best = _near_any(fences, bound.at, bound.allow, bound.zone, time_ms, x, y, accuracy_m)
    if best != FINE:
        profile = fences.profile[bound.profile]
        best = min(best, _near_any(fences, profile.at, profile.allow, bound.zone, time_ms, x, y, accuracy_m))
    return best


@inlined
def _inside(fences: Fences, binding: Record, x: float, y: float, accuracy_m: float) -> int:
    """J3 for one area: covered deeply enough is a breach, covered at all uncertain, else fine."""
    shapes, area = fences.shapes, binding.area
    code = cell_code(shapes, area, x, y)
    if code < 0 or code >= OUTSIDE or (code == EDGE and not covers(shapes, area, x, y)):
        return FINE
    deep_m = fences.policy[binding.policy].accuracy_factor * accuracy_m
    if deep_m <= 0.0 or (code != EDGE and shapes.sure_m[code - 1] >= deep_m):
        return BREACH
    return BREACH if border_within_m(shapes, area, x, y, deep_m) >= deep_m else UNCERTAIN


@compiled
def binds_profile(fences: Fences, rule: int, profile: int) -> bool:
    """Whether a rule binds a profile through everyone or one of its groups."""
    if fences.rule[rule].everyone:
        return True
    i, i1 = fences.rule_group_start[rule], fences.rule_group_start[rule + 1]
    j, j1 = fences.profile_group_start[profile], fences.profile_group_start[profile + 1]
    while i < i1 and j < j1:
        a, b = fences.rule_group[i], fences.profile_group[j]
        if a == b:
            return True
        if a < b:
            i += 1
        else:
            j += 1
    return False


@compiled
def _note(rules: NDArray[np.int32], verdicts: NDArray[np.int8], first: int, used: int, rule: int, verdict: int) -> int:
    """Enter a verdict of a rule among those of this row; the graver one stays. Gives the number used, -1 where there is no room."""
    for i in range(first, used):
        if rules[i] == rule:
            verdicts[i] = max(verdicts[i], verdict)
            return used
    if used == len(rules):
        return -1
    rules[used] = rule
    verdicts[used] = verdict
    return used + 1


@compiled
def _judge_require(
    fences: Fences,
    at: int,
    count: int,
    zone: int,
    time_ms: int,
    x: float,
    y: float,
    accuracy_m: float,
    rules: NDArray[np.int32],
    verdicts: NDArray[np.int8],
    first: int,
    used: int,
) -> int:
    """J4 over the require bindings of a subject or profile, which stand rule by rule."""
    i = at
    while i < at + count:
        rule = fences.binding[i].rule
        active = is_active(
            fences.calendar, fences.binding[i].from_ms, fences.binding[i].until_ms, fences.binding[i].schedule, zone, time_ms
        )
        best = BREACH
        while i < at + count and fences.binding[i].rule == rule:
            if active and best != FINE:
                best = min(best, _near(fences, fences.binding[i], x, y, accuracy_m))
            i += 1
        if active and best != FINE:
            used = _note(rules, verdicts, first, used, rule, best)
            if used < 0:
                return -1
    return used


@inlined
def judge_rules(
    fences: Fences,
    subject: int,
    time_ms: int,
    x: float,
    y: float,
    accuracy_m: float,
    rules: NDArray[np.int32],
    verdicts: NDArray[np.int8],
    first: int,
) -> int:
    """J3 and J4: the verdicts, other than fine, of the forbid and require rules that bind a subject.

    They are entered into `rules` (int32) and `verdicts` (int8) from place `first` on. Gives the place after the last, or -1 where
    the arrays are too short.
    """
    bound = fences.subject[subject]
    profile = fences.profile[bound.profile]
    zone = bound.zone
    used = first
    at = bound.at + bound.allow
    for i in range(at, at + bound.forbid):
        binding = fences.binding[i]
        if is_active(fences.calendar, binding.from_ms, binding.until_ms, binding.schedule, zone, time_ms):
            verdict = _inside(fences, binding, x, y, accuracy_m)
            if verdict != FINE:
                used = _note(rules, verdicts, first, used, binding.rule, verdict)
                if used < 0:
                    return -1
    key = cell_key(fences.cells, x, y)
    if key >= 0:
        cell = find_cell(fences.cells, key)
        for i in range(fences.cells.start[cell], fences.cells.start[cell + 1]):
            area = fences.cells.item[i]
            for j in range(fences.zone_start[area], fences.zone_start[area + 1]):
                binding = fences.zone_binding[j]
                if is_active(fences.calendar, binding.from_ms, binding.until_ms, binding.schedule, zone, time_ms):
                    verdict = _inside(fences, binding, x, y, accuracy_m)
                    if verdict == FINE:
                        break  # the point is outside of the area: none of its rules is broken here
                    if binds_profile(fences, binding.rule, bound.profile):
                        used = _note(rules, verdicts, first, used, binding.rule, verdict)
                        if used < 0:
                            return -1
    at += bound.forbid
    if bound.require:
        used = _judge_require(fences, at, bound.require, zone, time_ms, x, y, accuracy_m, rules, verdicts, first, used)
    if used >= 0 and profile.require:
        at = profile.at + profile.allow + profile.forbid
        used = _judge_require(fences, at, profile.require, zone, time_ms, x, y, accuracy_m, rules, verdicts, first, used)
    return used


@inlined
def region_of(shapes: Shapes, cells: Cells, region_rank: NDArray[np.int32], x: float, y: float) -> int:
    """Number of the region that covers a point, of several the one of the least id; -1 where none does."""
    key = cell_key(cells, x, y)
    best = np.int64(-1)
    if key >= 0:
        cell = find_cell(cells, key)
        for i in range(cells.start[cell], cells.start[cell + 1]):
            area = np.int64(cells.item[i])
            rank = region_rank[area]
            if rank >= 0 and (best < 0 or rank < region_rank[best]) and covers(shapes, area, x, y):
                best = area
    return best


@compiled
def region_at(shapes: Shapes, cells: Cells, region_rank: NDArray[np.int32], x: float, y: float) -> int:
    """`region_of`, not pasted into its caller."""
    return region_of(shapes, cells, region_rank, x, y)


@compiled
def judge_position(
    fences: Fences,
    subject: int,
    time_ms: int,
    x: float,
    y: float,
    accuracy_m: float,
    rules: NDArray[np.int32],
    verdicts: NDArray[np.int8],
) -> tuple[int, int]:
    """Both judgements of one position: the verdict of slot `area`, and how many other rules are not fine (see `judge_rules`).

    A missing accuracy (NaN) is 0. `rules` and `verdicts` must have room for all rules.
    """
    accuracy_m = 0.0 if math.isnan(accuracy_m) else accuracy_m
    area = judge_area(fences, subject, time_ms, x, y, accuracy_m)
    return area, judge_rules(fences, subject, time_ms, x, y, accuracy_m, rules, verdicts, np.int64(0))


@compiled
def judge_area_alone(fences: Fences, subject: int, time_ms: int, x: float, y: float, accuracy_m: float) -> int:
    """The verdict of slot `area` for one position; a missing accuracy (NaN) is 0."""
    return judge_area(fences, subject, time_ms, x, y, 0.0 if math.isnan(accuracy_m) else accuracy_m)


BLOCK = 64
"""Rows whose memory is touched ahead: in a short loop the misses of many rows are under way at once."""


@inlined
def _touch_ahead(
    fences: Fences,
    subject: NDArray[np.int32],
    begin: int,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    at: NDArray[np.int64],
) -> int:
    """Bring what the next rows need into the cache; `at` int64[BLOCK] is scratch. Gives a number that must be used somewhere."""
    touched = 0
    if len(fences.shapes.area) == 0:
        return touched
    end = min(begin + BLOCK, len(subject))
    for i in range(begin, end):
        at[i - begin] = fences.subject[subject[i]].at if subject[i] >= 0 else 0
    for i in range(begin, end):
        if at[i - begin] < len(fences.binding):
            at[i - begin] = fences.binding[at[i - begin]].area
            touched += at[i - begin]
        else:
            at[i - begin] = 0
    for i in range(begin, end):
        touched += cell_code(fences.shapes, at[i - begin], lon[i], lat[i])
    return touched


@compiled
def judge_rows(
    fences: Fences,
    subject: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    accuracy_m: NDArray[np.float64],
    begin: int,
    area_verdict: NDArray[np.int8],
    hit_start: NDArray[np.int64],
    hit_rule: NDArray[np.int32],
    hit_verdict: NDArray[np.int8],
    scratch: NDArray[np.int64],
) -> int:
    """Judge rows from `begin` on; rows without subject (-1) or position (NaN) are left out.

    Fills `area_verdict` int8[n] and, as lists, the other rules' verdicts that are not fine: row i has `hit_start[i]` to
    `hit_start[i + 1]` of `hit_rule` int32 and `hit_verdict` int8. `scratch` int64[BLOCK + 1]. Gives n, or the row before which the
    lists ran out of room.
    """
    used = hit_start[begin]
    for i in range(begin, len(subject)):
        if (i - begin) % BLOCK == 0:
            scratch[BLOCK] += _touch_ahead(fences, subject, i, lon, lat, scratch)
        hit_start[i + 1] = used
        area_verdict[i] = NOT_JUDGED
        if subject[i] < 0 or math.isnan(lon[i]):
            continue
        accuracy = 0.0 if math.isnan(accuracy_m[i]) else accuracy_m[i]
        area_verdict[i] = judge_area(fences, subject[i], time_ms[i], lon[i], lat[i], accuracy)
        after = judge_rules(
            fences, subject[i], time_ms[i], lon[i], lat[i], accuracy, hit_rule, hit_verdict, used,
        )  # fmt: skip
        if after < 0:
            return i
        used = after
        hit_start[i + 1] = used
    return len(subject)


class Verdicts:
    """Verdicts of a batch: slot `area` by row, other rules as lists (see `judge_rows`), and the fence set's arrays used."""

    __slots__ = ("area", "fences", "hit_rule", "hit_start", "hit_verdict")

    def __init__(self, n: int) -> None:
        self.area: NDArray[np.int8] = np.empty(n, np.int8)
        self.hit_start: NDArray[np.int64] = np.zeros(n + 1, np.int64)
        self.hit_rule: NDArray[np.int32] = np.empty(n // 4 + 64, np.int32)
        self.hit_verdict: NDArray[np.int8] = np.empty(n // 4 + 64, np.int8)
        self.fences: Fences


def judge(
    fences: Fences, subject: NDArray[np.int32], time_ms: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64],
    accuracy_m: NDArray[np.float64],
) -> Verdicts:  # fmt: skip
    """Verdicts of a batch of positions; the cells of all points must be known to `fences` (`FenceSet.fences_for`)."""
    out = Verdicts(len(subject))
    out.fences = fences
    row, scratch = 0, np.zeros(BLOCK + 1, np.int64)
    while True:
        row = judge_rows(
            fences, subject, time_ms, lon, lat, accuracy_m, row, out.area, out.hit_start, out.hit_rule, out.hit_verdict, scratch,
        )  # fmt: skip
        if row == len(subject):
            return out
        out.hit_rule = np.concatenate([out.hit_rule, np.empty_like(out.hit_rule)])
        out.hit_verdict = np.concatenate([out.hit_verdict, np.empty_like(out.hit_verdict)])
