"""Shapes and points at which a cover test may go wrong: seeded, many at a time, for comparison with shapely.

Shapes: stars, stars with holes, several parts, slivers, combs, and all of these from a few centimetres to half the earth, near zero
and with coordinates below the normal range, at the antimeridian and the poles. Points: vertices, points of edges, corners of raster
cells, and one unit in the last place beside each.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from fences.compiled import compiled
from fences.rasters import compile_shapes
from fences.shapes import Shapes, covers

Xy = NDArray[np.float64]
PLACES = {
    "town": (121.05, 31.35, 0.01),
    "land": (121.0, 31.0, 3.0),
    "metre": (-58.4, -34.6, 1e-5),
    "centimetre": (13.4, 52.5, 1e-7),
    "few ulps": (100.1, 45.3, 1e-12),
    "origin": (0.0, 0.0, 0.4),
    "origin, small": (0.0, 0.0, 1e-9),
    "origin, tiny": (0.0, 0.0, 1e-100),
    "equator": (77.0, 0.0, 0.02),
    "greenwich": (0.0, 51.5, 0.02),
    "half the earth": (10.0, 5.0, 80.0),
    "date line, east": (-179.75, -17.0, 0.25),
    "date line, west": (179.75, 66.0, 0.25),
    "north pole": (30.0, 89.5, 0.5),
    "south pole": (-30.0, -89.5, 0.5),
}
"""Middle and half the size, degrees."""


def star(rng: np.random.Generator, x: float, y: float, size: float, corners: int) -> Polygon:
    """A ring around (x, y), its corners at 30 to 100 % of `size` and kept on the globe."""
    angle = np.sort(rng.random(corners)) * 2.0 * np.pi
    reach = size * (0.3 + 0.7 * rng.random(corners))
    xy = np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])
    return Polygon(np.clip(xy, (-180.0, -90.0), (180.0, 90.0)))


def on_grid(polygon: Polygon, step: float) -> Polygon:
    """The same with its corners on a grid, so that many edges are level or upright and points on edges are exact."""
    return shapely.transform(polygon, lambda xy: np.round(xy / step) * step)


def shape(rng: np.random.Generator, x: float, y: float, size: float) -> BaseGeometry:
    """A valid shape with some area: one of the kinds that the head of this file names."""
    while True:
        corners = int(rng.choice([3, 4, 5, 8, 20, 90, 400]))
        outer = star(rng, x, y, size, corners)
        one: BaseGeometry = outer
        kind = rng.integers(6)
        if kind == 1:
            one = on_grid(outer, size / 8)
        elif kind == 2:  # a hole; often touching the outside in a corner
            hole = star(rng, x, y, 0.25 * size, 5)
            one = Polygon(outer.exterior, [hole.exterior])
        elif kind == 3:  # parts that lie beside each other, or touch in a corner
            parts = [star(rng, x + dx * size / 2, y + dy * size / 2, 0.5 * size, 7) for dx, dy in ((-1, -1), (1, 1), (1, -1))]
            one = MultiPolygon([part for part in parts if not part.is_empty])
        elif kind == 4:  # a sliver
            one = shapely.transform(one, lambda xy: np.column_stack([xy[:, 0], y + (xy[:, 1] - y) * 1e-6]))
        elif kind == 5:  # a comb: long teeth along the rows of the raster
            teeth = np.arange(12)
            xs = np.where(teeth % 2 == 0, x - size, x + 0.9 * size)
            ring = np.column_stack([xs, y - size / 2 + size * teeth / 12])
            back = np.array([[x + size, y + size / 2], [x + size, y - size / 2]])
            one = Polygon(np.clip(np.concatenate([ring, back]), (-180.0, -90.0), (180.0, 90.0)))
        if one.is_valid and not one.is_empty and shapely.get_num_coordinates(one) > 3:
            bounds = np.array(one.bounds)
            if bounds[2] > bounds[0] and bounds[3] > bounds[1]:
                return one


def beside(xy: Xy) -> Xy:
    """The points and their eight neighbours, one unit in the last place off."""
    steps = [np.nextafter(xy, xy + way) for way in ((1, 1), (-1, -1), (1, -1), (-1, 1))]
    mixed = [np.column_stack([steps[0][:, 0], xy[:, 1]]), np.column_stack([steps[1][:, 0], xy[:, 1]])]
    mixed += [np.column_stack([xy[:, 0], steps[0][:, 1]]), np.column_stack([xy[:, 0], steps[1][:, 1]])]
    return np.concatenate([xy, *steps, *mixed])


def hard_points(rng: np.random.Generator, one: BaseGeometry, shapes: Shapes, k: int, some: int = 150) -> Xy:
    """Points that are hard for a shape (which is area k of `shapes`), all on the globe."""
    corners = shapely.get_coordinates(one)
    if len(corners) > some:
        at = rng.integers(0, len(corners) - 1, some)
        corners = corners[np.concatenate([at, at + 1])]
    ends = np.roll(corners, -1, axis=0)
    part = rng.choice([0.5, 0.25, rng.random(), 1e-9], len(corners))[:, None]
    middles = corners + part * (ends - corners)
    level = np.column_stack([rng.permutation(corners[:, 0]), corners[:, 1]])  # level with a corner, where rays go through it
    area = shapes.area[k]
    cells = rng.integers(0, [area.nx + 1, area.ny + 1], (some, 2))
    cell_corners = np.array([area.grid_x, area.grid_y]) + cells / np.array([area.per_x, area.per_y])
    low, high = np.array([area.x0, area.y0]), np.array([area.x1, area.y1])
    anywhere = low + (rng.random((some, 2)) * 1.4 - 0.2) * (high - low)
    box = np.array([[area.x0, area.y0], [area.x1, area.y1], [area.x0, area.y1]])
    points = np.concatenate([beside(np.concatenate([corners, middles, level, cell_corners, box])), anywhere])
    return np.ascontiguousarray(np.clip(points, (-180.0, -90.0), (180.0, 90.0)))


@compiled
def _covered(shapes: Shapes, k: int, xy: Xy, out: NDArray[np.bool_]) -> None:
    for i in range(len(xy)):
        out[i] = covers(shapes, k, xy[i, 0], xy[i, 1])


def covered(shapes: Shapes, k: int, xy: Xy) -> NDArray[np.bool_]:
    """Whether area k covers each of some points, by the project's test."""
    out = np.zeros(len(xy), np.bool_)
    _covered(shapes, k, xy, out)
    return out


def compiled_shapes(*shapes: BaseGeometry) -> Shapes:
    """Rasters of some shapes."""
    column = np.empty(len(shapes), np.object_)
    column[:] = shapes
    return compile_shapes(column)
