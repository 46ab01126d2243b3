"""Leaving out records, by their time (`--from`, `--to`) or otherwise: as if they had not been there."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from operators.fix_batch import FixBatch

_COLUMNS = tuple(field.name for field in fields(FixBatch) if field.name not in {"ids", "raw", "place"})


def between(batch: FixBatch, from_ms: int | None, to_ms: int | None) -> FixBatch:
    """The records at or after `from_ms` and before `to_ms` (UTC milliseconds); one whose time cannot be read stays."""
    if from_ms is None and to_ms is None:
        return batch
    wanted = np.ones(len(batch), bool)
    if from_ms is not None:
        wanted &= (batch.time_ms >= from_ms) | (batch.time_ms <= 0)
    if to_ms is not None:
        wanted &= batch.time_ms < to_ms
    rows = np.nonzero(wanted)[0]
    if len(rows) == len(batch):
        return batch
    return selected(batch, rows)


def selected(batch: FixBatch, rows: NDArray[np.int64]) -> FixBatch:
    """The records of some rows, int64, in their order."""
    columns = {name: getattr(batch, name)[rows] for name in _COLUMNS}
    kept = rows.tolist()
    return FixBatch(ids=batch.ids, raw=lambda i: batch.raw(kept[i]), place=lambda i: batch.place(kept[i]), **columns)
