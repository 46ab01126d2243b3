"""GPX 1.0 and 1.1: the points of its tracks (waypoints and planned routes are nobody's fixes).

Read by expat, point by point. A document type declaration is refused before anything in it is expanded: GPX has none, and entities
that expand to gigabytes are made of it.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from operators.decode.columns import HEADING, LARGEST_RECORD, LAT, LON, SPEED, SUBJECT, TIME
from operators.decode.plain_records import Record, batch_of_records
from operators.decode.track_subject import subject_of
from operators.fix_batch import Fault, FixBatch

POINT = "trkpt"
TEXTS = {"time": TIME, "speed": SPEED, "course": HEADING}
"""Elements of a point that are fields; speed (m/s) and course stand in the point (1.0) or in its extensions (1.1)."""

_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", re.ASCII)


class _DeclarationError(Exception):
    """The file declares a document type."""


class _Points:
    """Gathers the points of a file while expat reads it, and where in the file each stands."""

    def __init__(self, whose: str) -> None:
        self.records: list[dict[int, object]] = []
        self.extents: list[tuple[int, int]] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._declaration
        self._whose = whose
        self._point: dict[int, object] | None = None
        self._begin = 0
        self._field: int | None = None
        self._parts: list[str] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == POINT:
            self._point = {SUBJECT: self._whose, LON: attributes.get("lon", ""), LAT: attributes.get("lat", "")}
            self._begin = self.parser.CurrentByteIndex
        elif self._point is not None and local in TEXTS:
            self._field, self._parts = TEXTS[local], []

    def _text(self, text: str) -> None:
        if self._field is not None:
            self._parts.append(text)

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if self._point is None:
            return
        if local == POINT:
            self.records.append(self._point)
            self.extents.append((self._begin, self.parser.CurrentByteIndex))
            self._point = None
        elif self._field is not None and TEXTS.get(local) == self._field:
            text = "".join(self._parts).strip()
            # GPX times are UTC by the schema's own words, whether or not a writer says so.
            self._point[self._field] = text + "Z" if self._field == TIME and _LOCAL_TIME.fullmatch(text) else text
            self._field = None

    def _declaration(self, *_: object) -> None:
        raise _DeclarationError


def decode_gpx(data: bytes, *, path: str, subject: str | None = None) -> FixBatch:
    """The track points of a whole file; places are rows, counted from 0.

    Where the file breaks off or is no XML, the points before that are read, and the rest is one undecodable record.
    """
    points = _Points(subject_of(path, subject))
    records: list[Record]
    try:
        points.parser.Parse(data, True)  # noqa: FBT003 - the form of expat
        records = [*points.records]
    except (expat.ExpatError, _DeclarationError, LookupError, ValueError):  # The last two: an encoding that is none.
        records = [*points.records, Fault.UNDECODABLE]
        points.extents.append((points.extents[-1][1] if points.extents else 0, len(data)))
    records = [
        Fault.TOO_LARGE if end - begin > LARGEST_RECORD and not isinstance(record, Fault) else record
        for record, (begin, end) in zip(records, points.extents, strict=True)
    ]

    def raw(i: int) -> bytes:
        begin, end = points.extents[i]
        return data[begin : max(end, data.find(b">", end) + 1)]

    return batch_of_records(records, texts=True, raw=raw, place=lambda i: {"row": i})
