"""J5: metres on the WGS-84 ellipsoid: between points, from a point to the edges of a shape, and the circle of a radius.

Edges are straight in longitude and latitude. The nearest point of an edge is found in a plane whose metric is that of the latitude
half-way between, and the distance to it is then taken on the ellipsoid; far away the edge is searched on the ellipsoid itself.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod
from shapely import get_parts
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

Numbers = NDArray[np.float64]

WGS84 = Geod(ellps="WGS84")
E2 = WGS84.es
FAR_M = 50_000.0
CIRCLE_CORNERS = 360


def metres(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Length of the geodesic between two points."""
    return float(WGS84.inv(lon1, lat1, lon2, lat2)[2])


def circle(lon: float, lat: float, radius_m: float) -> Polygon:
    """The polygon that stands for a geodesic circle: corners on the circle, its sides at most 0.004 % of the radius inside it."""
    azimuths = np.arange(CIRCLE_CORNERS) * (360.0 / CIRCLE_CORNERS)
    n = len(azimuths)
    lons, lats, _ = WGS84.fwd(np.full(n, lon), np.full(n, lat), azimuths, np.full(n, radius_m))
    return Polygon(list(zip(lons, lats, strict=True)))


def edges_of(shape: BaseGeometry) -> Numbers:
    """The edges of all rings of a polygon or multipolygon: rows of lon, lat, lon, lat."""
    polygons = [part for part in get_parts([shape]) if isinstance(part, Polygon)]
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    corners = [np.asarray(ring.coords)[:, :2] for ring in rings]
    return np.concatenate([np.hstack([c[:-1], c[1:]]) for c in corners])


def metres_to_edges(lon: float, lat: float, edges: Numbers) -> float:
    """Distance from a point to the nearest of some edges."""
    start = np.column_stack([(edges[:, 0] - lon + 180.0) % 360.0 - 180.0, edges[:, 1] - lat])
    along = edges[:, 2:] - edges[:, :2]
    middle = np.full(len(edges), lat)
    share = np.zeros(len(edges))
    for _ in range(3):
        east, north = metres_per_degree(middle)
        ax, ay, bx, by = start[:, 0] * east, start[:, 1] * north, along[:, 0] * east, along[:, 1] * north
        length2 = bx * bx + by * by
        share = np.clip(-(ax * bx + ay * by) / np.where(length2 > 0, length2, 1.0), 0.0, 1.0)
        middle = lat + (start[:, 1] + share * along[:, 1]) / 2.0
    distances = at_shares(lon, lat, start, along, share)
    nearest = float(distances.min())
    return nearest if nearest < FAR_M else searched(lon, lat, start, along, nearest)


def searched(lon: float, lat: float, start: Numbers, along: Numbers, nearest: float) -> float:
    """The same by search along every edge on the ellipsoid."""
    low, high = np.zeros(len(start)), np.ones(len(start))
    for _ in range(6):
        shares = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, 33)
        many = [np.repeat(part, 33, axis=0) for part in (start, along)]
        distances = at_shares(lon, lat, many[0], many[1], shares.ravel()).reshape(shares.shape)
        best = distances.argmin(axis=1)
        rows = np.arange(len(start))
        low, high = shares[rows, np.maximum(best - 1, 0)], shares[rows, np.minimum(best + 1, 32)]
        nearest = min(nearest, float(distances.min()))
    return nearest


def at_shares(lon: float, lat: float, start: Numbers, along: Numbers, share: Numbers) -> Numbers:
    """Distances from the point to one point of each edge, given by its share of the edge's length."""
    lons, lats = lon + start[:, 0] + share * along[:, 0], lat + start[:, 1] + share * along[:, 1]
    n = len(lons)
    return np.asarray(WGS84.inv(np.full(n, lon), np.full(n, lat), lons, lats)[2])


def metres_per_degree(lat: Numbers) -> tuple[Numbers, Numbers]:
    """Metres of one degree of longitude and of latitude, from the radii of curvature at the latitude."""
    phi = np.radians(lat)
    w = 1.0 - E2 * np.sin(phi) ** 2
    return WGS84.a / np.sqrt(w) * np.cos(phi) * math.pi / 180.0, WGS84.a * (1.0 - E2) / w**1.5 * math.pi / 180.0
