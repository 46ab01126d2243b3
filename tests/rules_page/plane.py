"""Places in metres east and north of a point, as longitude and latitude: what stands on a page is measured on the ellipsoid."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyproj import Geod

from tests.rules_page.example import NotationError

WGS84 = Geod(ellps="WGS84")
Ring = list[list[float]]


@dataclass(frozen=True)
class Plane:
    """A flat plane around a point, which touches the earth there: right to 0.05 % within five kilometres."""

    lon: float = 121.0
    lat: float = 31.0

    @classmethod
    def read(cls, text: str) -> Plane:
        """`31 N, 121 E`."""
        found = re.fullmatch(r"([\d.]+) N, ([\d.]+) E", text)
        if found is None:
            raise NotationError(f"{text!r} is no centre")
        return cls(float(found[2]), float(found[1]))

    def degrees(self, east_m: float, north_m: float) -> list[float]:
        """Longitude and latitude of a place."""
        lon, lat, _ = WGS84.fwd(self.lon, self.lat, 0.0, north_m)
        # Along the parallel of the place: an edge from west to east lies on one parallel, as it does in longitude and latitude.
        _, _, hundredth_m = WGS84.inv(lon, lat, lon + 0.01, lat)
        return [lon + 0.01 * east_m / hundredth_m, lat]

    def box(self, west: float, south: float, east: float, north: float) -> Ring:
        """The ring of a rectangle."""
        corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
        return [self.degrees(x, y) for x, y in corners]


NUMBER = r"(-?[\d.]+)"
PLACE = rf"{NUMBER}, {NUMBER}"


def geometry(plane: Plane, text: str) -> tuple[dict[str, object], float | None]:
    """The GeoJSON geometry that a text describes, and the radius of a circle.

    `square of 1000 m around 0, 0`, `... with a hole of 200 m`, `circle of 300 m around 0, 0`, `rectangle 0, 0 to 500, 900`.
    """
    circle = re.fullmatch(rf"circle of {NUMBER} m around {PLACE}", text)
    if circle:
        radius_m, east, north = map(float, circle.groups())
        return {"type": "Point", "coordinates": plane.degrees(east, north)}, radius_m
    rectangle = re.fullmatch(rf"rectangle {PLACE} to {PLACE}", text)
    if rectangle:
        west, south, east, north = map(float, rectangle.groups())
        return {"type": "Polygon", "coordinates": [plane.box(west, south, east, north)]}, None
    square = re.fullmatch(rf"square of {NUMBER} m around {PLACE}(?: with a hole of {NUMBER} m)?", text)
    if square is None:
        raise NotationError(f"{text!r} is no area")
    x, y = float(square[2]), float(square[3])
    halves = [float(size) / 2 for size in (square[1], square[4]) if size is not None]
    return {"type": "Polygon", "coordinates": [plane.box(x - half, y - half, x + half, y + half) for half in halves]}, None
