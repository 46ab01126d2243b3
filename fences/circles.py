"""Geodesic circles as the polygons that stand for them: everywhere within 0.1 % of the radius.

The vertices lie a little outside the circle and the middles of the edges as much inside it, so that the error is balanced. Edges
are straight in longitude and latitude; where a large circle far from the equator makes that bend too much, it gets more vertices.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from fences.metres import WGS84

VERTICES = 64
_MOST_VERTICES = 1024
_TOLERANCE = 0.0009
_SURELY_FINE_M = 20_000.0
"""A smaller circle needs no look at its edges below `_SURELY_FINE_LAT`: they bend by less than 0.02 % of the radius."""
_SURELY_FINE_LAT = 80.0
_AT_ONCE = 4096

CROSSES_ANTIMERIDIAN, OVER_POLE, TOO_SMALL = "crosses the antimeridian", "covers or touches a pole", "is too small to be a shape"


def polygons(lon: NDArray[np.float64], lat: NDArray[np.float64], radius_m: NDArray[np.float64]) -> NDArray[np.object_]:
    """A polygon a circle (centre in WGS-84 degrees); None for those that `refusal` refuses."""
    shapes: NDArray[np.object_] = np.full(len(lon), None)
    for start in range(0, len(lon), _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, len(lon)))
        shapes[some] = _polygons(lon[some], lat[some], radius_m[some])
    return shapes


def refusal(lon: float, lat: float, radius_m: float) -> str:
    """Why a circle has no polygon, as the end of a sentence that begins with "the circle"."""
    pole_m = WGS84.inv(lon, lat, lon, math.copysign(90.0, lat))[2]
    if radius_m * (1 + _TOLERANCE) >= pole_m:
        return OVER_POLE
    ring = _ring(np.array([lon]), np.array([lat]), np.array([radius_m]), VERTICES)
    return CROSSES_ANTIMERIDIAN if np.abs(ring[..., 0]).max() > 180.0 else TOO_SMALL


def _polygons(lon: NDArray[np.float64], lat: NDArray[np.float64], radius_m: NDArray[np.float64]) -> NDArray[np.object_]:
    shapes: NDArray[np.object_] = np.full(len(lon), None)
    pole_m = WGS84.inv(lon, lat, lon, np.copysign(90.0, lat))[2]
    possible = radius_m * (1 + _TOLERANCE) < pole_m
    fine = possible & (radius_m <= _SURELY_FINE_M) & (np.abs(lat) <= _SURELY_FINE_LAT)
    some = np.flatnonzero(fine)
    shapes[some] = _closed(_ring(lon[some], lat[some], radius_m[some], VERTICES))
    for i in np.flatnonzero(possible & ~fine).tolist():
        one = slice(i, i + 1)
        vertices = VERTICES
        while vertices < _MOST_VERTICES and _error(lon[one], lat[one], radius_m[one], vertices) > _TOLERANCE:
            vertices *= 2
        shapes[one] = _closed(_ring(lon[one], lat[one], radius_m[one], vertices))
    return shapes


def _ring(lon: NDArray[np.float64], lat: NDArray[np.float64], radius_m: NDArray[np.float64], vertices: int) -> NDArray[np.float64]:
    """The vertices of each circle, counter-clockwise from north, not closed: shape (n, vertices, 2). Longitudes may pass 180."""
    # A circle is its own image in the meridian of its centre: half of the geodesics give all of it.
    azimuth = np.linspace(0.0, 180.0, vertices // 2 + 1)
    half_error = (1 - math.cos(math.pi / vertices)) / 2
    shape = (len(lon), len(azimuth))
    east_lon, east_lat, _ = WGS84.fwd(
        np.broadcast_to(lon[:, None], shape),
        np.broadcast_to(lat[:, None], shape),
        np.broadcast_to(azimuth, shape),
        np.broadcast_to(radius_m[:, None] * (1 + half_error), shape),
    )
    offset = (east_lon - lon[:, None]) % 360.0
    offset[:, 0] = offset[:, -1] = 0.0
    out_lon = lon[:, None] + np.concatenate([-offset[:, :-1], offset[:, :0:-1]], axis=1)
    return np.stack([out_lon, np.concatenate([east_lat[:, :-1], east_lat[:, :0:-1]], axis=1)], axis=-1)


def _closed(ring: NDArray[np.float64]) -> NDArray[np.object_]:
    """Polygons of rings; None where a ring passes the antimeridian or is no shape."""
    shapes: NDArray[np.object_] = np.asarray(shapely.polygons(np.concatenate([ring, ring[:, :1]], axis=1)))
    shapes[(np.abs(ring[..., 0]).max(axis=1) > 180.0) | ~shapely.is_valid(shapes)] = None
    return shapes


def _error(lon: NDArray[np.float64], lat: NDArray[np.float64], radius_m: NDArray[np.float64], vertices: int) -> float:
    """How far vertices and middles of edges lie from one circle, as a part of its radius."""
    ring = _ring(lon, lat, radius_m, vertices)[0]
    middle = (ring + np.roll(ring, -1, axis=0)) / 2
    points = np.concatenate([ring, middle])
    distance = WGS84.inv(np.full(len(points), lon[0]), np.full(len(points), lat[0]), points[:, 0], points[:, 1])[2]
    return float(np.abs(distance / radius_m[0] - 1).max())
