"""The people of the simulated map: where they live and work, the way between, and which areas they may be in.

Everybody here is honest: home, way, workplace and errand stay at least `MARGIN_M` away from every border that binds him and from
every place forbidden to him, which is more than the worst fix is off. Scripted stories move a few of them elsewhere (`stories`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.districts import Districts
from pipeline.worlds.plane import Floats
from pipeline.worlds.zones import YOUTH, Zone, points_within

MARGIN_M = 500.0
DISTRICT, STREETS, HOMEBOUND = 0, 1, 2
"""What a person may roam: his district (perhaps a second too); home, workplace and the streets between; home and around it."""
SHARE_SECOND = 0.12
SHARE_STREETS = 0.10
SHARE_HOMEBOUND = 0.05
SHARE_YOUTH = 0.15
WAY_M = (1_000.0, 14_000.0)
BEND = 0.12
"""How far a way bends aside, as a share of its length (one standard deviation)."""
ERRAND_M = (80.0, 280.0)


@dataclass(frozen=True, slots=True)
class People:
    """n people. `second` is -1 where there is no second district. `way` (n, 4, 2): home, two bends, workplace; metres."""

    district: NDArray[np.int8]
    second: NDArray[np.int8]
    roams: NDArray[np.int8]
    youth: NDArray[np.bool_]
    way: Floats
    errand: Floats
    speed_mps: Floats

    def __len__(self) -> int:
        """How many people."""
        return len(self.district)


def make_people(count: int, districts: Districts, zones: tuple[Zone, ...], rng: np.random.Generator) -> People:
    """`count` people spread over the districts."""
    district = rng.integers(0, 3, count).astype(np.int8)
    lot = rng.random(count)
    roams = np.select([lot < SHARE_STREETS, lot < SHARE_STREETS + SHARE_HOMEBOUND], [STREETS, HOMEBOUND], DISTRICT).astype(np.int8)
    wide = (roams == DISTRICT) & (rng.random(count) < SHARE_SECOND)
    second = np.where(wide, (district + rng.integers(1, 3, count)) % 3, -1).astype(np.int8)
    youth = rng.random(count) < SHARE_YOUTH
    way = np.empty((count, 4, 2))
    errand = np.empty((count, 2))
    kind = (district.astype(np.int64) * 4 + second + 1) * 2 + youth
    for value in np.unique(kind):
        who = np.flatnonzero(kind == value)
        home, other, young = int(district[who[0]]), int(second[who[0]]), bool(youth[who[0]])
        room = room_of(districts, zones, [home] if other < 0 else [home, other], young=young)
        homes = room_of(districts, zones, [home], young=young)
        works = homes if other < 0 else room_of(districts, zones, [other], young=young)
        way[who], errand[who] = ways_between(len(who), room, homes, works, rng)
    way[roams == HOMEBOUND] = way[roams == HOMEBOUND][:, :1]
    length_m = lengths(way)
    speed_mps = np.where(length_m < 2_500, rng.uniform(2.5, 5.0, count), rng.uniform(7.0, 14.0, count))
    return People(district, second, roams, youth, way, errand, speed_mps)


def room_of(
    districts: Districts, zones: tuple[Zone, ...], allowed: list[int], *, young: bool, margin_m: float = MARGIN_M
) -> BaseGeometry:
    """Where somebody allowed in these districts is out of reach of every border and of every zone that binds him."""
    room: BaseGeometry = shapely.union_all([districts.shapes[i] for i in allowed]).buffer(-margin_m)
    binding = [zone.shape for zone in zones if zone.group is None or (young and zone.group == YOUTH)]
    room = room.difference(shapely.union_all(binding).buffer(margin_m))
    shapely.prepare(room)
    return room


def bent(home: Floats, work: Floats, rng: np.random.Generator) -> Floats:
    """Ways from homes to workplaces (k, 2) with two bends each, shape (k, 4, 2)."""
    along = work - home
    aside = np.stack([-along[:, 1], along[:, 0]], axis=1)
    bends = [
        home + along * (share + rng.uniform(-0.1, 0.1, len(home)))[:, None] + aside * rng.normal(0, BEND, len(home))[:, None]
        for share in (1 / 3, 2 / 3)
    ]
    return np.stack([home, *bends, work], axis=1)


def lengths(ways: Floats) -> Floats:
    """Length of each polyline (k, points, 2) in metres."""
    length_m: Floats = np.hypot(*np.moveaxis(np.diff(ways, axis=1), -1, 0)).sum(axis=1)
    return length_m


def ways_between(
    count: int, room: BaseGeometry, homes: BaseGeometry, works: BaseGeometry, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Drawn until errand, home, bends and workplace are joined by lines inside `room`."""
    way = np.empty((count, 4, 2))
    errand = np.empty((count, 2))
    left = np.arange(count)
    while len(left):
        home, work = points_within(homes, len(left), rng), points_within(works, len(left), rng)
        tries = bent(home, work, rng)
        bearing = rng.uniform(0, 2 * np.pi, len(left))
        out = home + rng.uniform(*ERRAND_M, len(left))[:, None] * np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
        length_m = lengths(tries)
        good = (length_m > WAY_M[0]) & (length_m < WAY_M[1])
        lines = shapely.linestrings(np.concatenate([out[good, None], tries[good]], axis=1))
        good[good] = shapely.covers(room, lines)
        way[left[good]], errand[left[good]] = tries[good], out[good]
        left = left[~good]
    return way, errand
