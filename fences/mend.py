"""A copy of a registry with its invalid shapes mended; everything else in it is the same, byte for byte.

Unclosed rings are closed, rings too short to hold an area are dropped, and what still is not valid goes through
`shapely.make_valid` ("structure": shells are united, holes are taken away); only polygons are kept of the answer. Shapes over a
pole or across the antimeridian, circles and whatever is not a matter of rings stay as they are: they are for people.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from fences.areas import check_areas
from fences.datum import WGS84, LonLat, from_wgs84, to_wgs84
from fences.features import Features, offset_in
from fences.findings import Findings, Place
from fences.geojson import read_features
from fences.metres import WGS84 as ELLIPSOID
from fences.problems import FencewatchError
from fences.rings import FEWEST_POSITIONS, HALF_TURN, POLE

_FILES = ("regions.geojson", "areas.geojson")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ROUNDS = 3
"""How often a converted shape is mended: the last digits of a conversion can make its rings cross again."""


class MendTargetError(FencewatchError):
    """The directory for the mended registry cannot be used."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A shape that was mended, and its area in square metres on the ellipsoid: as drawn (outer rings less holes) and now."""

    place: Place
    before_m2: float
    after_m2: float


def mend_registry(source: Path, target: Path) -> list[Mended]:
    """Writes the mended copy of `source` to `target` (new, or an empty directory) and answers what was mended.

    Raises MendTargetError where `target` holds something already or lies inside `source`.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise MendTargetError(f"{target} is not empty; name a new directory for the mended registry")
    if target.resolve().is_relative_to(source.resolve()):
        raise MendTargetError(f"{target} lies inside {source}; name a directory beside it")
    files = [read_features(source / name, Findings()) for name in _FILES]
    shapes = check_areas(files[0], files[1], Findings()).shapes
    shutil.copytree(source, target, dirs_exist_ok=True)
    mended: list[Mended] = []
    first = 0
    for name, features in zip(_FILES, files, strict=True):
        told = _mend_file(features, shapes[first : first + len(features)], target / name)
        first += len(features)
        mended += told
    return mended


def area_m2(shape: shapely.Geometry) -> float:
    """Square metres on the ellipsoid (pyproj, Karney's method): outer rings less holes, whichever way they turn."""
    total = 0.0
    for polygon in shapely.get_parts(shape):
        outer, *holes = [abs(ELLIPSOID.polygon_area_perimeter(ring[:, 0], ring[:, 1])[0]) for ring in _rings(polygon)]
        total += outer - sum(holes)
    return total


def _mend_file(features: Features, shapes: NDArray[np.object_], target: Path) -> list[Mended]:
    """Mends the features that have no good shape and writes their new geometries into the file."""
    told: list[Mended] = []
    pieces: list[bytes] = []
    end = 0
    for i in [i for i, shape in enumerate(shapes) if shape is None and not features.refused[i] and not features.is_circle[i]]:
        datum = int(features.datum[i])
        drawn = _as_drawn(features, i)
        mended = None if drawn is None else _mended(drawn, datum)
        if drawn is None or mended is None:
            continue
        old = msgspec.json.decode(features.raw[i], type=dict[str, msgspec.Raw])["geometry"]
        begin = offset_in(features.source, old)
        pieces += [features.source[end:begin], _as_json(mended)]
        end = begin + len(bytes(old))
        told.append(Mended(features.place(i, "geometry"), area_m2(_moved(drawn, datum)), area_m2(_moved(mended, datum))))
    if told:
        mark = _BYTE_ORDER_MARK if target.read_bytes().startswith(_BYTE_ORDER_MARK) else b""
        target.write_bytes(mark + b"".join(pieces) + features.source[end:])
    return told


def _as_drawn(features: Features, i: int) -> shapely.Geometry | None:
    """The shape with its rings closed and without those too short; None where nothing is left or a position is nowhere."""
    polygons: list[shapely.Polygon] = []
    for polygon in range(features.feature_start[i], features.feature_start[i + 1]):
        first, last = features.polygon_start[polygon], features.polygon_start[polygon + 1]
        rings = [_closed(features.lonlat[features.ring_start[ring] : features.ring_start[ring + 1]]) for ring in range(first, last)]
        if not all(_is_plain(ring) for ring in rings):
            return None
        long_enough = [len(ring) >= FEWEST_POSITIONS for ring in rings]
        if rings and long_enough[0]:
            holes = [ring for ring, good in zip(rings[1:], long_enough[1:], strict=True) if good]
            polygons.append(shapely.Polygon(rings[0], holes))
    return _joined(polygons) if polygons else None


def _mended(drawn: shapely.Geometry, datum: int) -> shapely.Geometry | None:
    """The polygons of a shape, valid as published and as converted; None where no area is left or it does not come out."""
    shape = _polygons_only(drawn)
    for _ in range(_ROUNDS):
        if shapely.is_empty(shape):
            return None
        if shapely.is_valid(_moved(shape, datum)):
            return shape
        shape = _polygons_only(_moved(_polygons_only(_moved(shape, datum)), datum, back=True))
    return None


def _polygons_only(shape: shapely.Geometry) -> shapely.Geometry:
    """The shape itself where it is valid, else what `make_valid` makes of it, without lines and points."""
    if shapely.is_valid(shape):
        return shape
    parts = shapely.get_parts(shapely.make_valid(shape, method="structure", keep_collapsed=False))
    polygons = parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > 0)]
    return _joined(list(polygons))


def _joined(polygons: list[shapely.Polygon]) -> shapely.Geometry:
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _moved(shape: shapely.Geometry, datum: int, *, back: bool = False) -> shapely.Geometry:
    """A published shape in WGS-84, or one in WGS-84 back in its datum."""
    if datum == WGS84:
        return shape

    def move(lonlat: LonLat) -> LonLat:
        return from_wgs84(lonlat, datum) if back else to_wgs84(lonlat, datum)

    return shapely.transform(shape, move)


def _closed(ring: LonLat) -> LonLat:
    return ring if not len(ring) or (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])


def _is_plain(ring: LonLat) -> bool:
    """Whether a ring lies in the world, off the poles and on one side of the antimeridian."""
    lon, lat = ring[:, 0], ring[:, 1]
    inside = (np.abs(lon) <= HALF_TURN) & (np.abs(lat) < POLE)
    return bool(inside.all() and (np.abs(np.diff(lon)) <= HALF_TURN).all())


def _as_json(shape: shapely.Geometry) -> bytes:
    polygons = [[ring.tolist() for ring in _rings(polygon)] for polygon in shapely.get_parts(shape)]
    if len(polygons) == 1:
        return msgspec.json.encode({"type": "Polygon", "coordinates": polygons[0]})
    return msgspec.json.encode({"type": "MultiPolygon", "coordinates": polygons})


def _rings(polygon: shapely.Geometry) -> list[NDArray[np.float64]]:
    """The positions of each ring, the outer one first."""
    rings = [shapely.get_exterior_ring(polygon)]
    rings += [shapely.get_interior_ring(polygon, k) for k in range(int(shapely.get_num_interior_rings(polygon)))]
    return [np.asarray(shapely.get_coordinates(ring)) for ring in rings]
