"""Simulated fixes as columns of whole numbers, and as the table whose columns are named as the contract names them.

Whole numbers, because then a value is exactly what its decimal text says in every format: 121.123456 is 121123456 / 1e6.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

arrow: Any = pa  # Its published types do not know that a numpy array makes a column.
POSITIONING = ("gnss", "cell", "wifi")
NO_HEADING = np.int16(-1)
NO_FLAG = np.int8(-1)


@dataclass(frozen=True, slots=True)
class Fixes:
    """Columns of n fixes: subject (index), times in UTC ms, 1e-6 degrees, tenths of metres and of m/s, degrees, percent.

    `placed` False: a contact without a position, whatever the columns of the position hold. Flags are -1 (not reported), 0 or 1.
    """

    subject: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    lon_e6: NDArray[np.int32]
    lat_e6: NDArray[np.int32]
    accuracy_dm: NDArray[np.int32]
    speed_dmps: NDArray[np.int32]
    heading_deg: NDArray[np.int16]
    battery_pct: NDArray[np.int8]
    positioning: NDArray[np.int8]
    placed: NDArray[np.bool_]
    tamper: NDArray[np.int8]
    separated: NDArray[np.int8]

    def __len__(self) -> int:
        """How many fixes."""
        return len(self.time_ms)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Fixes:
        """The fixes of these rows."""
        return Fixes(*[getattr(self, field.name)[rows] for field in fields(self)])


def joined(parts: list[Fixes]) -> Fixes:
    """Several sets of fixes as one, in the order given."""
    return Fixes(*[np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Fixes)])


def to_table(fixes: Fixes, subject_ids: pa.StringArray) -> pa.Table:
    """The fixes as an Arrow table: `subject` dictionary of text, times as UTC milliseconds, numbers as float64, null is absent."""
    nowhere = ~fixes.placed
    still = nowhere | (fixes.heading_deg == NO_HEADING)
    positioning = arrow.array(fixes.positioning, mask=nowhere)
    table: pa.Table = arrow.table(
        {
            "subject": arrow.DictionaryArray.from_arrays(arrow.array(fixes.subject), subject_ids),
            "time": _times(fixes.time_ms),
            "lon": arrow.array(fixes.lon_e6 / 1e6, mask=nowhere),
            "lat": arrow.array(fixes.lat_e6 / 1e6, mask=nowhere),
            "accuracy_m": arrow.array(fixes.accuracy_dm / 10, mask=nowhere),
            "speed_mps": arrow.array(fixes.speed_dmps / 10, mask=nowhere),
            "heading_deg": arrow.array(fixes.heading_deg.astype(np.float64), mask=still),
            "battery_pct": fixes.battery_pct.astype(np.float64),
            "positioning": arrow.DictionaryArray.from_arrays(positioning, arrow.array(POSITIONING)),
            "tamper": arrow.array(fixes.tamper == 1, mask=fixes.tamper == NO_FLAG),
            "separated": arrow.array(fixes.separated == 1, mask=fixes.separated == NO_FLAG),
            "received": _times(fixes.received_ms),
        }
    )
    return table


def _times(values: NDArray[np.int64]) -> Any:  # noqa: ANN401
    return arrow.array(values.view("datetime64[ms]")).cast(pa.timestamp("ms", "UTC"))
