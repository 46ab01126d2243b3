"""Packed payloads: Redis entries or messages that hold many records, as JSON lines or as an Arrow IPC stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from operators.decode.arrow_columns import decode_record_batch
from operators.decode.columns import LARGEST_RECORD, batch_of, clear, room_for
from operators.decode.joined import joined
from operators.decode.json_lines import decode_json_lines, scan_json
from operators.decode.words import as_bytes, read_only
from operators.fix_batch import Fault, FixBatch

LARGEST_PAYLOAD = 16 * 1024 * 1024
ARROW_START = b"\xff\xff\xff\xff"


def stamp_of(entry_id: bytes) -> int:
    """The time of a Redis entry id, UTC milliseconds."""
    return int(entry_id.split(b"-")[0])


def decode_payloads(
    ids: Sequence[bytes], payloads: Sequence[bytes], *, names: Mapping[str, str] | None = None, clock: Callable[[int], int] = int
) -> FixBatch:
    """The records of some payloads, in order; `ids` are their entries' and `clock` maps an id's time to the clock in use.

    A payload over 16 MiB is one record that is too large, one that cannot be read as Arrow one that is undecodable. A record's
    place is its entry's `id` and its `index` in the payload. JSON payloads that follow each other are scanned in one go.
    """
    batches: list[FixBatch] = []
    run: list[int] = []
    for k, payload in enumerate(payloads):
        if len(payload) <= LARGEST_PAYLOAD and not payload.startswith(ARROW_START):
            run.append(k)
            continue
        if run:
            batches.append(_json(ids, payloads, run, names, clock))
            run = []
        batches.append(_alone(ids[k], payload, names, clock))
    if run:
        batches.append(_json(ids, payloads, run, names, clock))
    return joined(batches) if batches else decode_json_lines(b"")


def _json(
    ids: Sequence[bytes], payloads: Sequence[bytes], run: list[int], names: Mapping[str, str] | None, clock: Callable[[int], int]
) -> FixBatch:
    """JSON payloads as one text: a payload may or may not end in a line feed; a blank line more is nothing."""
    begins = np.cumsum([0, *(len(payloads[k]) + 1 for k in run)])
    text = as_bytes(b"\n".join(payloads[k] for k in run))
    columns, count, id_bytes = scan_json(text, 0, names)
    which = np.searchsorted(begins, columns.places[0, :count], side="right") - 1
    first = np.searchsorted(which, np.arange(len(run)))
    stamps = np.array([clock(stamp_of(ids[k])) for k in run], np.int64)

    def raw(i: int) -> bytes:
        begin, end = columns.places[:2, i]
        return text[begin : min(end, begin + LARGEST_RECORD)].tobytes()

    def place(i: int) -> dict[str, int | str]:
        k = int(which[i])
        return {"id": ids[run[k]].decode(), "index": i - int(first[k])}

    return batch_of(columns, count, id_bytes, raw, place, stamps[which])


def _alone(entry_id: bytes, payload: bytes, names: Mapping[str, str] | None, clock: Callable[[int], int]) -> FixBatch:
    """An Arrow payload, or one that is too large to be looked at."""
    fault = Fault.TOO_LARGE
    stamp = clock(stamp_of(entry_id))
    if len(payload) <= LARGEST_PAYLOAD:
        try:
            with pa.ipc.open_stream(payload) as reader:
                batches = [decode_record_batch(found, names=names) for found in reader if len(found)]
            batch = joined(batches) if batches else decode_json_lines(b"")
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowKeyError, pa.ArrowNotImplementedError, OSError, ValueError):
            fault = Fault.UNDECODABLE
        else:
            stamps = read_only(np.full(len(batch), stamp, np.int64))
            return replace(batch, place=lambda i: {"id": entry_id.decode(), "index": i}, stamp_ms=stamps)
    columns = room_for(1)
    clear(columns, 0)
    columns.places[:, 0] = 0
    columns.fault[0] = fault
    return replace(
        batch_of(columns, 1, as_bytes(b""), lambda _: payload[:LARGEST_RECORD], lambda _: {"id": entry_id.decode(), "index": 0}),
        stamp_ms=read_only(np.array([stamp], np.int64)),
    )
