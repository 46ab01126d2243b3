"""A file of areas as columns: properties as lists, all coordinates in one array, each feature with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences.findings import Place, shown


@dataclass(frozen=True, slots=True)
class Features:
    """The n features of a file, with p polygons, r rings and v positions.

    A circle has a centre and no polygons; a feature whose form is wrong (`refused`: it was told) has neither. `lonlat` (v, 2) and
    `centre` (n, 2) are degrees as published, in the datum `datum[i]` (an index into `datum.DATUMS`). The polygons of feature i are
    `feature_start[i]` to `feature_start[i + 1]`, and so on down to the positions of a ring. Where the id is refused, `ids` holds
    one that nobody can write. `complete` is false where the file could not be read.
    """

    file: str
    source: bytes
    raw: list[msgspec.Raw]
    ids: list[str]
    names: list[Any]
    regions: list[Any]
    timezones: list[Any]
    radii: list[Any]
    datum: NDArray[np.uint8]
    is_circle: NDArray[np.bool_]
    is_multi: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    centre: NDArray[np.float64]
    lonlat: NDArray[np.float64]
    ring_start: NDArray[np.int64]
    polygon_start: NDArray[np.int64]
    feature_start: NDArray[np.int64]
    complete: bool

    def __len__(self) -> int:
        """Features."""
        return len(self.ids)

    def place(self, i: int, path: str = "") -> Place:
        """Where feature i stands: the line on which it begins, its index, the path in it, and its id."""
        return place_of(self.file, self.source, self.raw[i], i, id_=self.ids[i], path=path)

    def feature_of_ring(self) -> NDArray[np.int64]:
        """The feature of each ring, int64 (r,)."""
        of_polygon = np.repeat(np.arange(len(self)), np.diff(self.feature_start))
        return np.repeat(of_polygon, np.diff(self.polygon_start))

    def ring_path(self, ring: int) -> str:
        """The path of a ring in its feature: `geometry.coordinates[0]`, of a MultiPolygon `geometry.coordinates[2][0]`."""
        polygon = int(np.searchsorted(self.polygon_start, ring, "right")) - 1
        feature = int(np.searchsorted(self.feature_start, polygon, "right")) - 1
        part = f"[{polygon - self.feature_start[feature]}]" if self.is_multi[feature] else ""
        return f"geometry.coordinates{part}[{ring - self.polygon_start[polygon]}]"


def place_of(file: str, source: bytes, raw: msgspec.Raw, i: int, *, id_: str | None, path: str) -> Place:
    """The place of a feature and of a path in it. `id_` is left out where there is none that a reader knows."""
    known = "" if id_ is None or id_.startswith("\x00") else f" (id {shown(id_)})"
    return Place(file, line_at(source, offset_in(source, raw)), f"features[{i}]{'.' if path else ''}{path}{known}")


def offset_in(source: bytes, raw: msgspec.Raw) -> int:
    """Where in the source a raw piece of it begins: msgspec hands out views, whose addresses tell."""
    return _address(raw) - _address(source)


def line_at(source: bytes, offset: int) -> int:
    """The line, from 1, of a byte."""
    return source.count(b"\n", 0, offset) + 1


def _address(buffer: bytes | msgspec.Raw) -> int:
    return int(np.frombuffer(buffer, np.uint8).ctypes.data)
