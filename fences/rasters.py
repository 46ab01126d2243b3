"""Making the rasters of areas: which cells an edge passes, which lie inside, and what each may promise of the border's distance.

What a raster says, and how it is asked, stands in `fences.shapes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray

from fences.compiled import Record, allocating, compiled
from fences.metres import METRES_PER_DEGREE_LAT_MIN, METRES_PER_DEGREE_LON_MIN_AT_EQUATOR
from fences.shapes import AREA, EDGE, OUTSIDE, SURE_M, Shapes, covers_by_edges, gap

_RAD = math.pi / 180.0
_GRACE = 1e-6
"""Edges are dilated by this part of a cell; rounding of a cell number is ten thousand times smaller."""


def compile_shapes(polygons: NDArray[np.object_], progress: Callable[[str, int, int], None] | None = None) -> Shapes:
    """Rasters and edge rows of shapely polygons or multipolygons (WGS-84 degrees, valid, none empty)."""
    n = len(polygons)
    parts, part_area = shapely.get_parts(polygons, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    xy, ring_of = shapely.get_coordinates(rings, return_index=True)
    area_of = part_area[ring_part][ring_of] if len(xy) else np.empty(0, np.int64)
    is_edge = np.zeros(len(xy), bool)
    is_edge[:-1] = ring_of[1:] == ring_of[:-1]
    first = np.searchsorted(area_of, np.arange(n + 1)).astype(np.int64)
    bounds = shapely.bounds(polygons).reshape(n, 4)
    area = np.zeros(n, AREA)
    side = np.clip(4.0 * np.sqrt(np.diff(first)), 16, 256).astype(np.int32)
    margin = np.maximum(2, side // 8)
    for k, name in enumerate(("x0", "y0", "x1", "y1")):
        area[name] = bounds[:, k]
    width = np.maximum(bounds[:, 2] - bounds[:, 0], 1e-9)
    height = np.maximum(bounds[:, 3] - bounds[:, 1], 1e-9)
    area["per_x"] = side / width
    area["per_y"] = side / height
    area["grid_x"] = bounds[:, 0] - (margin + 0.5) / area["per_x"]
    area["grid_y"] = bounds[:, 1] - (margin + 0.5) / area["per_y"]
    area["nx"] = area["ny"] = side + 2 * margin + 1
    sizes = area["nx"].astype(np.int64) * area["ny"]
    area["cell_at"] = np.cumsum(sizes) - sizes
    area["row_at"] = np.cumsum(area["ny"].astype(np.int64) + 1) - (area["ny"] + 1)
    xy = np.ascontiguousarray(xy, np.float64)
    row_start = np.zeros(int((area["ny"].astype(np.int64) + 1).sum()), np.int64)
    cells = np.zeros(int(sizes.sum()), np.uint8)
    row_edge = np.empty(_count_row_edges(area, first, is_edge, xy, row_start), np.int64)
    shapes = Shapes(area, cells, row_start, row_edge, xy, SURE_M)
    step = max(1, n // 50)
    for begin in range(0, n, step):
        _build(shapes, first, is_edge, begin, min(n, begin + step))
        if progress is not None:
            progress("rasters", min(n, begin + step), n)
    return shapes


@compiled
def _rows_of(a: Record, y1: float, y2: float) -> tuple[int, int]:
    """The first and the last row of cells that an edge touches."""
    low = (min(y1, y2) - a.grid_y) * a.per_y - _GRACE
    high = (max(y1, y2) - a.grid_y) * a.per_y + _GRACE
    return max(0, math.floor(low)), min(a.ny - 1, math.floor(high))


@compiled
def _count_row_edges(
    area: NDArray[np.void],
    first: NDArray[np.int64],
    is_edge: NDArray[np.bool_],
    xy: NDArray[np.float64],
    row_start: NDArray[np.int64],
) -> int:
    """Fill `row_start`; answers how many edges all rows of all areas have together."""
    total = 0
    for k in range(len(area)):
        a = area[k]
        at = a.row_at
        for e in range(first[k], first[k + 1]):
            if is_edge[e]:
                r0, r1 = _rows_of(a, xy[e, 1], xy[e + 1, 1])
                for r in range(r0, r1 + 1):
                    row_start[at + r + 1] += 1
        row_start[at] = total
        for r in range(a.ny):
            row_start[at + r + 1] += row_start[at + r]
        total = int(row_start[at + a.ny])
    return total


@allocating
def _build(shapes: Shapes, first: NDArray[np.int64], is_edge: NDArray[np.bool_], begin: int, end: int) -> None:
    """Fill the rasters and edge rows of the areas from `begin` to `end`."""
    for k in range(begin, end):
        a = shapes.area[k]
        at, nx, ny = a.cell_at, a.nx, a.ny
        cells = shapes.cells[at : at + nx * ny]
        cells[:] = 255
        fill = shapes.row_start[a.row_at : a.row_at + ny].copy()
        for e in range(first[k], first[k + 1]):
            if is_edge[e]:
                _mark(a, cells, fill, shapes.row_edge, shapes.xy, e)
        _classify(shapes, k, cells)
        _promise(shapes, k, cells)


@compiled
def _mark(
    a: Record,
    cells: NDArray[np.uint8],
    fill: NDArray[np.int64],
    row_edge: NDArray[np.int64],
    xy: NDArray[np.float64],
    e: int,
) -> None:
    """Mark the cells that edge e touches and enter it in its rows; `fill` is where the next edge of each row stands."""
    x1, y1, x2, y2 = xy[e, 0], xy[e, 1], xy[e + 1, 0], xy[e + 1, 1]
    u1, v1 = (x1 - a.grid_x) * a.per_x, (y1 - a.grid_y) * a.per_y
    u2, v2 = (x2 - a.grid_x) * a.per_x, (y2 - a.grid_y) * a.per_y
    if v1 > v2:
        u1, v1, u2, v2 = u2, v2, u1, v1
    r0, r1 = _rows_of(a, y1, y2)
    for r in range(r0, r1 + 1):
        row_edge[fill[r]] = e
        fill[r] += 1
        if v2 - v1 < 1e-9:
            ua, ub = u1, u2
        else:
            slope = (u2 - u1) / (v2 - v1)
            ua = u1 + slope * (min(max(r - _GRACE, v1), v2) - v1)
            ub = u1 + slope * (min(max(r + 1 + _GRACE, v1), v2) - v1)
        c0 = max(0, math.floor(min(ua, ub) - _GRACE))
        c1 = min(a.nx - 1, math.floor(max(ua, ub) + _GRACE))
        for c in range(c0, c1 + 1):
            cells[r * a.nx + c] = EDGE


@compiled
def _classify(shapes: Shapes, k: int, cells: NDArray[np.uint8]) -> None:
    """Inside or outside, for each run of cells between two edges of a row, by one exact test in its first cell."""
    a = shapes.area[k]
    for r in range(a.ny):
        known = 255
        for c in range(a.nx):
            if cells[r * a.nx + c] == EDGE:
                known = 255
                continue
            if known == 255:
                x = a.grid_x + (c + 0.5) / a.per_x
                y = a.grid_y + (r + 0.5) / a.per_y
                known = 1 if covers_by_edges(shapes, a, r, x, y) else OUTSIDE
            cells[r * a.nx + c] = known


@allocating
def _promise(shapes: Shapes, k: int, cells: NDArray[np.uint8]) -> None:
    """What each cell may promise about the border: two passes of a chessboard distance to the nearest edge cell."""
    a = shapes.area[k]
    nx, ny = a.nx, a.ny
    away = np.full((ny + 2, nx + 2), 32000, np.int32)
    for r in range(ny):
        for c in range(nx):
            if cells[r * nx + c] == EDGE:
                away[r + 1, c + 1] = 0
    for r in range(1, ny + 1):
        for c in range(1, nx + 1):
            d = min(away[r - 1, c - 1], away[r - 1, c], away[r - 1, c + 1], away[r, c - 1]) + 1
            away[r, c] = min(away[r, c], d)
    for r in range(ny, 0, -1):
        for c in range(nx, 0, -1):
            d = min(away[r + 1, c + 1], away[r + 1, c], away[r + 1, c - 1], away[r, c + 1]) + 1
            away[r, c] = min(away[r, c], d)
    # A longitude degree is shortest where the raster reaches closest to a pole; 0.999 covers the ellipsoid and rounding.
    far_lat = max(abs(a.grid_y), abs(a.grid_y + ny / a.per_y))
    lon_m = METRES_PER_DEGREE_LON_MIN_AT_EQUATOR * max(0.0, math.cos(min(far_lat, 90.0) * _RAD))
    cell_m = 0.999 * min(METRES_PER_DEGREE_LAT_MIN / a.per_y, lon_m / a.per_x)
    for c in range(nx):
        # The way around the antimeridian is not shorter than R cos(lat) sin(gap), which up to 90 degrees is 0.6 of the arc.
        west, east = a.grid_x + c / a.per_x, a.grid_x + (c + 1) / a.per_x
        around_m = 0.6 * lon_m * min(90.0, gap(a.x0, a.x1, east - 360.0), gap(a.x0, a.x1, west + 360.0))
        for r in range(ny):
            code = cells[r * nx + c]
            if code != EDGE:
                sure = (away[r + 1, c + 1] - 1) * cell_m
                if code == OUTSIDE:
                    sure = min(sure, around_m)
                band = 0
                if sure >= 1.0:
                    band = min(len(shapes.sure_m) - 1, int(math.log(sure) / math.log(1.1)) + 1)
                    while shapes.sure_m[band] > sure:
                        band -= 1
                cells[r * nx + c] = code + band
