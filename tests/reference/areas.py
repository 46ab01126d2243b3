"""Section 4, regions and areas: the shapes of the two GeoJSON files, and how a point lies to one."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from shapely import force_2d, transform
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry

from tests.reference.datum import to_wgs84
from tests.reference.earth import circle, edges_of, metres_to_edges

CONVERTED_SLACK_M = 1.0


class Area:
    """A polygon or multipolygon in WGS-84; a boundary point is inside.

    `slack_m` is how far the shape of another, equally right reader may lie off this one: nothing where the vertices are given in
    WGS-84, 0.1 % of the radius (and a little) of a circle, a metre of a converted border.
    """

    def __init__(self, area_id: str, geometry: BaseGeometry, timezone: str | None, slack_m: float) -> None:
        self.id = area_id
        self.shape = geometry
        self.timezone = timezone
        self.slack_m = slack_m
        self.edges = edges_of(geometry)
        self.covers = lru_cache(maxsize=None)(self._covers)
        self.metres_to_boundary = lru_cache(maxsize=None)(self._metres_to_boundary)

    def _covers(self, lon: float, lat: float) -> bool:
        return bool(self.shape.covers(Point(lon, lat)))

    def _metres_to_boundary(self, lon: float, lat: float) -> float:
        return metres_to_edges(lon, lat, self.edges)


def read_areas(path: Path) -> dict[str, Area]:
    """The areas of a FeatureCollection by id, in its order."""
    collection = json.loads(path.read_text(encoding="utf-8"))
    areas = (read_area(feature, collection.get("datum") or "wgs84") for feature in collection["features"])
    return {area.id: area for area in areas}


def read_area(feature: dict[str, Any], datum_of_all: str) -> Area:
    """One feature; its own datum wins over that of the file."""
    properties, geometry = feature["properties"], force_2d(shape(feature["geometry"]))
    datum = properties.get("datum") or datum_of_all
    slack_m = 0.0
    if datum != "wgs84":
        geometry = transform(geometry, lambda corners: np.array([to_wgs84(datum, lon, lat) for lon, lat in corners]))
        slack_m = CONVERTED_SLACK_M
    if isinstance(geometry, Point):
        radius_m = float(properties["radius_m"])
        geometry = circle(geometry.x, geometry.y, radius_m)
        slack_m += 0.001 * radius_m + 0.1
    return Area(str(properties["id"]), geometry, properties.get("timezone"), slack_m)
