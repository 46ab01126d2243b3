"""Reads a FeatureCollection into columns.

Only the form is checked here (is this a polygon at all?); what the values mean is checked on whole columns (`rings`, `areas`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences.datum import DATUMS
from fences.diagnose import unreadable
from fences.features import Features, line_at, place_of
from fences.findings import Fault, Findings, Place, shown
from fences.geojson_faults import COLLECTION_ADVICE, datum_fault, feature_faults, id_of
from fences.jsonl import UNREADABLE, Progress, read_file

_AT_ONCE = 2048
_LON_LAT = 2
_NOWHERE = (np.nan, np.nan)

Positions = list[list[float]]
"""A ring: positions of longitude, latitude and perhaps a height, which is ignored."""


class Polygon(msgspec.Struct, tag="Polygon", gc=False):
    """One polygon: its outer ring, then its holes."""

    coordinates: list[Positions]


class MultiPolygon(msgspec.Struct, tag="MultiPolygon", gc=False):
    """Many polygons."""

    coordinates: list[list[Positions]]


class Point(msgspec.Struct, tag="Point", gc=False):
    """The centre of a circle."""

    coordinates: list[float]


Geometry = Polygon | MultiPolygon | Point


class Properties(msgspec.Struct, gc=False):
    """What is read of a feature's properties; `id` is needed, the rest is looked at where it matters."""

    id: str | int
    datum: Literal["wgs84", "gcj02", "bd09"] | None = None
    name: Any = None
    region: Any = None
    timezone: Any = None
    radius_m: Any = None


class Feature(msgspec.Struct, gc=False):
    """A feature of the right form."""

    type: Literal["Feature"]
    properties: Properties
    geometry: Geometry


_NO_SHAPE = Polygon([])
"""Stands in a feature whose form is wrong."""


class _Collection(msgspec.Struct):
    type: str
    features: list[msgspec.Raw]
    datum: Any = None


@dataclass(slots=True)
class _Columns:
    """The columns while they grow."""

    ids: list[str] = field(default_factory=list)
    names: list[Any] = field(default_factory=list)
    regions: list[Any] = field(default_factory=list)
    timezones: list[Any] = field(default_factory=list)
    radii: list[Any] = field(default_factory=list)
    datums: list[int] = field(default_factory=list)
    is_circle: list[bool] = field(default_factory=list)
    is_multi: list[bool] = field(default_factory=list)
    refused: list[bool] = field(default_factory=list)
    centre: list[tuple[float, float]] = field(default_factory=list)
    lonlat: list[NDArray[np.float64]] = field(default_factory=lambda: [np.empty((0, 2))])
    ring_lengths: list[int] = field(default_factory=list)
    polygon_lengths: list[int] = field(default_factory=list)
    feature_lengths: list[int] = field(default_factory=list)


def read_features(path: Path, findings: Findings, progress: Progress | None = None) -> Features:
    """The features of a file; empty (and not `complete`) where it cannot be read. What is wrong goes to `findings`."""
    source = read_file(path, findings, f"{COLLECTION_ADVICE} (features may be empty)")
    collection = None if source is None else _read_collection(source, str(path), findings)
    reader = _Reader(str(path), source or b"", findings)
    raw = [] if collection is None else collection.features
    if collection is not None:
        reader.begin(collection)
    for start in range(0, len(raw), _AT_ONCE):
        reader.read(raw[start : start + _AT_ONCE])
        if progress is not None:
            progress(path.stem, min(start + _AT_ONCE, len(raw)), len(raw))
    return reader.features(raw, complete=collection is not None)


def _read_collection(source: bytes, file: str, findings: Findings) -> _Collection | None:
    """The collection with its features still raw; None, and a problem, where the file is none."""
    try:
        source.decode()  # What msgspec leaves raw it does not look into.
        return msgspec.json.decode(source, type=_Collection)
    except msgspec.ValidationError as error:
        phrase, _, at = str(error).partition(" - at `$")
        place = Place(file, 1, at.strip("`."))
        findings.add("no FeatureCollection", place, f"this is no FeatureCollection ({phrase})", COLLECTION_ADVICE)
    except UNREADABLE as error:
        phrase, byte = unreadable(error, source)
        column = len(source[source.rfind(b"\n", 0, byte) + 1 : byte].decode(errors="replace")) + 1
        what = f"no JSON: {phrase} at column {column}"
        findings.add("no JSON", Place(file, line_at(source, byte)), what, COLLECTION_ADVICE)
    return None


class _Reader:
    """Decodes features a step at a time, so that their coordinates are Python lists for a moment only."""

    def __init__(self, file: str, source: bytes, findings: Findings) -> None:
        self._file = file
        self._source = source
        self._findings = findings
        self._decode = msgspec.json.Decoder(Feature).decode
        self._columns = _Columns()
        self._datum = 0

    def begin(self, collection: _Collection) -> None:
        """Takes what the collection says of all features."""
        if collection.type != "FeatureCollection":
            what = f"this is a {shown(collection.type)}"
            self._findings.add("no FeatureCollection", Place(self._file, 1, "type"), what, COLLECTION_ADVICE)
        fault = datum_fault(collection.datum)
        if fault is not None:
            self._findings.add_fault(fault, Place(self._file, 1))
        elif collection.datum is not None:
            self._datum = DATUMS.index(collection.datum)

    def read(self, raw: Sequence[msgspec.Raw]) -> None:
        """Appends these features."""
        try:
            features = [self._decode(piece) for piece in raw]
        except UNREADABLE:
            features = []
        polygons: list[list[Positions]] = []
        for i, piece in enumerate(raw):
            self._append(features[i] if features else self._read_one(piece), polygons)
        self._append_coordinates(polygons)

    def features(self, raw: list[msgspec.Raw], *, complete: bool) -> Features:
        """The columns, finished."""
        c = self._columns
        return Features(
            file=self._file,
            source=self._source,
            raw=raw,
            ids=c.ids,
            names=c.names,
            regions=c.regions,
            timezones=c.timezones,
            radii=c.radii,
            datum=np.array(c.datums, np.uint8),
            is_circle=np.array(c.is_circle, np.bool_),
            is_multi=np.array(c.is_multi, np.bool_),
            refused=np.array(c.refused, np.bool_),
            centre=np.array(c.centre, np.float64).reshape(-1, 2),
            lonlat=np.concatenate(c.lonlat),
            ring_start=_starts(c.ring_lengths),
            polygon_start=_starts(c.polygon_lengths),
            feature_start=_starts(c.feature_lengths),
            complete=complete,
        )

    def _read_one(self, piece: msgspec.Raw) -> Feature:
        """A feature; where its form is wrong, everything wrong with it is told and only its id is kept."""
        i = len(self._columns.ids)
        try:
            return self._decode(piece)
        except UNREADABLE:
            pass  # Now with a closer look.
        saved: str | None = None
        try:
            loose = msgspec.json.decode(piece)
        except UNREADABLE as error:
            faults = [Fault("no JSON", "", f"no JSON: {unreadable(error, bytes(piece))[0]}", COLLECTION_ADVICE)]
        else:
            saved = id_of(loose)
            faults = list(feature_faults(loose, Geometry))
        for fault in faults:
            place = place_of(self._file, self._source, piece, i, id_=saved, path=fault.path)
            self._findings.add(fault.kind, place, fault.what, fault.write)
        return Feature("Feature", Properties(f"\x00{self._file}:{i}" if saved is None else saved), _NO_SHAPE)

    def _append(self, feature: Feature, polygons: list[list[Positions]]) -> None:
        """Appends the properties of a feature; its polygons are put with the others of the step."""
        c = self._columns
        properties, geometry = feature.properties, feature.geometry
        c.ids.append(properties.id if isinstance(properties.id, str) else str(properties.id))
        c.names.append(properties.name)
        c.regions.append(properties.region)
        c.timezones.append(properties.timezone)
        c.radii.append(properties.radius_m)
        c.datums.append(self._datum if properties.datum is None else DATUMS.index(properties.datum))
        c.refused.append(geometry is _NO_SHAPE)
        c.is_circle.append(isinstance(geometry, Point))
        c.is_multi.append(isinstance(geometry, MultiPolygon))
        c.centre.append(_position(geometry.coordinates) if isinstance(geometry, Point) else _NOWHERE)
        parts: list[list[Positions]] = []
        if isinstance(geometry, MultiPolygon):
            parts = geometry.coordinates
        elif isinstance(geometry, Polygon) and geometry.coordinates:
            parts = [geometry.coordinates]
        c.feature_lengths.append(len(parts))
        polygons += parts

    def _append_coordinates(self, polygons: list[list[Positions]]) -> None:
        """Flattens polygons into rings and rings into one array."""
        c = self._columns
        rings = list(chain.from_iterable(polygons))
        positions = list(chain.from_iterable(rings))
        c.polygon_lengths += map(len, polygons)
        c.ring_lengths += map(len, rings)
        lengths = np.fromiter(map(len, positions), np.int64, len(positions))
        if (lengths == _LON_LAT).all():
            values = np.fromiter(chain.from_iterable(positions), np.float64, _LON_LAT * len(positions))
        else:
            values = np.array([_position(position) for position in positions], np.float64)
        c.lonlat.append(values.reshape(-1, _LON_LAT))


def _position(numbers: list[float]) -> tuple[float, float]:
    """Longitude and latitude; a height is left out. NaN where there are too few numbers, which the check of rings tells."""
    return (numbers[0], numbers[1]) if len(numbers) >= _LON_LAT else _NOWHERE


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
