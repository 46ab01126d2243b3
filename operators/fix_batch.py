"""A batch of fixes as columns: what every decoder makes and every later step reads.

One batch is one item of the dataflow. A column has one element a record, rejected records included, in the order of arrival;
nothing here is an object per fix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

ABSENT_MS = np.int64(np.iinfo(np.int64).min)
"""The value of a time column where the record gave none."""

GNSS, CELL, WIFI = 0, 1, 2
"""Values of `FixBatch.positioning`; -1 is absent."""


class Fault(IntFlag):
    """What a decoder found wrong with a record (`FixBatch.fault`); ranges are `acceptance`'s business, not the decoder's.

    The bits from `ACCURACY_M` on mark an optional field that was given but is of no use (a word for a number, an unknown word):
    the field's column says absent and acceptance counts it by name.
    """

    TOO_LARGE = 1 << 0
    UNDECODABLE = 1 << 1
    MISSING_FIELD = 1 << 2
    WRONG_TYPE = 1 << 3
    BAD_SUBJECT = 1 << 4
    ACCURACY_M = 1 << 8
    SPEED_MPS = 1 << 9
    HEADING_DEG = 1 << 10
    BATTERY_PCT = 1 << 11
    POSITIONING = 1 << 12
    TAMPER = 1 << 13
    SEPARATED = 1 << 14
    DEVICE = 1 << 15
    RECEIVED = 1 << 16


OPTIONAL_FIELDS = tuple(str(fault.name).lower() for fault in Fault if fault >= Fault.ACCURACY_M)
"""Names of the optional fields, in the order of their bits from `Fault.ACCURACY_M` on."""


@dataclass(frozen=True, slots=True)
class FixBatch:
    """Columns of n records.

    The id of record i is `ids[id_start[i]:id_start[i] + id_len[i]]` (UTF-8). `ids` may be the raw input itself.
    `lon`, `lat` in WGS-84 degrees and the optional numbers are NaN where absent. `fault` holds `Fault` bits. `raw(i)` gives the
    record's bytes (of a columnar file: the row as JSON), `place(i)` its place for a dead letter (`{"offset": 120}`,
    `{"row": 3}`, `{"id": "1-0", "index": 2}`); both are for rejects only.
    """

    ids: NDArray[np.uint8]
    id_start: NDArray[np.int64]
    id_len: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    speed_mps: NDArray[np.float64]
    heading_deg: NDArray[np.float64]
    battery_pct: NDArray[np.float64]
    positioning: NDArray[np.int8]
    tamper: NDArray[np.int8]
    separated: NDArray[np.int8]
    received_ms: NDArray[np.int64]
    stamp_ms: NDArray[np.int64]
    fault: NDArray[np.uint32]
    raw: Callable[[int], bytes]
    place: Callable[[int], dict[str, int | str]]

    def __len__(self) -> int:
        """Records in the batch, rejected ones included."""
        return len(self.time_ms)
