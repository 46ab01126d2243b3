"""The maps of the benchmark worlds: a tessellation of districts with shared ragged borders, circles, and zones that bind many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from pipeline.worlds.districts import ragged_line, ragged_ring
from pipeline.worlds.plane import Floats, Plane

CELL_M = 30_000.0
CORNER_JITTER = 0.1
RAGGEDNESS = 0.07
CIRCLE_RADIUS_M = (300.0, 3_000.0)
ZONE_RADIUS_M = (350.0, 700.0)
GROUP_ZONES = 4
"""Every fourth zone binds the group only, the others everybody."""


@dataclass(frozen=True, slots=True)
class BenchMap:
    """A map in metres on `plane`. Zones with odd index are circles, those with even index polygons.

    `districts` and `zones` are shapely polygons; `circle_district`, `zone_district` say in which district a centre lies.
    """

    plane: Plane
    columns: int
    rows: int
    districts: NDArray[np.object_]
    circle_centre: Floats
    circle_radius_m: Floats
    circle_district: NDArray[np.int64]
    zones: NDArray[np.object_]
    zone_centre: Floats
    zone_radius_m: Floats
    zone_district: NDArray[np.int64]

    def neighbour(self, district: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Of each district one beside it in the same row of the tessellation."""
        column = district % self.columns
        step = np.where(column == 0, 1, np.where(column == self.columns - 1, -1, rng.choice([-1, 1], len(district))))
        return district + step


def make_bench_map(
    plane: Plane, columns: int, rows: int, edge_pieces: int, halvings: int, circles: int, zones: int, rng: np.random.Generator
) -> BenchMap:
    """A map of columns x rows districts; a border between two of them has `edge_pieces * 2 ** halvings` edges."""
    districts = _tessellation(plane, columns, rows, edge_pieces, halvings, rng)
    circle_district = rng.integers(0, len(districts), circles)
    zone_district = rng.integers(0, len(districts), zones)
    zone_centre = plane.snapped(points_in(districts, zone_district, rng))
    zone_radius_m = np.round(rng.uniform(*ZONE_RADIUS_M, zones))
    shapes = [
        Polygon(plane.snapped(ragged_ring(centre, radius_m, 24, rng))) if k % 2 == 0 else shapely.Point(centre).buffer(radius_m)
        for k, (centre, radius_m) in enumerate(zip(zone_centre, zone_radius_m.tolist(), strict=True))
    ]
    return BenchMap(
        plane=plane,
        columns=columns,
        rows=rows,
        districts=districts,
        circle_centre=plane.snapped(points_in(districts, circle_district, rng)),
        circle_radius_m=np.round(rng.uniform(*CIRCLE_RADIUS_M, circles)),
        circle_district=circle_district,
        zones=np.array(shapes, dtype=object),
        zone_centre=zone_centre,
        zone_radius_m=zone_radius_m,
        zone_district=zone_district,
    )


def points_in(shapes: NDArray[np.object_], which: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """A point evenly drawn from `shapes[which]` for each element of `which`, shape (n, 2)."""
    shapely.prepare(shapes)
    west, south, east, north = shapely.bounds(shapes).T
    points = np.empty((len(which), 2))
    left = np.argsort(which, kind="stable")  # one shape after another: its prepared form stays in the cache
    while len(left):
        shape = which[left]
        tries = np.column_stack([rng.uniform(west[shape], east[shape]), rng.uniform(south[shape], north[shape])])
        good = shapely.intersects_xy(shapes[shape], tries[:, 0], tries[:, 1])
        points[left[good]] = tries[good]
        left = left[~good]
    return points


def _tessellation(
    plane: Plane, columns: int, rows: int, edge_pieces: int, halvings: int, rng: np.random.Generator
) -> NDArray[np.object_]:
    """Districts row by row, drawn again where a border crossed itself. Neighbours share every vertex of their border."""
    while True:
        x, y = np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0))
        corner = np.stack([x - columns / 2, y - rows / 2], axis=-1) + rng.uniform(-CORNER_JITTER, CORNER_JITTER, (*x.shape, 2))
        corner *= CELL_M

        def border(start: Floats, end: Floats) -> Floats:
            straight = start + (end - start) * np.linspace(0, 1, edge_pieces + 1)[:, None]
            return plane.snapped(ragged_line(straight, halvings, rng, RAGGEDNESS))

        across = [[border(corner[r, c], corner[r, c + 1]) for c in range(columns)] for r in range(rows + 1)]
        upward = [[border(corner[r, c], corner[r + 1, c]) for c in range(columns + 1)] for r in range(rows)]
        rings = [
            np.concatenate([across[r][c], upward[r][c + 1][1:], across[r + 1][c][::-1][1:], upward[r][c][::-1][1:]])
            for r in range(rows)
            for c in range(columns)
        ]
        districts = np.array([Polygon(ring) for ring in rings], dtype=object)
        if shapely.is_valid(districts).all():
            return districts
