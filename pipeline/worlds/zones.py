"""The forbidden places of the simulated map: in each district one that binds everybody and two that bind the group `youth`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Point, Polygon
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.districts import IDS, PLANE, Districts, ragged_ring
from pipeline.worlds.plane import Floats

YOUTH = "youth"
PORT_RADIUS_M = 800.0
ARCADE_RADIUS_M = 500.0
FROM_BORDER_M = 2_500.0
APART_M = 3_000.0


@dataclass(frozen=True, slots=True)
class Zone:
    """A forbidden place. `group` None binds everybody; `radius_m` None: a polygon, else the circle around `centre` (metres)."""

    id: str
    rule_id: str
    name: str
    district: int
    group: str | None
    centre: Floats
    radius_m: float | None
    shape: BaseGeometry


def make_zones(districts: Districts, rng: np.random.Generator) -> tuple[Zone, ...]:
    """Nine zones, far from the borders and from one another."""
    zones: list[Zone] = []
    for i, district in enumerate(districts.shapes):
        mainland = max(shapely.get_parts(district), key=lambda part: part.area)
        room = mainland.buffer(-FROM_BORDER_M)
        centres = _centres(room, 3, rng)
        port = Polygon(PLANE.snapped(ragged_ring(centres[0], PORT_RADIUS_M, 36, rng)))
        zones.append(Zone(f"port-{IDS[i]}", f"no-port-{IDS[i]}", "River port", i, None, centres[0], None, port))
        for k, centre in enumerate(centres[1:], start=1):
            arcade = circle(centre, ARCADE_RADIUS_M)
            zone_id = f"arcade-{IDS[i]}-{k}"
            zones.append(Zone(zone_id, f"no-{zone_id}", "Games arcades", i, YOUTH, centre, ARCADE_RADIUS_M, arcade))
    return tuple(zones)


def circle(centre: Floats, radius_m: float) -> BaseGeometry:
    """The circle as a polygon of 128 edges, for the simulator's own checks (the registry names centre and radius)."""
    return Point(centre).buffer(radius_m, quad_segs=32)


def _centres(room: BaseGeometry, count: int, rng: np.random.Generator) -> Floats:
    chosen = points_within(room, 1, rng)
    while len(chosen) < count:
        candidate = points_within(room, 1, rng)
        if np.hypot(*(chosen - candidate).T).min() > APART_M:
            chosen = np.concatenate([chosen, candidate])
    return PLANE.snapped(chosen)


def points_within(room: BaseGeometry, count: int, rng: np.random.Generator) -> Floats:
    """`count` points evenly spread over a shape, metres, shape (count, 2). Raises ValueError where the shape is empty."""
    if room.is_empty:
        raise ValueError("there is no point in an empty shape")
    shapely.prepare(room)
    west, south, east, north = room.bounds
    share = room.area / ((east - west) * (north - south))
    found = np.empty((0, 2))
    while len(found) < count:
        tries = int((count - len(found)) / share * 1.1) + 8
        candidates = rng.uniform((west, south), (east, north), (tries, 2))
        found = np.concatenate([found, candidates[shapely.contains_xy(room, candidates)]])
    return found[:count]
