"""The two files of areas together: their ids, time zones and shapes in WGS-84, checked as published and as converted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray

from fences import circles
from fences.datum import DATUMS, WGS84, to_wgs84
from fences.features import Features
from fences.findings import Findings, Place, meant, shown
from fences.metres import WGS84 as ELLIPSOID
from fences.names import index_ids
from fences.rings import radii_m, sound, where
from fences.timezones import ADVICE as TIMEZONE_ADVICE
from fences.timezones import timezone_fault

BOW_WORTH_A_WARNING_M = 5.0
_REASON = re.compile(r"(.*)\[(\S+) (\S+)\]$")
_IN_PLAIN_WORDS = {
    "Self-intersection": "a ring crosses or overlaps itself or another one",
    "Ring Self-intersection": "a ring touches itself",
    "Nested shells": "a part lies inside another one",
    "Holes are nested": "a hole lies inside another one",
    "Hole lies outside shell": "a hole lies outside its outer ring",
    "Interior is disconnected": "a hole cuts the shape in two",
    "Duplicate Rings": "a ring is given twice",
    "Too few points in geometry component": "a ring has no area",
}
_REDRAW = "redraw it there, or let `fencewatch check --mend DIR` mend it"


@dataclass(frozen=True, slots=True)
class Areas:
    """Regions first, then areas. `published` are the shapes in their own datum (of a circle: its centre), for the version."""

    regions: Features
    areas: Features
    ids: tuple[str, ...]
    rows: dict[str, int]
    shapes: NDArray[np.object_]
    published: NDArray[np.object_]
    timezones: tuple[str, ...]
    complete: bool

    def place(self, row: int, path: str = "") -> Place:
        """Where an area stands."""
        regions = len(self.regions)
        return self.regions.place(row, path) if row < regions else self.areas.place(row - regions, path)


def check_areas(regions: Features, areas: Features, findings: Findings) -> Areas:
    """Everything known of the areas. A shape that is refused is None."""
    ids = (*regions.ids, *areas.ids)
    made = [_shapes(features, findings) for features in (regions, areas)]
    checked = Areas(
        regions=regions,
        areas=areas,
        ids=ids,
        rows={},
        shapes=np.concatenate([shapes for shapes, _ in made]),
        published=np.concatenate([published for _, published in made]),
        timezones=tuple(_timezones(regions, findings)),
        complete=regions.complete and areas.complete,
    )
    refused = np.concatenate([regions.refused, areas.refused])
    unknown = [bool(refused[row]) and id_.startswith("\x00") for row, id_ in enumerate(ids)]
    checked.rows.update(
        index_ids("area or region", ids, partial(checked.place, path="properties.id"), unknown.__getitem__, findings)
    )
    _warn_of_regions_nobody_knows(checked, findings)
    for features in (regions, areas):
        _warn_of_radii_without_a_circle(features, findings)
    return checked


def ragged_polygons(features: Features, rows: NDArray[np.int64], lonlat: NDArray[np.float64]) -> NDArray[np.object_]:
    """Polygons and multipolygons of some features, with the positions `lonlat` instead of the published ones."""
    polygons, polygon_start = _ranges(features.feature_start, rows)
    rings, ring_start = _ranges(features.polygon_start, polygons)
    vertices, vertex_start = _ranges(features.ring_start, rings)
    shapes: NDArray[np.object_] = shapely.from_ragged_array(
        shapely.GeometryType.MULTIPOLYGON, lonlat[vertices], (vertex_start, ring_start, polygon_start)
    )
    single = np.diff(polygon_start) == 1
    shapes[single] = shapely.get_geometry(shapes[single], 0)
    return shapes


def converted(features: Features) -> NDArray[np.float64]:
    """The positions of all rings in WGS-84, float64 (v, 2)."""
    lonlat = features.lonlat.copy()
    ring_datum = features.datum[features.feature_of_ring()]
    vertex_datum = np.repeat(ring_datum, np.diff(features.ring_start))
    for datum in range(1, len(DATUMS)):
        some = vertex_datum == datum
        lonlat[some] = to_wgs84(lonlat[some], datum)
    return lonlat


def _shapes(features: Features, findings: Findings) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """The shapes in WGS-84 and as published; None where one is refused."""
    shapes: NDArray[np.object_] = np.full(len(features), None)
    published: NDArray[np.object_] = np.full(len(features), None)
    good = sound(features, findings)
    round_ = np.flatnonzero(good & features.is_circle)
    straight = np.flatnonzero(good & ~features.is_circle)
    published[round_] = shapely.points(features.centre[round_])
    shapes[round_] = _circles(features, round_, findings)
    published[straight] = ragged_polygons(features, straight, features.lonlat)
    valid = shapely.is_valid(published[straight])
    for i in straight[~valid].tolist():
        _refuse(features, i, published[i], "", findings)
    straight = straight[valid]
    foreign = features.datum[straight] != WGS84
    shapes[straight[~foreign]] = published[straight[~foreign]]
    moved = straight[foreign]
    if len(moved):
        lonlat = converted(features)
        shapes[moved] = ragged_polygons(features, moved, lonlat)
        for i in moved[~shapely.is_valid(shapes[moved])].tolist():
            _refuse(features, i, shapes[i], f" once converted from {DATUMS[features.datum[i]]} to WGS-84", findings)
            shapes[i] = None
        _warn_of_bowed_edges(features, moved[shapely.is_valid(shapes[moved])], lonlat, findings)
    return shapes, published


def _refuse(features: Features, i: int, shape: shapely.Geometry, when: str, findings: Findings) -> None:
    reason = _REASON.match(str(shapely.is_valid_reason(shape)))
    words = _IN_PLAIN_WORDS.get(reason[1], reason[1].lower()) if reason else "the shape is not valid"
    at = f" at {where(float(reason[2]), float(reason[3]))}" if reason else ""
    findings.add("invalid shape", features.place(i, "geometry"), f"{words}{at}{when}", _REDRAW)


def _circles(features: Features, rows: NDArray[np.int64], findings: Findings) -> NDArray[np.object_]:
    """The polygons that stand for circles. A radius is in true metres, whatever datum the centre is in."""
    centre = features.centre[rows].copy()
    radius = radii_m(features)[rows]
    for datum in range(1, len(DATUMS)):
        some = features.datum[rows] == datum
        centre[some] = to_wgs84(centre[some], datum)
    shapes = circles.polygons(centre[:, 0], centre[:, 1], radius)
    for k in np.flatnonzero([shape is None for shape in shapes]).tolist():
        why = circles.refusal(float(centre[k, 0]), float(centre[k, 1]), float(radius[k]))
        what = f"the circle of {radius[k]:g} m around {where(*centre[k])} {why}"
        write = (
            "write a larger radius" if why == circles.TOO_SMALL else "write a smaller circle or a MultiPolygon that is split there"
        )
        findings.add("circle", features.place(int(rows[k]), "geometry"), what, write)
    return shapes


def _timezones(regions: Features, findings: Findings) -> list[str]:
    """The time zone of each region; what is wrong with one goes to `findings` and counts as UTC."""
    names: list[str] = []
    known: dict[str, str | None] = {}
    for i, name in enumerate(regions.timezones):
        if regions.refused[i]:
            fault = None
        elif name is None:
            fault = "a region needs a time zone"
        elif isinstance(name, str) and name in known:
            fault = known[name]
        else:
            fault = timezone_fault(name)
            known[str(name)] = fault
        if fault is not None:
            findings.add("time zone", regions.place(i, "properties.timezone"), fault, TIMEZONE_ADVICE)
        names.append(name if isinstance(name, str) and fault is None else "UTC")
    return names


def _warn_of_regions_nobody_knows(checked: Areas, findings: Findings) -> None:
    """An area may say to which region it belongs; nothing is judged by it, so a wrong one is a warning."""
    if not checked.regions.complete:
        return
    regions = set(checked.regions.ids)
    belongs = checked.areas.regions
    strange = [i for i, region in enumerate(belongs) if region is not None and str(region) not in regions]
    findings.add_each(
        "region of an area",
        strange,
        lambda i: (
            checked.areas.place(i, "properties.region"),
            f"there is no region {shown(belongs[i])}{meant(str(belongs[i]), regions)}",
            "write the id of a region, or leave it out",
        ),
        warning=True,
    )


def _warn_of_radii_without_a_circle(features: Features, findings: Findings) -> None:
    pointless = [i for i, radius in enumerate(features.radii) if radius is not None and not features.is_circle[i]]
    findings.add_each(
        "radius without a circle",
        [i for i in pointless if not features.refused[i]],
        lambda i: (features.place(i, "properties.radius_m"), "radius_m means nothing but on a Point", "leave it out"),
        warning=True,
    )


def _warn_of_bowed_edges(features: Features, rows: NDArray[np.int64], lonlat: NDArray[np.float64], findings: Findings) -> None:
    """Edges are straight after the conversion; a long one in a foreign datum was meant to run elsewhere."""
    rings = np.flatnonzero(np.isin(features.feature_of_ring(), rows))
    vertices, start = _ranges(features.ring_start, rings)
    feature = np.repeat(features.feature_of_ring()[rings], np.diff(start))
    here, there = vertices[:-1], vertices[1:]
    edge = np.ones(len(here), np.bool_)
    edge[start[1:-1] - 1] = False
    here, there, feature = here[edge], there[edge], feature[:-1][edge]
    middle = (features.lonlat[here] + features.lonlat[there]) / 2
    for datum in range(1, len(DATUMS)):
        some = features.datum[feature] == datum
        middle[some] = to_wgs84(middle[some], datum)
    straight = (lonlat[here] + lonlat[there]) / 2
    bow_m = ELLIPSOID.inv(middle[:, 0], middle[:, 1], straight[:, 0], straight[:, 1])[2]
    worst: dict[int, int] = {}
    for k in np.flatnonzero(bow_m > BOW_WORTH_A_WARNING_M).tolist():
        i = int(feature[k])
        if bow_m[k] > bow_m[worst.get(i, k)] or i not in worst:
            worst[i] = k
    for i, k in worst.items():
        a, b = features.lonlat[here[k]], features.lonlat[there[k]]
        datum_name = DATUMS[features.datum[i]]
        what = f"the {datum_name} edge from {where(*a)} to {where(*b)} lies up to {bow_m[k]:.0f} m off once converted"
        write = "put more vertices on it (every 0.01 degrees), or convert the file"
        findings.add("long edge in a foreign datum", features.place(i, "geometry"), what, write, warning=True)


def _ranges(start: NDArray[np.int64], rows: Sequence[int] | NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The members of some lists (list i is start[i] to start[i + 1]), one after another, and where each list begins among them."""
    rows = np.asarray(rows, np.int64)
    length = start[rows + 1] - start[rows]
    new_start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return np.repeat(start[rows] - new_start[:-1], length) + np.arange(new_start[-1]), new_start
