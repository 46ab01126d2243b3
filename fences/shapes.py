"""Areas as flat arrays, and the two questions every rule asks of them: does this area cover the point, and how far is its border.

Each area has a raster over its bounding box and a margin around it, made by `fences.rasters`. A cell knows one byte: an edge passes
here (`EDGE`), or surely inside and at least so many metres from the border, or surely outside and at least so many. Cells are
numbered by one expression for points and for edges alike, so a point never falls on the wrong side by rounding. Only points in
`EDGE` cells are tested against edges, and only against those that touch their row of cells. The answers equal `shapely.covers`,
boundary included.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import Record, compiled, pasted, record_type
from fences.metres import METRES_PER_DEGREE_LAT_MIN, METRES_PER_DEGREE_LON_MIN_AT_EQUATOR, between_m, scale_at
from fences.orientation import orientation

EDGE = 0
OUTSIDE = 128
"""Codes below it (except `EDGE`) are inside; code - 1 or code - `OUTSIDE` is the index into `SURE_M`."""
_TINY = 1e-100
_ROUGH = 16
"""Every so many edges are looked at first."""
_BANDS = 120
SURE_M: NDArray[np.float64] = np.concatenate([[0.0], 1.1 ** np.arange(_BANDS - 1)])
"""Lower bounds of a distance to the border that a cell may promise, in metres."""

AREA = record_type(
    [(name, "f8") for name in ("x0", "y0", "x1", "y1", "grid_x", "grid_y", "per_x", "per_y")]
    + [("cell_at", "i8"), ("row_at", "i8"), ("nx", "i4"), ("ny", "i4")]
)
"""One area: bounding box in degrees; raster origin, cells a degree, size, and where its cells and rows begin."""


class Shapes(NamedTuple):
    """All areas of a registry, for compiled loops.

    `area` AREA[n]; `cells` uint8, row by row, an area after another; `row_start` int64, `ny + 1` an area, into `row_edge`;
    `row_edge` int64, numbers of the edges that touch a row of cells; edge e runs from `xy[e]` to `xy[e + 1]` (float64[m, 2]).
    """

    area: NDArray[np.void]
    cells: NDArray[np.uint8]
    row_start: NDArray[np.int64]
    row_edge: NDArray[np.int64]
    xy: NDArray[np.float64]
    sure_m: NDArray[np.float64]


@compiled
def covers_by_edges(shapes: Shapes, a: Record, row: int, px: float, py: float) -> bool:
    """Crossings of a ray to the right with the edges of this row of cells; a point on an edge is covered at once."""
    if px < a.x0 or px > a.x1 or py < a.y0 or py > a.y1:
        return False
    inside = False
    at = a.row_at + row
    for i in range(shapes.row_start[at], shapes.row_start[at + 1]):
        e = shapes.row_edge[i]
        x1, y1 = shapes.xy[e, 0], shapes.xy[e, 1]
        x2, y2 = shapes.xy[e + 1, 0], shapes.xy[e + 1, 1]
        if x1 < px and x2 < px:
            continue
        if x2 == px and y2 == py:
            return True
        if y1 == py and y2 == py:
            if min(x1, x2) <= px <= max(x1, x2):
                return True
            continue
        if (y1 > py and y2 <= py) or (y2 > py and y1 <= py):
            # Left of the edge by what no product rounds to nothing: there GEOS would find the point on the edge.
            if px + _TINY < x1 and px + _TINY < x2 and abs(y2 - y1) > _TINY:
                inside = not inside
                continue
            side = orientation(x1, y1, x2, y2, px, py)
            if side == 0:
                return True
            if y2 < y1:
                side = -side
            if side > 0:
                inside = not inside
    return inside


@pasted
def cell_code(shapes: Shapes, k: int, px: float, py: float) -> int:
    """The raster's byte of area k at a point; -1 where the point lies outside the raster."""
    a = shapes.area[k]
    u = (px - a.grid_x) * a.per_x
    v = (py - a.grid_y) * a.per_y
    if not (u >= 0.0 and v >= 0.0 and u < a.nx and v < a.ny):
        return -1
    return int(shapes.cells[a.cell_at + int(v) * a.nx + int(u)])


@pasted
def covers(shapes: Shapes, k: int, px: float, py: float) -> bool:
    """Whether area k covers the point (a boundary point is inside), exactly as `shapely.covers`."""
    code = cell_code(shapes, k, px, py)
    if code == EDGE:
        a = shapes.area[k]
        return covers_by_edges(shapes, a, int((py - a.grid_y) * a.per_y), px, py)
    return 0 < code < OUTSIDE


@pasted
def gap(low: float, high: float, p: float) -> float:
    """How far a number lies outside of an interval, 0 inside."""
    return max(low - p, p - high, 0.0)


@pasted
def surely_farther_m(shapes: Shapes, k: int, px: float, py: float, cos_lat: float) -> float:
    """A lower bound in metres of the distance from a point outside area k to it, from the raster or else the bounding box.

    `cos_lat` is the cosine of `py`. 0.0 where nothing is known.
    """
    code = cell_code(shapes, k, px, py)
    if code >= OUTSIDE:
        return float(shapes.sure_m[code - OUTSIDE])
    if code >= 0:
        return 0.0
    a = shapes.area[k]
    dx = gap(a.x0, a.x1, px)
    if dx > 180.0:
        dx = min(gap(a.x0, a.x1, px + 360.0), gap(a.x0, a.x1, px - 360.0))
    # The nearest way to a meridian dx away is not shorter than R cos(lat) sin(dx); beyond one degree that one degree must do.
    return max(
        0.998 * METRES_PER_DEGREE_LON_MIN_AT_EQUATOR * cos_lat * min(dx, 1.0),
        METRES_PER_DEGREE_LAT_MIN * gap(a.y0, a.y1, py),
    )


@compiled
def _nearest_on_edge(xy: NDArray[np.float64], e: int, px: float, py: float, kx: float, ky: float) -> tuple[float, float]:
    """The point of edge e nearest to p in the metric (kx, ky) metres a degree; edges straight in degrees."""
    x1, y1, x2, y2 = xy[e, 0], xy[e, 1], xy[e + 1, 0], xy[e + 1, 1]
    shift = 360.0 * np.round((px - 0.5 * (x1 + x2)) / 360.0)
    x1 += shift
    x2 += shift
    dx, dy = (x2 - x1) * kx, (y2 - y1) * ky
    length2 = dx * dx + dy * dy
    part = 0.0
    if length2 > 0.0:
        part = (((px - x1) * kx) * dx + ((py - y1) * ky) * dy) / length2
        part = min(1.0, max(0.0, part))
    return x1 + part * (x2 - x1), y1 + part * (y2 - y1)


@compiled
def border_within_m(shapes: Shapes, k: int, px: float, py: float, limit_m: float) -> float:
    """Distance in metres from a point to the border of area k where it is at most about `limit_m`, else infinity.

    Only edges in rows of cells that near are looked at: 0.01 % exact up to 200 km.
    """
    a = shapes.area[k]
    reach = limit_m * 1.001 / METRES_PER_DEGREE_LAT_MIN + 1e-9
    v0 = (py - reach - a.grid_y) * a.per_y
    v1 = (py + reach - a.grid_y) * a.per_y
    if v1 < 0.0 or v0 >= a.ny:
        return np.inf
    r0, r1 = int(max(v0, 0.0)), int(min(v1, a.ny - 1.0))
    kx, ky = scale_at(py)
    best = np.inf
    for i in range(shapes.row_start[a.row_at + r0], shapes.row_start[a.row_at + r1 + 1]):
        e = shapes.row_edge[i]
        x, y = _nearest_on_edge(shapes.xy, e, px, py, kx, ky)
        best = min(best, between_m(px, py, x, y))
    return best


@compiled
def _lies_beyond(xy: NDArray[np.float64], e: int, px: float, py: float, lon_m: float, limit_m: float) -> bool:
    """Whether edge e is surely farther from p than a limit; `lon_m` as in `surely_farther_m`."""
    x1, y1, x2, y2 = xy[e, 0], xy[e, 1], xy[e + 1, 0], xy[e + 1, 1]
    if METRES_PER_DEGREE_LAT_MIN * gap(min(y1, y2), max(y1, y2), py) > limit_m:
        return True
    west, east = min(x1, x2), max(x1, x2)
    dx = gap(west, east, px)
    if dx > 180.0:
        dx = min(gap(west, east, px + 360.0), gap(west, east, px - 360.0))
    return bool(lon_m * min(dx, 1.0) > limit_m)


@compiled
def nearest_border_point(shapes: Shapes, k: int, px: float, py: float) -> tuple[float, float, float]:
    """The point of the border of area k nearest to p: longitude, latitude, metres by the local metric."""
    a = shapes.area[k]
    kx, ky = scale_at(py)
    lon_m = 0.998 * METRES_PER_DEGREE_LON_MIN_AT_EQUATOR * math.cos(math.radians(py))
    best, best_x, best_y = np.inf, np.nan, np.nan
    first, end = shapes.row_start[a.row_at], shapes.row_start[a.row_at + a.ny]
    # A rough look first: then nearly all edges are known to lie farther away by a comparison or two.
    for step in (_ROUGH, 1):
        for i in range(first, end, step):
            e = shapes.row_edge[i]
            if _lies_beyond(shapes.xy, e, px, py, lon_m, best):
                continue
            x, y = _nearest_on_edge(shapes.xy, e, px, py, kx, ky)
            d = between_m(px, py, x, y)
            if d < best:
                best, best_x, best_y = d, x, y
    return best_x, best_y, best
