"""Random areas on a grid of 1/1024 degree around 121 E 31 N, so that vertices, edges and mid-points are hit exactly.

Sizes and places are multiples of four grid steps (about 400 m): areas often overlap, share edges, or touch in a corner.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LON_0, LAT_0, PER_DEGREE = 121, 31, 1024
Ring = list[tuple[float, float]]
RADII_M = (150, 400, 700, 1500)


def degrees(ring: Ring) -> list[list[float]]:
    """Grid steps to degrees, the ring closed."""
    return [[LON_0 + x / PER_DEGREE, LAT_0 + y / PER_DEGREE] for x, y in [*ring, ring[0]]]


def box(x: float, y: float, w: float, h: float) -> Ring:
    """A rectangle."""
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def polygons_of(kind: str, x: int, y: int, w: int, h: int) -> list[list[Ring]]:
    """The polygons (each an outer ring and its holes) of a kind of shape."""
    hole = box(x + 1, y + 1, w - 2, h - 2)
    island = box(x + w / 4 + 0.5, y + h / 4 + 0.5, w / 4, h / 4)
    kinds: dict[str, list[list[Ring]]] = {
        "box": [[box(x, y, w, h)]],
        "triangle": [[[(x, y), (x + w, y), (x, y + h)]]],
        "slanted": [[[(x, y), (x + w, y + 1), (x + w + 3, y + h), (x - 1, y + h - 1)]]],
        "ell": [[[(x, y), (x + w, y), (x + w, y + h / 2), (x + w / 2, y + h / 2), (x + w / 2, y + h), (x, y + h)]]],
        "hole": [[box(x, y, w, h), hole]],
        "hole at the edge": [[box(x, y, w, h), [(x, y), (x + w - 1, y + 1), (x + 1, y + h - 1)]]],
        "two": [[box(x, y, w, h)], [box(x + w + 4, y, w, h)]],
        "corner": [[box(x, y, w, h)], [box(x + w, y + h, w, h)]],
        "island": [[box(x, y, w, h), hole], [island]],
    }
    return kinds[kind]


KINDS = ("box", "box", "triangle", "slanted", "ell", "hole", "hole at the edge", "two", "corner", "island", "circle")
STEPS = st.integers(0, 10).map(lambda n: 4 * n)
SIZES = st.integers(1, 4).map(lambda n: 4 * n)


@st.composite
def geometries(draw: st.DrawFn) -> tuple[dict[str, Any], int | None]:
    """A GeoJSON geometry, and the radius where it is the point of a circle."""
    kind = draw(st.sampled_from(KINDS))
    x, y = draw(STEPS), draw(STEPS)
    if kind == "circle":
        return {"type": "Point", "coordinates": degrees([(x, y)])[0]}, draw(st.sampled_from(RADII_M))
    polygons = polygons_of(kind, x, y, draw(SIZES), draw(SIZES))
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": [degrees(ring) for ring in polygons[0]]}, None
    return {"type": "MultiPolygon", "coordinates": [[degrees(ring) for ring in polygon] for polygon in polygons]}, None


def feature(area_id: str, geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    """A GeoJSON feature; properties that are None are left out."""
    given = {key: value for key, value in properties.items() if value is not None}
    return {"type": "Feature", "properties": {"id": area_id, **given}, "geometry": geometry}


def rectangle(x: float, y: float, w: float, h: float) -> dict[str, Any]:
    """The geometry of a box."""
    return {"type": "Polygon", "coordinates": [degrees(box(x, y, w, h))]}
