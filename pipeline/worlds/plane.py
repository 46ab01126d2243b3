"""The plane the simulator thinks in: metres east and north of a point, an affine image of longitude and latitude.

Because the image is affine, an edge that is straight in longitude and latitude is straight here too, so shapes can be checked and
buffered in metres. Lengths are right to 0.5 % within 30 km north or south of the origin; the simulator's margins are wider.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEMI_MAJOR_M = 6_378_137.0
ECCENTRICITY_SQUARED = 0.006_694_379_990_14
"""WGS-84."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plane:
    """Metres east (x) and north (y) of `lon`, `lat` (WGS-84 degrees)."""

    lon: float
    lat: float

    @property
    def metres_per_lon(self) -> float:
        """Metres of one degree of longitude at the origin (radius of the prime vertical times the cosine of the latitude)."""
        sin = math.sin(math.radians(self.lat))
        normal_m = SEMI_MAJOR_M / math.sqrt(1 - ECCENTRICITY_SQUARED * sin * sin)
        return math.radians(1) * normal_m * math.cos(math.radians(self.lat))

    @property
    def metres_per_lat(self) -> float:
        """Metres of one degree of latitude at the origin (radius of the meridian)."""
        sin = math.sin(math.radians(self.lat))
        meridian_m: float = SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED) / (1 - ECCENTRICITY_SQUARED * sin * sin) ** 1.5
        return math.radians(1) * meridian_m

    def to_degrees(self, xy: Floats) -> Floats:
        """Longitude and latitude, shape (..., 2), of points in metres, same shape."""
        return xy / (self.metres_per_lon, self.metres_per_lat) + (self.lon, self.lat)

    def to_metres(self, lon_lat: Floats) -> Floats:
        """Metres east and north, shape (..., 2), of points in degrees, same shape."""
        return (lon_lat - (self.lon, self.lat)) * (self.metres_per_lon, self.metres_per_lat)

    def snapped(self, xy: Floats) -> Floats:
        """The points as they are once written with six decimals of a degree (0.1 m)."""
        return self.to_metres(np.round(self.to_degrees(xy), 6))
