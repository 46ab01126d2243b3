"""Packed payloads: Redis entries or messages that hold many records, as JSON lines or as an Arrow IPC stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.decode.arrow_columns import decode_record_batch
from operators.decode.arrow_texts import texts_of
from operators.decode.columns import LARGEST_RECORD, batch_of, clear, room_for
from operators.decode.joined import joined
from operators.decode.json_lines import decode_json_lines, scan_json
from operators.decode.stamps import stamps_of
from operators.decode.words import as_bytes, read_only
from operators.fix_batch import Fault, FixBatch

LARGEST_PAYLOAD = 16 * 1024 * 1024
ARROW_START = b"\xff\xff\xff\xff"


def decode_payloads(
    ids: Sequence[bytes],
    payloads: Sequence[bytes],
    *,
    names: Mapping[str, str] | None = None,
    clock: Callable[[int], int] = int,
) -> FixBatch:
    """The records of some payloads, in order; `ids` are their entries' and `clock` maps an id's time to the clock in use.

    A payload over 16 MiB is one record that is too large, one that cannot be read as Arrow one that is undecodable. A record's
    place is its entry's `id` and its `index` in the payload. Payloads of one kind that follow each other are read in one go.
    Raises `WrongColumnsError` for impossible names.
    """
    stamps = stamps_of(ids, clock)
    tables: list[pa.RecordBatch | Fault | None] = [_table_in(payload) for payload in payloads]
    batches = []
    begin = 0
    for kind, run in groupby(tables, key=lambda found: found.schema if isinstance(found, pa.RecordBatch) else found):
        some = list(run)
        end = begin + len(some)
        if kind is None:
            batch, sizes = _json(payloads[begin:end], names)
        elif isinstance(kind, Fault):
            batch, sizes = _refused(payloads[begin:end], kind)
        else:
            batch, sizes = _arrow([table for table in some if isinstance(table, pa.RecordBatch)], payloads[begin:end], names)
        batches.append(_placed(batch, sizes, ids[begin:end], stamps[begin:end]))
        begin = end
    return joined(batches) if batches else decode_json_lines(b"")


def _table_in(payload: bytes) -> pa.RecordBatch | Fault | None:
    """The rows of an Arrow payload, None of JSON lines, else why the payload cannot be read."""
    if len(payload) > LARGEST_PAYLOAD:
        return Fault.TOO_LARGE
    if not payload.startswith(ARROW_START):
        return None
    try:
        with pa.ipc.open_stream(payload) as reader:
            table = pa.Table.from_batches(list(reader), reader.schema)
        # Offsets and indices of a stranger are checked before a loop without bounds runs over them.
        for chunk in (chunk for column in table.columns for chunk in column.chunks):
            plain = pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type)
            chunk.validate(full=not (plain or pa.types.is_primitive(chunk.type)))
            if plain:
                texts_of(chunk)  # Arrow's full check would read every byte; this one reads the offsets.
        return _one_batch(table)
    except Exception:  # noqa: BLE001 - as above
        return Fault.UNDECODABLE


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    """A table in one piece."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _json(payloads: Sequence[bytes], names: Mapping[str, str] | None) -> tuple[FixBatch, NDArray[np.int64]]:
    """JSON payloads as one text: a payload may or may not end in a line feed; a blank line more is nothing."""
    begins = np.cumsum([0, *(len(payload) + 1 for payload in payloads)])
    text = as_bytes(b"\n".join(payloads))
    columns, count, id_bytes = scan_json(text, 0, names)

    def raw(i: int) -> bytes:
        begin, end = columns.places[:2, i]
        return text[begin : min(end, begin + LARGEST_RECORD)].tobytes()

    sizes = np.diff(np.searchsorted(columns.places[0, :count], begins))
    return batch_of(columns, count, id_bytes, raw, lambda _: {}), sizes


def _arrow(
    tables: list[pa.RecordBatch], payloads: Sequence[bytes], names: Mapping[str, str] | None
) -> tuple[FixBatch, NDArray[np.int64]]:
    """Arrow payloads of one schema as one table; where that fails, each alone, so that a broken one hurts nobody else."""
    try:
        whole = tables[0] if len(tables) == 1 else _one_batch(pa.Table.from_batches(tables))
        return decode_record_batch(whole, names=names), np.array([table.num_rows for table in tables])
    except Exception:  # noqa: BLE001 - as above
        if len(tables) == 1:
            return _refused(payloads, Fault.UNDECODABLE)
    parts = [_arrow([table], [payload], names) for table, payload in zip(tables, payloads, strict=True)]
    return joined([batch for batch, _ in parts]), np.concatenate([sizes for _, sizes in parts])


def _refused(payloads: Sequence[bytes], fault: Fault) -> tuple[FixBatch, NDArray[np.int64]]:
    """Payloads that cannot be read: a record each."""
    count = len(payloads)
    columns = room_for(count)
    columns.places[:] = 0
    for i in range(count):
        clear(columns, i)
    columns.fault[:] = fault
    batch = batch_of(columns, count, as_bytes(b"\0"), lambda i: payloads[i][:LARGEST_RECORD], lambda _: {})
    return batch, np.ones(count, dtype=np.int64)


def _placed(batch: FixBatch, sizes: NDArray[np.int64], ids: Sequence[bytes], stamps: NDArray[Any]) -> FixBatch:
    """The batch with the place and stamp of each record; `sizes` are the records of each payload."""
    first = np.concatenate([[0], np.cumsum(sizes)])

    def place(i: int) -> dict[str, int | str]:
        k = int(np.searchsorted(first, i, side="right")) - 1
        return {"id": ids[k].decode(), "index": i - int(first[k])}

    return replace(batch, place=place, stamp_ms=read_only(np.repeat(stamps, sizes)))
