"""Several batches as one, in their order: what single payloads or entries decode to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from operators.decode.words import read_only
from operators.fix_batch import FixBatch

_COLUMNS = tuple(field.name for field in fields(FixBatch) if field.name not in {"ids", "id_start", "raw", "place"})


def joined(batches: Sequence[FixBatch]) -> FixBatch:
    """One batch of all records; places and raw bytes are still those of each batch's own."""
    if len(batches) == 1:
        return batches[0]
    first_row = np.cumsum([0, *(len(batch) for batch in batches)]).tolist()
    first_byte = np.cumsum([0, *(batch.ids.size for batch in batches)])

    def of(i: int) -> tuple[FixBatch, int]:
        k = bisect_right(first_row, i) - 1
        return batches[k], i - first_row[k]

    def raw(i: int) -> bytes:
        batch, row = of(i)
        return batch.raw(row)

    def place(i: int) -> dict[str, int | str]:
        batch, row = of(i)
        return batch.place(row)

    columns = {name: read_only(np.concatenate([getattr(batch, name) for batch in batches])) for name in _COLUMNS}
    ids = read_only(np.concatenate([batch.ids for batch in batches]))
    id_start = read_only(np.concatenate([batch.id_start + begin for batch, begin in zip(batches, first_byte, strict=False)]))
    return FixBatch(ids=ids, id_start=id_start, raw=raw, place=place, **columns)


def part(batch: FixBatch, begin: int, end: int) -> FixBatch:
    """Records `begin` to `end` of a batch, without copies."""
    columns = {name: getattr(batch, name)[begin:end] for name in (*_COLUMNS, "id_start")}
    return FixBatch(ids=batch.ids, raw=lambda i: batch.raw(begin + i), place=lambda i: batch.place(begin + i), **columns)
