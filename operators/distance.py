"""How far outside, how deep inside: the metres that an opening tells. Rare, so plain Python over the judge's own functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from fences.activity import is_active
from fences.fence_set import Fences
from fences.metres import geodesic_m
from fences.registry import ALLOW, FORBID
from fences.shapes import covers, nearest_border_point
from operators.judge import binds_profile


def bindings_of(fences: Fences, subject: int, effect: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Bindings of a subject by rules of allow or require: (rule, area, from_ms, until_ms, schedule), his own first."""
    bound = fences.subject[subject : subject + 1]
    for owner in (bound, fences.profile[bound["profile"]]):
        at, allow, forbid, require = (int(owner[name][0]) for name in ("at", "allow", "forbid", "require"))
        first, count = (at, allow) if effect == ALLOW else (at + allow + forbid, require)
        if count:
            some = fences.binding[first : first + count]
            yield from zip(*[some[name].tolist() for name in ("rule", "area", "from_ms", "until_ms", "schedule")], strict=True)


def areas_of_rule(fences: Fences, subject: int, rule: int) -> list[int]:
    """The areas of a forbid or require rule that binds a subject."""
    if fences.rule[rule]["effect"] != FORBID:
        return [area for r, area, *_ in bindings_of(fences, subject, int(fences.rule[rule]["effect"])) if r == rule]
    bound = fences.subject[subject]
    at = int(bound["at"]) + int(bound["allow"])
    forbid = fences.binding[at : at + int(bound["forbid"])]
    own: list[int] = forbid["area"][forbid["rule"] == rule].tolist()
    if own or not binds_profile(fences, rule, bound["profile"]):
        return own
    zones: list[int] = fences.zone_binding["area"][fences.zone_binding["rule"] == rule].tolist()
    return zones


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


def opening_m(fences: Fences, subject: int, rule: int, time_ms: int, lon: float, lat: float) -> float | None:
    """`distance_m` of an opening: in slot `area` (`rule` -1) and of a require rule how far outside, of a forbid rule how deep."""
    if rule < 0:
        zone = int(fences.subject[subject]["zone"])
        active = [
            area
            for _, area, start, end, schedule in bindings_of(fences, subject, ALLOW)
            if is_active(fences.calendar, start, end, schedule, zone, time_ms)
        ]
        return outside_m(fences, active, lon, lat)
    if fences.rule[rule]["effect"] == FORBID:
        return inside_m(fences, areas_of_rule(fences, subject, rule), lon, lat)
    return outside_m(fences, areas_of_rule(fences, subject, rule), lon, lat)
