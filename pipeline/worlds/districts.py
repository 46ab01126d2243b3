"""The map of the simulator: three invented neighbouring districts with ragged borders that they share vertex by vertex.

They meet in one point near the middle. The second district has an enclave inside the first (which has a hole there), the third an
island off its coast. The names are invented; the coordinates are those of the lower Yangtze.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.plane import Floats, Plane

PLANE = Plane(lon=121.05, lat=31.35)
TIMEZONE = "Asia/Shanghai"
IDS = ("yunlu", "suwan", "heting")
NAMES = ("Yunlu District", "Suwan District", "Heting District")
BORDER_HALVINGS = 7
"""A border between two districts has 2 ** 7 edges."""
COAST_HALVINGS = 4
"""Each of about eight stretches of a district's outer border has 2 ** 4 edges."""
ENCLAVE_DEPTH_M = 3_000.0
ISLAND_DISTANCE_M = 1_500.0
ROOM_FROM_BORDER_M, ROOM_M2 = 2_500.0, 100e6
"""Each mainland has at least so much room so far from its borders."""
Shapes: TypeAlias = tuple[Polygon, MultiPolygon, MultiPolygon]
RAGGEDNESS = 0.14
"""How far a midpoint is pushed aside, as a share of its edge's length."""


@dataclass(frozen=True, slots=True)
class Districts:
    """Three districts; `shapes` in metres on `PLANE`, vertices on the grid of six decimals of a degree."""

    shapes: Shapes

    def feature(self, i: int) -> dict[str, Any]:
        """District i as a GeoJSON feature of `regions.geojson`."""
        return {
            "type": "Feature",
            "properties": {"id": IDS[i], "name": NAMES[i], "timezone": TIMEZONE},
            "geometry": geojson_geometry(self.shapes[i]),
        }


def make_districts(rng: np.random.Generator) -> Districts:
    """A map drawn by `rng`: drawn again where chance made a border cross itself (rare)."""
    while True:
        shapes = _draw(rng)
        if _fits_together(shapes):
            return Districts(shapes)


def _fits_together(shapes: Shapes) -> bool:
    in_degrees = [shapely.transform(shape, PLANE.to_degrees) for shape in shapes]
    if not all(shape.is_valid for shape in [*shapes, *in_degrees]):
        return False
    overlap_m2 = sum(shape.area for shape in shapes) - shapely.union_all(shapes).area
    enclave, island = shapes[1].geoms[-1], shapes[2].geoms[-1]
    around = Polygon(shapes[0].exterior)
    mainlands = (shapes[0], shapes[1].geoms[0], shapes[2].geoms[0])
    return bool(
        abs(overlap_m2) < 1.0
        and all(mainland.buffer(-ROOM_FROM_BORDER_M).area > ROOM_M2 for mainland in mainlands)
        and around.buffer(-ENCLAVE_DEPTH_M).covers(enclave)
        and island.distance(shapely.union_all(shapes[:2])) > ISLAND_DISTANCE_M
        and island.distance(shapes[2].geoms[0]) > ISLAND_DISTANCE_M
    )


def _draw(rng: np.random.Generator) -> Shapes:
    middle = rng.uniform(-1500, 1500, 2)
    bearings = np.sort(rng.uniform(0, 2 * np.pi) + np.arange(3) * 2 * np.pi / 3 + rng.uniform(-0.2, 0.2, 3))
    corners = [middle + rng.uniform(19_000, 22_000) * _unit(bearing) for bearing in bearings]
    borders = [ragged_line(np.array([middle, corner]), BORDER_HALVINGS, rng) for corner in corners]
    mainlands: list[Polygon] = []
    middles: list[float] = []
    for i in range(3):
        j = (i + 1) % 3
        until = bearings[j] + (2 * np.pi if j == 0 else 0)
        between = np.linspace(bearings[i], until, 9)[1:-1]
        stretch = [middle + rng.uniform(18_500, 23_000) * _unit(bearing) for bearing in between]
        coast = ragged_line(np.array([corners[i], *stretch, corners[j]]), COAST_HALVINGS, rng)
        ring = np.concatenate([borders[i], coast[1:], borders[j][::-1][1:]])
        mainlands.append(Polygon(PLANE.snapped(ring)))
        middles.append(float(bearings[i] + until) / 2)
    enclave = PLANE.snapped(ragged_ring(middle + rng.uniform(11_000, 13_000) * _unit(middles[0]), 1_800, 48, rng))
    island = PLANE.snapped(ragged_ring(middle + rng.uniform(29_000, 31_000) * _unit(middles[2]), 2_500, 40, rng))
    return (
        Polygon(mainlands[0].exterior.coords, [enclave]),
        MultiPolygon([mainlands[1], Polygon(enclave)]),
        MultiPolygon([mainlands[2], Polygon(island)]),
    )


def ragged_line(points: Floats, halvings: int, rng: np.random.Generator, raggedness: float = RAGGEDNESS) -> Floats:
    """The polyline through `points` (k, 2) with each edge halved `halvings` times, each midpoint pushed aside by chance."""
    for _ in range(halvings):
        along = np.diff(points, axis=0)
        aside = np.column_stack([-along[:, 1], along[:, 0]])
        push = np.clip(rng.normal(0, raggedness, len(along)), -2 * raggedness, 2 * raggedness)
        halves = points[:-1] + along / 2 + aside * push[:, None]
        finer = np.empty((2 * len(points) - 1, 2))
        finer[::2], finer[1::2] = points, halves
        points = finer
    return points


def ragged_ring(centre: Floats, radius_m: float, count: int, rng: np.random.Generator) -> Floats:
    """A closed ring of `count` vertices around `centre`, between 0.75 and 1.25 of `radius_m` away, shape (count + 1, 2)."""
    bearings = np.arange(count) * 2 * np.pi / count
    slow = 1 + 0.12 * np.sin(2 * bearings + rng.uniform(0, 6)) + 0.08 * np.sin(3 * bearings + rng.uniform(0, 6))
    radii = radius_m * slow * rng.uniform(0.95, 1.05, count)
    ring = centre + radii[:, None] * np.column_stack([np.cos(bearings), np.sin(bearings)])
    return np.concatenate([ring, ring[:1]])


def geojson_geometry(shape: BaseGeometry) -> dict[str, Any]:
    """A polygon or multipolygon on `PLANE` as a GeoJSON geometry in degrees with six decimals, rings as RFC 7946 wants them."""
    in_degrees = shapely.transform(shapely.orient_polygons(shape), lambda xy: np.round(PLANE.to_degrees(xy), 6))
    geometry: dict[str, Any] = shapely.geometry.mapping(in_degrees)
    return geometry


def _unit(bearing: float) -> Floats:
    return np.array([np.cos(bearing), np.sin(bearing)])
