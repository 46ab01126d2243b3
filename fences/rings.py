"""Checks the rings and centres of published areas, position by position, before a shape is made of them.

Every ring is told one fault, the first of: positions that are none, outside the world, over a pole, unsplit at the antimeridian,
too few positions, not closed. What is left can be made a polygon of; whether that is valid is another question (`areas`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fences.features import Features
from fences.findings import Fault, Findings, shown

FEWEST_POSITIONS = 4
HALF_TURN = 180.0
POLE = 90.0
_FARTHEST_M = 1e9
_SPLIT = "split the shape at the antimeridian into a MultiPolygon (RFC 7946, 3.1.9)"
_OFF_THE_POLE = "end the shape short of the pole"


def sound(features: Features, findings: Findings) -> NDArray[np.bool_]:
    """Which features a shape can be made of, bool (n,). What is wrong with the others goes to `findings`."""
    good = ~features.refused
    for i in np.flatnonzero(~features.is_circle & good & (np.diff(features.feature_start) == 0)).tolist():
        findings.add("empty shape", features.place(i, "geometry.coordinates"), "the shape is empty", "write its rings")
        good[i] = False
    for polygon in np.flatnonzero(np.diff(features.polygon_start) == 0).tolist():
        i = int(np.searchsorted(features.feature_start, polygon, "right")) - 1
        path = f"geometry.coordinates[{polygon - features.feature_start[i]}]"
        findings.add("empty shape", features.place(i, path), "a part of the shape is empty", "write its rings or leave it out")
        good[i] = False
    feature_of_ring = features.feature_of_ring()
    for ring, fault in sorted(_ring_faults(features).items()):
        i = int(feature_of_ring[ring])
        findings.add(fault.kind, features.place(i, features.ring_path(ring) + fault.path), fault.what, fault.write)
        good[i] = False
    for i in np.flatnonzero(features.is_circle & good).tolist() if _may_be_wrong(features) else []:
        circle_fault = _circle_fault(features, i)
        if circle_fault is not None:
            findings.add(circle_fault.kind, features.place(i, circle_fault.path), circle_fault.what, circle_fault.write)
            good[i] = False
    return good


def radii_m(features: Features) -> NDArray[np.float64]:
    """The radius of each circle in metres, float64 (n,); NaN where there is none."""
    numbers = [radius if type(radius) in {int, float} and abs(radius) < _FARTHEST_M else math.nan for radius in features.radii]
    return np.where(features.is_circle, np.array(numbers, np.float64), np.nan)


def _ring_faults(features: Features) -> dict[int, Fault]:
    """The fault of each ring that has one."""
    lonlat, start = features.lonlat, features.ring_start
    length = np.diff(start)
    ring_of = np.repeat(np.arange(len(length)), length)
    faults: dict[int, Fault] = {}

    def position(vertex: int, kind: str, what: str, write: str) -> None:
        ring = int(ring_of[vertex])
        faults.setdefault(ring, Fault(kind, f"[{vertex - start[ring]}]", what, write))

    for vertex in _first_of_each(np.isnan(lonlat[:, 0]) | np.isnan(lonlat[:, 1]), ring_of):
        position(vertex, "position", "a position needs a longitude and a latitude", "write [lon, lat]")
    outside: NDArray[np.bool_] = (np.abs(lonlat[:, 0]) > HALF_TURN) | (np.abs(lonlat[:, 1]) > POLE)
    for vertex in _first_of_each(outside, ring_of):
        position(vertex, *_outside(*lonlat[vertex].tolist()))
    at_pole: NDArray[np.bool_] = np.abs(lonlat[:, 1]) == POLE
    for vertex in _first_of_each(at_pole, ring_of):
        position(vertex, "over a pole", f"the shape reaches a pole at {where(*lonlat[vertex])}", _OFF_THE_POLE)
    step = np.diff(lonlat[:, 0], append=np.nan)
    step[start[1:][length > 0] - 1] = 0.0  # From one ring to the next is no edge.
    wide: NDArray[np.bool_] = np.abs(step) > HALF_TURN
    for vertex in _first_of_each(wide, ring_of):
        ring = int(ring_of[vertex])
        steps = step[start[ring] : start[ring + 1]]
        around = steps - np.rint(steps / 360.0) * 360.0
        if abs(around.sum()) > HALF_TURN:
            position(vertex, "over a pole", f"the ring goes round a pole, passing {where(*lonlat[vertex])}", _OFF_THE_POLE)
        else:
            what = f"the edge from {where(*lonlat[vertex])} to {where(*lonlat[vertex + 1])} spans more than 180 degrees"
            position(vertex, "antimeridian", what, _SPLIT)
    for ring in np.flatnonzero(length < FEWEST_POSITIONS).tolist():
        what = f"a ring of {length[ring]} positions (a triangle has {FEWEST_POSITIONS}: the last repeats the first)"
        faults.setdefault(ring, Fault("too few positions", "", what, "write the whole ring or leave it out"))
    filled = np.flatnonzero(length)
    unclosed = filled[(lonlat[start[filled]] != lonlat[start[filled + 1] - 1]).any(axis=1)]
    for ring in unclosed.tolist():
        first, last = lonlat[start[ring]], lonlat[start[ring + 1] - 1]
        what = f"the ring is not closed: it begins at {where(*first)} and ends at {where(*last)}"
        faults.setdefault(
            ring, Fault("unclosed ring", f"[{length[ring] - 1}]", what, f"repeat its first position [{where(*first)}]")
        )
    return faults


def where(lon: float, lat: float) -> str:
    """A position as a reader finds it in the file."""
    return f"{float(lon)!r}, {float(lat)!r}"


def _first_of_each(flagged: NDArray[np.bool_], ring_of: NDArray[np.int64]) -> list[int]:
    """The first flagged vertex of each ring that has one."""
    vertices = np.flatnonzero(flagged)
    first: list[int] = vertices[np.unique(ring_of[vertices], return_index=True)[1]].tolist()
    return first


def _outside(lon: float, lat: float) -> tuple[str, str, str]:
    """Kind, what and write for a position outside the world."""
    if abs(lat) > POLE:
        swapped = abs(lon) <= POLE and abs(lat) <= HALF_TURN
        write = "write longitude before latitude" if swapped else "write degrees: longitude -180 to 180, latitude -90 to 90"
        return "out of range", f"{where(lon, lat)} is nowhere: the latitude is beyond 90 degrees", write
    if abs(lon) <= 2 * HALF_TURN:
        return "antimeridian", f"{where(lon, lat)} lies beyond the antimeridian", _SPLIT
    return "out of range", f"{where(lon, lat)} is nowhere: the longitude is beyond 180 degrees", "write degrees from -180 to 180"


def _may_be_wrong(features: Features) -> bool:
    """Whether any circle needs a closer look."""
    circle = features.is_circle
    radius = radii_m(features)[circle]
    centre = np.abs(features.centre[circle])
    return not ((radius > 0).all() and (centre <= [HALF_TURN, POLE]).all())


def _circle_fault(features: Features, i: int) -> Fault | None:
    lon, lat = features.centre[i].tolist()
    if math.isnan(lon):
        return Fault("position", "geometry.coordinates", "a position needs a longitude and a latitude", "write [lon, lat]")
    if abs(lon) > HALF_TURN or abs(lat) > POLE:
        kind, what, write = _outside(lon, lat)
        return Fault(kind, "geometry.coordinates", what, write)
    radius = features.radii[i]
    advice = 'write "radius_m" with metres above 0 among its properties'
    if radius is None:
        return Fault("radius", "properties.radius_m", "a Point needs radius_m to be an area", advice)
    if type(radius) not in {int, float} or not 0 < radius < _FARTHEST_M:
        return Fault("radius", "properties.radius_m", f"{shown(radius)} is no radius", advice)
    return None
