"""A batch from records that were read plainly, for the rare formats: one mapping of fields a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from operators.decode.columns import LARGEST_RECORD, batch_of, clear, room_for
from operators.decode.one_record import put_record
from operators.decode.words import as_bytes
from operators.fix_batch import Fault, FixBatch

Record = Mapping[int, object] | Fault
"""Values by field (see `put_record`), or why the record could not be read."""


def batch_of_records(
    records: Sequence[Record], *, texts: bool, raw: Callable[[int], bytes], place: Callable[[int], dict[str, int | str]]
) -> FixBatch:
    """The records as columns; `texts` as for `put_record`. Of raw bytes only what is no longer than a record may be is kept."""
    columns = room_for(len(records))
    ids: list[bytes] = []
    for i, record in enumerate(records):
        if isinstance(record, Fault):
            clear(columns, i)
            columns.fault[i] = record
            ids.append(b"")
        else:
            ids.append(put_record(columns, i, record, texts=texts))
    lengths = np.array([len(text) for text in ids], dtype=np.int32)
    columns.id_len[:] = lengths
    columns.places[2] = np.cumsum(lengths) - lengths
    return batch_of(columns, len(records), as_bytes(b"".join(ids) or b"\0"), lambda i: raw(i)[:LARGEST_RECORD], place)
