"""GeoLife's PLT: six lines of header, then latitude, longitude, 0, altitude, day number, date and time (GMT) a line.

"GeoLife GPS trajectory dataset - User Guide", Microsoft Research, version 1.3 (2012).
"""

from __future__ import annotations

from operators.decode.columns import LARGEST_RECORD, LAT, LON, SUBJECT, TIME
from operators.decode.plain_records import Record, batch_of_records
from operators.decode.track_subject import subject_of
from operators.fix_batch import Fault, FixBatch

HEADER_LINES = 6
FIELDS = 7


def decode_plt(data: bytes, *, path: str, subject: str | None = None) -> FixBatch:
    """The points of a whole file; a line that is no point is undecodable. Places are rows, counted from 0 behind the header."""
    whose = subject_of(path, subject)
    lines = [line.rstrip(b"\r") for line in data.split(b"\n")[HEADER_LINES:]]
    lines = [line for line in lines if line.strip()]
    records = [_record(line, whose) for line in lines]
    return batch_of_records(records, texts=True, raw=lambda i: lines[i], place=lambda i: {"row": i})


def _record(line: bytes, whose: str) -> Record:
    """What a line says."""
    if len(line) > LARGEST_RECORD:
        return Fault.TOO_LARGE
    parts = line.decode(errors="replace").split(",")
    if len(parts) != FIELDS:
        return Fault.UNDECODABLE
    latitude, longitude, _, _, _, day, clock = (part.strip() for part in parts)
    return {SUBJECT: whose, TIME: f"{day}T{clock}Z" if day and clock else "", LON: longitude, LAT: latitude}
