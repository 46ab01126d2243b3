"""J9, the order of a subject's records: in order, late, a duplicate or a conflict; and the gaps between those in order."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fences.compiled import Record, inlined
from operators.fix_batch import ABSENT_MS

JUDGED, CONTACTS, LATE, DUPLICATES, CONFLICTS = range(5)
"""Places of the counters of a shard (`Memory.count`); the last three are also what `order_of` answers."""
IN_ORDER = -1
_BINS_AN_OCTAVE = 128


@inlined
def order_of(row: Record, time_ms: int, lon: float, lat: float) -> int:
    """Where a record stands behind its subject's last in-order one.

    Or a later edge at which he was judged: IN_ORDER, LATE, DUPLICATES or CONFLICTS.
    """
    if row.last_ms == ABSENT_MS or time_ms > row.last_ms:
        return LATE if time_ms < row.edge_judged_ms else IN_ORDER
    if time_ms < row.last_ms:
        return LATE
    if math.isnan(lon):
        return CONFLICTS if row.placed else DUPLICATES
    if row.placed and row.pos_lon == lon and row.pos_lat == lat:
        return DUPLICATES
    return CONFLICTS


@inlined
def gap_bin(gap_ms: int) -> int:
    """Bin of a gap in a histogram whose bins are at most 0.8 % wide: all values up to 255 ms, then 128 bins an octave."""
    exponent = 0
    while gap_ms >> exponent >= 2 * _BINS_AN_OCTAVE:
        exponent += 1
    return exponent * _BINS_AN_OCTAVE + (gap_ms >> exponent)


def gap_percentiles_s(histogram: NDArray[np.int64]) -> dict[str, float | None]:
    """p50, p95 and p99 by nearest rank, in seconds, right to 0.4 %; None of each where there was no gap."""
    total = int(histogram.sum())
    out: dict[str, float | None] = {}
    ranks = np.cumsum(histogram)
    for name, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
        if not total:
            out[name] = None
            continue
        b = int(np.searchsorted(ranks, math.ceil(percent * total / 100)))
        exponent = max(0, b // _BINS_AN_OCTAVE - 1)
        low = (b - exponent * _BINS_AN_OCTAVE) << exponent
        out[name] = (2 * low + (1 << exponent) - 1) / 2 / 1000
    return out
