"""Trips of the stories: ways that cross one line of the map once and briskly, and stay far from every other."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.people import MARGIN_M, bent, lengths, room_of
from pipeline.worlds.plane import Floats
from pipeline.worlds.stories import SURELY_INSIDE_M, SURELY_OUTSIDE_M, TRIP_MPS, DoesNotFitError, Stage, Trip
from pipeline.worlds.zones import points_within

FROM_BORDER_M = (800.0, 3_500.0)
LONGEST_TRIP_M = 8_000.0
SLOWEST_CROSSING_M = (200.0, 80.0)
"""How many metres of the way may lie in the doubtful strip along the line: of a border, of a forbidden place."""
TRIES = 128
ATTEMPTS = 50


def over_border(stage: Stage, home: int, other: int) -> Trip:
    """From a home in district `home` to a place in the neighbouring district `other`. Raises DoesNotFitError."""
    pool = stage.trips.setdefault(("border", home, other), [])
    districts = stage.districts.shapes
    for _ in range(ATTEMPTS):
        if pool:
            return pool.pop()
        rooms = [room_of(stage.districts, stage.zones, [i], young=True, margin_m=FROM_BORDER_M[0]) for i in (home, other)]
        near = [room.intersection(districts[i].buffer(FROM_BORDER_M[1])) for room, i in zip(rooms, (other, home), strict=True)]
        starts, ends = points_within(near[0], TRIES, stage.rng), points_within(near[1], TRIES, stage.rng)
        room = room_of(stage.districts, stage.zones, [home, other], young=True)
        far = districts[home].buffer(SURELY_OUTSIDE_M)
        pool.extend(crossing(starts, ends, room, districts[home], far, SLOWEST_CROSSING_M[0], stage.rng))
    raise DoesNotFitError


def into_zone(stage: Stage, district: int, zone: BaseGeometry, centre: Floats) -> Trip:
    """From a home in `district` to the middle of a forbidden place there. Raises DoesNotFitError."""
    pool = stage.trips.setdefault(("zone", float(centre[0]), float(centre[1])), [])
    for _ in range(ATTEMPTS):
        if pool:
            return pool.pop()
        others = tuple(other for other in stage.zones if other.shape.distance(zone) > 0)
        room = room_of(stage.districts, others, [district], young=True)
        homes = room.intersection(zone.buffer(4_000).difference(zone.buffer(MARGIN_M + 500)))
        starts, ends = points_within(homes, TRIES, stage.rng), np.repeat(centre[None], TRIES, axis=0)
        # Outside the wider shape he is surely out, inside the narrower one surely in.
        maybe, sure = zone.buffer(SURELY_INSIDE_M), zone.buffer(-SURELY_INSIDE_M)
        pool.extend(_entering(starts, ends, room, maybe, sure, stage.rng))
    raise DoesNotFitError


def crossing(
    starts: Floats,
    ends: Floats,
    room: BaseGeometry,
    near: BaseGeometry,
    far: BaseGeometry,
    slowest_m: float,
    rng: np.random.Generator,
) -> list[Trip]:
    """Trips within `room` that leave the shape `near` once and then the wider shape `far` once, for good."""
    ways, lines = ways_within(starts, ends, room, rng)
    inside, beyond = shapely.intersection(lines, near), shapely.difference(lines, far)
    maybe_m, sure_m = shapely.length(inside), shapely.length(lines) - shapely.length(beyond)
    good = _one_piece(inside) & _one_piece(beyond) & (sure_m - maybe_m < slowest_m)
    return _trips(ways[good], maybe_m[good], sure_m[good], rng)


def _entering(
    starts: Floats, ends: Floats, room: BaseGeometry, wide: BaseGeometry, narrow: BaseGeometry, rng: np.random.Generator
) -> list[Trip]:
    ways, lines = ways_within(starts, ends, room, rng)
    before_wide, before_narrow = shapely.difference(lines, wide), shapely.difference(lines, narrow)
    maybe_m, sure_m = shapely.length(before_wide), shapely.length(before_narrow)
    good = _one_piece(before_wide) & _one_piece(before_narrow) & (sure_m - maybe_m < SLOWEST_CROSSING_M[1])
    return _trips(ways[good], maybe_m[good], sure_m[good], rng)


def ways_within(starts: Floats, ends: Floats, room: BaseGeometry, rng: np.random.Generator) -> tuple[Floats, NDArray[np.object_]]:
    """Ways from starts to ends (k, 2) within `room` and not too long, as arrays (j, 4, 2) and as lines; j <= k."""
    ways = bent(starts, ends, rng)
    ways = ways[lengths(ways) < LONGEST_TRIP_M]
    lines = np.asarray(shapely.linestrings(ways))
    good = shapely.covers(room, lines)
    return ways[good], lines[good]


def _one_piece(shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    single: NDArray[np.bool_] = (shapely.get_type_id(shapes) == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(shapes)
    return single


def _trips(ways: Floats, maybe_m: Floats, sure_m: Floats, rng: np.random.Generator) -> list[Trip]:
    speeds = rng.uniform(*TRIP_MPS, len(ways))
    return [Trip(way, float(v), float(m), float(s)) for way, v, m, s in zip(ways, speeds, maybe_m, sure_m, strict=True)]
