"""How far outside, how deep inside: the metres that an opening tells.

A compiled loop finds the nearest border points of the areas concerned, for all openings of a batch at once; the distances along the
geodesic to these are taken together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fences.activity import is_active
from fences.compiled import Record, compiled
from fences.fence_set import Fences
from fences.metres import WGS84, geodesic_m
from fences.registry import FORBID
from fences.shapes import Shapes, covers, nearest_border_point
from operators.judge import binds_profile


@compiled
def _outside(
    shapes: Shapes, binding: Record, i: int, x: float, y: float, owner: NDArray[np.int64], point: NDArray[np.float64], used: int
) -> int:
    """Note where an area is nearest to a point: the point itself where it is covered."""
    if used < len(owner):
        owner[used] = i
        point[used, 0], point[used, 1] = x, y
        if not covers(shapes, binding.area, x, y):
            point[used, 0], point[used, 1], _ = nearest_border_point(shapes, binding.area, x, y)
    return used + 1


@compiled
def _inside(
    shapes: Shapes, binding: Record, i: int, x: float, y: float, owner: NDArray[np.int64], point: NDArray[np.float64], used: int
) -> int:
    """Note the nearest border point of an area that covers a point."""
    if not covers(shapes, binding.area, x, y):
        return used
    if used < len(owner):
        owner[used] = i
        point[used, 0], point[used, 1], _ = nearest_border_point(shapes, binding.area, x, y)
    return used + 1


@compiled
def _border_points(
    fences: Fences,
    subject: NDArray[np.int64],
    rule: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    owner: NDArray[np.int64],
    point: NDArray[np.float64],
) -> int:
    """The nearest border points of the areas that each position is told its distance to.

    Those of slot `area` (`rule` -1) are the areas of the active allow rules, those of a rule its own; of a forbid rule only those
    that cover the position. Fills `owner` (whose) and `point` (longitude, latitude); gives how many there are, more than there is
    room for where the arrays are too short.
    """
    used = 0
    for i in range(len(subject)):
        x, y, r = lon[i], lat[i], rule[i]
        bound = fences.subject[subject[i]]
        profile = fences.profile[bound.profile]
        if r >= 0 and fences.rule[r].effect == FORBID:
            first = bound.at + bound.allow
            own = False
            for k in range(first, first + bound.forbid):
                if fences.binding[k].rule == r:
                    own = True
                    used = _inside(fences.shapes, fences.binding[k], i, x, y, owner, point, used)
            if not own and binds_profile(fences, r, bound.profile):
                for k in range(len(fences.zone_binding)):
                    if fences.zone_binding[k].rule == r:
                        used = _inside(fences.shapes, fences.zone_binding[k], i, x, y, owner, point, used)
            continue
        for shared in range(2):
            at, count = bound.at, bound.allow
            if shared:
                at, count = profile.at, profile.allow
            if r >= 0:
                at += count + (profile.forbid if shared else bound.forbid)
                count = profile.require if shared else bound.require
            for k in range(at, at + count):
                b = fences.binding[k]
                if b.rule == r or (r < 0 and is_active(fences.calendar, b.from_ms, b.until_ms, b.schedule, bound.zone, time_ms[i])):
                    used = _outside(fences.shapes, b, i, x, y, owner, point, used)
    return used


def openings_m(
    fences: Fences, subject: Sequence[int], rule: Sequence[int], time_ms: Sequence[int], lon: Sequence[float], lat: Sequence[float]
) -> list[float | None]:
    """`distance_m` of openings: in slot `area` (`rule` -1) and of a require rule how far outside, of a forbid rule how deep."""
    who, which = np.array(subject, np.int64), np.array(rule, np.int64)
    x, y = np.array(lon, np.float64), np.array(lat, np.float64)
    owner, point = np.empty(4 * len(who) + 16, np.int64), np.empty((4 * len(who) + 16, 2))
    used = _border_points(fences, who, which, np.array(time_ms, np.int64), x, y, owner, point)
    if used > len(owner):
        owner, point = np.empty(used, np.int64), np.empty((used, 2))
        _border_points(fences, who, which, np.array(time_ms, np.int64), x, y, owner, point)
    owner, point = owner[:used], point[:used]
    metres = WGS84.inv(x[owner], y[owner], point[:, 0], point[:, 1])[2]
    best: list[float | None] = [None] * len(who)
    deep = (which >= 0) & (fences.rule["effect"][np.maximum(which, 0)] == FORBID) if len(fences.rule) else which >= 0
    for i, here in zip(owner.tolist(), metres.tolist(), strict=True):
        known = best[i]
        best[i] = here if known is None else max(known, here) if deep[i] else min(known, here)
    return best


def opening_m(fences: Fences, subject: int, rule: int, time_ms: int, lon: float, lat: float) -> float | None:
    """`openings_m` of one opening."""
    return openings_m(fences, [subject], [rule], [time_ms], [lon], [lat])[0]


def outside_m(fences: Fences, areas: Iterable[int], lon: float, lat: float) -> float | None:
    """Metres from a point to the nearest of some areas, 0 where one covers it; None where there are none."""
    best = math.inf
    for area in areas:
        if covers(fences.shapes, area, lon, lat):
            return 0.0
        x, y, _ = nearest_border_point(fences.shapes, area, lon, lat)
        best = min(best, geodesic_m(lon, lat, x, y))
    return None if math.isinf(best) else best


def inside_m(fences: Fences, areas: Iterable[int], lon: float, lat: float) -> float | None:
    """Metres from a point to the border of that one of some areas in which it lies deepest; None where it lies in none."""
    depths = []
    for area in areas:
        if covers(fences.shapes, area, lon, lat):
            x, y, _ = nearest_border_point(fences.shapes, area, lon, lat)
            depths.append(geodesic_m(lon, lat, x, y))
    return max(depths, default=None)
