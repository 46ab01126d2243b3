"""Tracks for the noise study: people who live near a border they keep to, or cross now and then, as imprecise devices see them.

Everybody lives so many metres inside the border of his district, and as far outside a forbidden circle of his own. The honest go
about their days (`worlds.days`) without ever coming nearer to either than three quarters of that. The others stay at home but for
an excursion every three hours, straight over the border and into the circle, to a known depth and for a known time.

What a device makes of the true places:
- it reports an accuracy of 5 to 15 m on the move and 10 to 30 m indoors, as the radius of the circle that holds 68 % of its fixes;
  the truth is that times a factor of its own, of median 1 and geometric deviation 1.35 (one in six is a third worse or more);
- the error is a drift with a memory of ten minutes (seven tenths of the variance) and fresh noise;
- 0.5 % of the fixes are multipath jumps of 60 to 300 m; a jump fades with a memory of 55 s, so at a fix a minute one in three goes
  on to the next fix; half say that they are vague;
- in 6 % of the half-hours nothing is sent for 1 to 12 minutes.

`Noise` changes what of this is least certain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.days import DAY_MS, MINUTE_MS, Paths, daily_paths
from pipeline.worlds.districts import IDS, PLANE, Districts
from pipeline.worlds.people import DISTRICT, People, ways_between
from pipeline.worlds.plane import Floats

Ints = NDArray[np.int64]
FROM_BORDER_M = (15.0, 30.0, 60.0, 120.0, 250.0)
"""How far inside their district, and outside their forbidden circle, people live: as many at each distance."""
NEVER_NEARER = 0.75
CIRCLE_RADIUS_M = 300.0
DEEP_M = 1_500.0
START_MS = 1_772_380_800_000
"""2026-03-01T16:00:00Z: midnight in the districts, a Monday."""
JITTER = 0.025
INDOORS_MPS = 0.5
REPORTED_MOVING_M, REPORTED_INDOORS_M = (5.0, 15.0), (10.0, 30.0)
HONESTY = 0.3
"""Standard deviation of the logarithm of how much larger the true circle is than the reported one."""
RADIUS_68 = 1.51
"""Radius that holds 68 % of a normal error in two dimensions, in standard deviations of one."""
DRIFT_SHARE, DRIFT_MEMORY_S = 0.7, 600.0
JUMP_SHARE, JUMP_M = 0.005, (60.0, 300.0)
GAP_SHARE, GAP_MS, SLOT_MS = 0.06, (MINUTE_MS, 12 * MINUTE_MS), 30 * MINUTE_MS
DEPTH_M = (50.0, 100.0, 200.0, 300.0, 1_000.0)
STAY_MS = (3 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS)
EVERY_MS = 3 * 3_600_000
WALK_MPS, DRIVE_MPS = 1.4, 8.0
DRIVES_FROM_M = 500.0


@dataclass(frozen=True, slots=True)
class Noise:
    """What differs between the devices of one study and another.

    `step_ms`: between two fixes. `jump_memory_s`: after a step a jump goes on with the probability exp(-step / memory). `worse`:
    how much larger the true circle is than the reported one, in the median.
    """

    step_ms: int = MINUTE_MS
    jump_memory_s: float = 55.0
    worse: float = 1.0

    def goes_on(self, memory_s: float) -> float:
        """What is left after a step of something that fades with this memory."""
        return math.exp(-self.step_ms / 1000 / memory_s) if memory_s else 0.0


@dataclass(frozen=True, slots=True)
class Neighbours:
    """n people. `from_border_m` (n,); `home`, `centre` of his circle, `towards` it and the border (a unit vector): (n, 2)."""

    people: People
    from_border_m: Floats
    home: Floats
    centre: Floats
    towards: Floats

    def __len__(self) -> int:
        """How many."""
        return len(self.from_border_m)


@dataclass(frozen=True, slots=True)
class Tracks:
    """Fixes person by person, in the order of time: `person` (index), UTC ms, degrees, reported accuracy. `days` watched."""

    person: NDArray[np.int32]
    time_ms: Ints
    lon: Floats
    lat: Floats
    accuracy_m: Floats
    days: float

    def __len__(self) -> int:
        """How many fixes."""
        return len(self.time_ms)


@dataclass(frozen=True, slots=True)
class Excursions:
    """True breaches: of whom (index), from when to when beyond the line (UTC ms), how deep (nominal) and for how long a stay."""

    person: Ints
    out_ms: Ints
    back_ms: Ints
    depth_m: Floats
    stay_ms: Ints

    def take(self, rows: NDArray[np.bool_]) -> Excursions:
        """Some of them."""
        return Excursions(self.person[rows], self.out_ms[rows], self.back_ms[rows], self.depth_m[rows], self.stay_ms[rows])


def make_neighbours(districts: Districts, at_each_distance: int, rng: np.random.Generator) -> Neighbours:
    """People at every distance of `FROM_BORDER_M`, in all districts."""
    parts: list[list[Floats]] = []
    for from_border_m in FROM_BORDER_M:
        for i, shape in enumerate(districts.shapes):
            room = shape.buffer(-NEVER_NEARER * from_border_m)
            shapely.prepare(room)
            homes = shape.buffer(-0.9 * from_border_m).difference(shape.buffer(-1.1 * from_border_m))
            wanted = len(range(i, at_each_distance, len(IDS)))
            while wanted:
                way, errand = ways_between(wanted, room, homes, shape.buffer(-DEEP_M), rng)
                towards, good = _towards_border(way, errand, shape.boundary, from_border_m)
                columns = way, errand, towards, np.full(wanted, from_border_m), np.full(wanted, float(i))
                parts.append([column[good] for column in columns])
                wanted -= int(good.sum())
    way, errand, towards, away_m, district = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    count = len(way)
    people = People(
        district=district.astype(np.int8),
        second=np.full(count, -1, np.int8),
        roams=np.full(count, DISTRICT, np.int8),
        youth=np.zeros(count, bool),
        way=way,
        errand=errand,
        speed_mps=rng.uniform(7.0, 14.0, count),
    )
    centre = PLANE.snapped(way[:, 0] + towards * (away_m + CIRCLE_RADIUS_M)[:, None])
    return Neighbours(people, away_m, way[:, 0], centre, towards)


def _towards_border(way: Floats, errand: Floats, border: BaseGeometry, away_m: float) -> tuple[Floats, NDArray[np.bool_]]:
    """From each home to the nearest point of the border; and whether a circle there is far enough from all his ways."""
    home = way[:, 0]
    to_border = shapely.get_coordinates(shapely.shortest_line(shapely.points(home), border)).reshape(-1, 2, 2)[:, 1] - home
    towards = to_border / np.hypot(*to_border.T)[:, None]
    centre = home + towards * (away_m + CIRCLE_RADIUS_M)
    lines = shapely.linestrings(np.concatenate([errand[:, None], way], axis=1))
    return towards, shapely.distance(lines, shapely.points(centre)) >= CIRCLE_RADIUS_M + NEVER_NEARER * away_m


def honest_tracks(some: Neighbours, days: int, noise: Noise, rng: np.random.Generator) -> Tracks:
    """Their days, in which nobody breaks a rule."""
    paths = daily_paths(some.people, START_MS, START_MS + days * DAY_MS, rng)
    return seen_by_devices(paths, len(some), days, noise, rng)


def trespassing_tracks(
    some: Neighbours, districts: Districts, days: int, noise: Noise, rng: np.random.Generator
) -> tuple[Tracks, Excursions, Excursions]:
    """Excursions from home; what they are beyond the border of the district, and what they are within the circle.

    Left out of the first are those whose way crosses the border more than once, or whose depth is not what it is called (a border
    is ragged); of the second those that leave the circle on its far side.
    """
    count, each = len(some), days * DAY_MS // EVERY_MS
    shape = count, each
    depth_m, stay_ms = rng.choice(DEPTH_M, shape), rng.choice(STAY_MS, shape)
    speed_mps = np.where(depth_m < DRIVES_FROM_M, WALK_MPS, DRIVE_MPS)
    length_m = some.from_border_m[:, None] + depth_m
    way_ms = (length_m / speed_mps * 1000).astype(np.int64)
    depart_ms = START_MS + np.arange(each) * EVERY_MS + rng.integers(20 * MINUTE_MS, 90 * MINUTE_MS, shape)
    leave_ms = depart_ms + way_ms + stay_ms
    there = some.home[:, None] + some.towards[:, None] * length_m[..., None]

    def beyond(line_m: Floats) -> Excursions:
        """All of them, where the line is so far along the way."""
        line_ms = (line_m / speed_mps * 1000).astype(np.int64)
        person = np.broadcast_to(np.arange(count)[:, None], shape)
        out_ms, back_ms = depart_ms + line_ms, leave_ms + way_ms - line_ms
        return Excursions(person.ravel(), out_ms.ravel(), back_ms.ravel(), depth_m.ravel(), stay_ms.ravel())

    border_m, sharp = _border_on_way(some, districts, there, depth_m)
    over_border = beyond(border_m).take(sharp.ravel())
    into_circle = beyond(np.broadcast_to(some.from_border_m[:, None], shape)).take(depth_m.ravel() <= CIRCLE_RADIUS_M)
    home = np.broadcast_to(some.home[:, None], (*shape, 2))
    places = np.stack([home, there, there, home], axis=2).reshape(-1, 2).astype(np.float32)
    times = np.stack([depart_ms, depart_ms + way_ms, leave_ms, leave_ms + way_ms], axis=2).ravel()
    paths = Paths(np.arange(count + 1) * each * 4, times, places[:, 0].copy(), places[:, 1].copy())
    return seen_by_devices(paths, count, days, noise, rng), over_border, into_circle


def _border_on_way(some: Neighbours, districts: Districts, there: Floats, depth_m: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """How far along each way the border of the district is, and whether it is crossed once and as deep as the depth says."""
    along_m, sharp = np.empty(depth_m.shape), np.empty(depth_m.shape, bool)
    for i, shape in enumerate(districts.shapes):
        who = some.people.district == i
        homes = np.broadcast_to(some.home[who, None], there[who].shape)
        lines = shapely.linestrings(np.stack([homes, there[who]], axis=2).reshape(-1, 2, 2))
        inside = shapely.intersection(lines, shape)
        away_m = shapely.distance(shapely.points(there[who]), shape)
        one_piece = shapely.get_type_id(inside) == shapely.GeometryType.LINESTRING
        along_m[who] = shapely.length(inside).reshape(along_m[who].shape)
        sharp[who] = one_piece.reshape(away_m.shape) & (away_m > 0.7 * depth_m[who])
    return along_m, sharp


def seen_by_devices(paths: Paths, count: int, days: int, noise: Noise, rng: np.random.Generator) -> Tracks:
    """The fixes that devices make of `count` paths."""
    step_ms, steps = noise.step_ms, days * DAY_MS // noise.step_ms
    shape, jitter_ms = (count, steps), int(JITTER * step_ms)
    time_ms = START_MS + rng.integers(0, step_ms - 2 * jitter_ms, count)[:, None] + np.arange(steps) * step_ms
    time_ms = time_ms + rng.integers(0, jitter_ms, shape)
    x, y, east_mps, north_mps = paths.at(0, time_ms)
    indoors = np.hypot(east_mps, north_mps) < INDOORS_MPS
    reported_m = np.where(indoors, rng.uniform(*REPORTED_INDOORS_M, (count, 1)), rng.uniform(*REPORTED_MOVING_M, (count, 1)))
    sigma_m = reported_m * noise.worse * np.exp(rng.normal(0, HONESTY, (count, 1))) / RADIUS_68
    accuracy_m = np.maximum(reported_m * np.exp(rng.normal(0, 0.15, shape)), 3.0)
    off = [sigma_m * _drifting(shape, noise.goes_on(DRIFT_MEMORY_S), rng) for _ in range(2)]
    _jump(off, accuracy_m, noise.goes_on(noise.jump_memory_s), rng)
    sent = ~_gaps(shape, step_ms, rng)
    lon_lat = PLANE.to_degrees(np.stack([x + off[0], y + off[1]], axis=-1))
    person = np.broadcast_to(np.arange(count, dtype=np.int32)[:, None], shape)
    return Tracks(person[sent], time_ms[sent], lon_lat[..., 0][sent], lon_lat[..., 1][sent], accuracy_m[sent], float(days))


def _drifting(shape: tuple[int, int], keeps: float, rng: np.random.Generator) -> Floats:
    """An error of variance 1 in one direction: a first-order Gauss-Markov drift that keeps so much of itself, and fresh noise."""
    drift = rng.standard_normal(shape)
    drift[:, 1:] *= np.sqrt(1 - keeps * keeps)
    for k in range(1, shape[1]):
        drift[:, k] += keeps * drift[:, k - 1]
    error: Floats = np.sqrt(DRIFT_SHARE) * drift + np.sqrt(1 - DRIFT_SHARE) * rng.standard_normal(shape)
    return error


def _jump(off: list[Floats], accuracy_m: Floats, goes_on: float, rng: np.random.Generator) -> None:
    """Runs of fixes that are off by the same jump, in place; after each fix a run goes on with this probability."""
    rows, columns = np.nonzero(rng.random(accuracy_m.shape) < JUMP_SHARE * (1 - goes_on))
    far_m, bearing = rng.uniform(*JUMP_M, len(rows)), rng.uniform(0, 2 * np.pi, len(rows))
    says_m = np.where(rng.random(len(rows)) < 0.5, far_m * rng.uniform(0.5, 1.2, len(rows)), np.nan)
    last = columns + rng.geometric(1 - goes_on, len(rows)) - 1
    for k in range(int((last - columns).max(initial=-1)) + 1):
        on = (columns + k <= last) & (columns + k < accuracy_m.shape[1])
        at = rows[on], columns[on] + k
        off[0][at], off[1][at] = far_m[on] * np.sin(bearing[on]), far_m[on] * np.cos(bearing[on])
        accuracy_m[at] = np.where(np.isnan(says_m[on]), accuracy_m[at], says_m[on])


def _gaps(shape: tuple[int, int], step_ms: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which samples are not sent."""
    each = SLOT_MS // step_ms
    slots = shape[0], shape[1] // each
    length_ms = np.where(rng.random(slots) < GAP_SHARE, rng.integers(*GAP_MS, slots), 0)
    begin_ms = rng.integers(0, SLOT_MS - GAP_MS[1], slots)
    offset_ms = np.arange(each) * step_ms
    inside: NDArray[np.bool_] = (offset_ms >= begin_ms[..., None]) & (offset_ms < (begin_ms + length_ms)[..., None])
    return inside.reshape(shape)
