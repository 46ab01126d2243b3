"""The columns that a decoder fills, record by record, and the batch that becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.decode.words import read_only
from operators.fix_batch import ABSENT_MS, Fault, FixBatch

# Fields of a record. Those of one kind stand together; the kind's columns are the rows of one array.
SUBJECT, TIME, RECEIVED, LON, LAT, ACCURACY, SPEED, HEADING, BATTERY, POSITIONING, TAMPER, SEPARATED, DEVICE = range(13)
FIELDS = (
    "subject",
    "time",
    "received",
    "lon",
    "lat",
    "accuracy_m",
    "speed_mps",
    "heading_deg",
    "battery_pct",
    "positioning",
    "tamper",
    "separated",
    "device",
)
"""Name of each field, by its number."""

LARGEST_RECORD = 65_536
"""Bytes of a record; a longer one is not read."""

TOO_LARGE = np.uint32(Fault.TOO_LARGE)
MISSING_FIELD = np.uint32(Fault.MISSING_FIELD)
SLOW = np.uint32(1 << 31)
"""A bit of `fault` while decoding: the compiled loop left this record to the plain reader."""


class Columns(NamedTuple):
    """Room for records; columns as in `FixBatch`, and where each record's bytes begin and end in the input.

    `places` int64 (start, end, id_start), `times` int64 (time, received), `numbers` float64 (lon .. battery_pct), `flags` int8
    (positioning, tamper, separated): one row a field, one column a record.
    """

    places: NDArray[np.int64]
    id_len: NDArray[np.int32]
    times: NDArray[np.int64]
    numbers: NDArray[np.float64]
    flags: NDArray[np.int8]
    fault: NDArray[np.uint32]


def room_for(count: int) -> Columns:
    """Columns for `count` records, not yet filled."""
    return Columns(
        places=np.empty((3, count), dtype=np.int64),
        id_len=np.empty(count, dtype=np.int32),
        times=np.empty((2, count), dtype=np.int64),
        numbers=np.empty((6, count), dtype=np.float64),
        flags=np.empty((3, count), dtype=np.int8),
        fault=np.empty(count, dtype=np.uint32),
    )


def more_room(columns: Columns, used: int) -> Columns:
    """Twice the room, its first `used` records as before."""
    larger = room_for(2 * max(used, 1))
    for name in Columns._fields:
        getattr(larger, name)[..., :used] = getattr(columns, name)[..., :used]
    return larger


def clear(columns: Columns, i: int) -> None:
    """Make record i one that gave nothing; its place and faults stay."""
    columns.id_len[i] = 0
    columns.times[:, i] = ABSENT_MS
    columns.numbers[:, i] = np.nan
    columns.flags[:, i] = -1


def batch_of(
    columns: Columns,
    count: int,
    ids: NDArray[np.uint8],
    raw: Callable[[int], bytes],
    place: Callable[[int], dict[str, int | str]],
    stamp_ms: NDArray[np.int64] | None = None,
) -> FixBatch:
    """The first `count` records of the columns as a batch, without a copy."""
    id_start, (time, received) = read_only(columns.places[2, :count]), read_only(columns.times[:, :count])
    numbers, flags = read_only(columns.numbers[:, :count]), read_only(columns.flags[:, :count])
    return FixBatch(
        ids=ids,
        id_start=id_start,
        id_len=read_only(columns.id_len[:count]),
        time_ms=time,
        lon=numbers[0],
        lat=numbers[1],
        accuracy_m=numbers[2],
        speed_mps=numbers[3],
        heading_deg=numbers[4],
        battery_pct=numbers[5],
        positioning=flags[0],
        tamper=flags[1],
        separated=flags[2],
        received_ms=received,
        stamp_ms=read_only(np.full(count, ABSENT_MS) if stamp_ms is None else stamp_ms),
        fault=read_only(columns.fault[:count]),
        raw=raw,
        place=place,
    )
