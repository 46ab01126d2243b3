"""Metres between points that lie near each other, on the WGS-84 ellipsoid, cheap enough for a compiled loop.

The local metric takes the radii of curvature at the middle latitude of the two points (meridian M, prime vertical N; see any
textbook of geodesy, e.g. Torge, "Geodesy", 4.1.3): right to 0.01 % up to 200 km outside the polar caps. Distances that are told to
people are taken once more along the geodesic by `geodesic_m`.
"""

from __future__ import annotations

import math

from pyproj import Geod

from fences.compiled import compiled

WGS84 = Geod(ellps="WGS84")
_A = 6378137.0
_E2 = 6.69437999014e-3
_RAD = math.pi / 180.0
METRES_PER_DEGREE_LAT_MIN = 110574.0
"""One degree of latitude is nowhere shorter (it is shortest at the equator: 110,574.3 m)."""
METRES_PER_DEGREE_LON_MIN_AT_EQUATOR = 111319.0
"""Times the cosine of the latitude, one degree of longitude is nowhere shorter."""


@compiled
def scale_at(lat: float) -> tuple[float, float]:
    """Metres per degree of longitude and per degree of latitude at latitude `lat` (degrees)."""
    s = math.sin(lat * _RAD)
    w2 = 1.0 - _E2 * s * s
    n = _A / math.sqrt(w2)
    m = n * (1.0 - _E2) / w2
    return n * math.sqrt(max(0.0, 1.0 - s * s)) * _RAD, m * _RAD


@compiled
def between_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres between two points by the local metric at their middle latitude; the shorter way around the antimeridian."""
    dlon = abs(lon2 - lon1)
    if dlon > 180.0:
        dlon = 360.0 - dlon
    kx, ky = scale_at(0.5 * (lat1 + lat2))
    dx = dlon * kx
    dy = (lat2 - lat1) * ky
    return math.sqrt(dx * dx + dy * dy)


def geodesic_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres along the geodesic (pyproj, Karney's method)."""
    return float(WGS84.inv(lon1, lat1, lon2, lat2)[2])


METRES_PER_DEGREE_MAX = 111700.0
"""A degree of longitude or latitude is nowhere longer (one of latitude at a pole: 111,694 m)."""
_NEAR_M = 200_000.0
_MEAN_RADIUS_M = 6371008.8


@compiled
def apart_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres between any two points: `between_m` up to 200 km, beyond it the great circle (right to 0.6 %)."""
    near = between_m(lon1, lat1, lon2, lat2)
    if near <= _NEAR_M:
        return near
    half = math.sin((lat2 - lat1) * _RAD * 0.5) ** 2
    half += math.cos(lat1 * _RAD) * math.cos(lat2 * _RAD) * math.sin((lon2 - lon1) * _RAD * 0.5) ** 2
    return 2.0 * _MEAN_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))
