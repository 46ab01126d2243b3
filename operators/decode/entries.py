"""Single Redis entries: one record each, its fields texts as in CSV.

The values of the entries are put one behind the other with ASCII's own separators between them and scanned like rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

import numpy as np
import orjson

from operators.decode.columns import FIELDS, LARGEST_RECORD, SLOW, TOO_LARGE, Columns, batch_of, clear, room_for
from operators.decode.field_names import UNKNOWN, names_of_fields
from operators.decode.left_over import read_left_over
from operators.decode.one_record import put_record
from operators.decode.row_scan import RECORD_END, UNIT_END, scan_rows
from operators.decode.stamps import stamps_of
from operators.decode.text import SPACE
from operators.decode.words import as_bytes
from operators.fix_batch import Fault, FixBatch

Entry = Sequence[bytes]
"""Names and values of an entry's fields by turns, as Redis sends them."""

_END_OF_UNIT, _END_OF_RECORD = bytes([UNIT_END]), bytes([RECORD_END])


def decode_entries(
    ids: Sequence[bytes],
    entries: Sequence[Entry],
    *,
    names: Mapping[str, str] | None = None,
    clock: Callable[[int], int] = int,
) -> FixBatch:
    """The records of some entries, in order; `ids` are their ids and `clock` maps an id's time to the clock in use.

    An empty text is absent; names and values over 64 KiB together are too large; a field whose value is no UTF-8 makes the
    entry undecodable; of a field given twice the first value counts. A record's place is `{"id": entry id}`, its raw bytes are the
    fields as JSON. Raises `WrongColumnsError` for impossible names.
    """
    field_of = {name.encode(): field for field, name in enumerate(names_of_fields(names)) if name}
    fields, values = _in_one_order(entries, field_of)
    rows, odd = _rows_of(values, len(fields))
    text = as_bytes(b"".join(rows))
    columns = room_for(len(rows))
    with np.errstate(over="ignore"):  # Words wrap on purpose; without the compiler numpy would warn.
        _, _, slow = scan_rows(text, 0, 0, columns, np.array(fields, dtype=np.int64), UNIT_END, RECORD_END, False)  # noqa: FBT003 - a compiled loop has no keywords
    columns.fault[odd] = SLOW
    id_bytes = text
    if slow or odd:
        id_bytes = read_left_over(text, columns, len(rows), lambda i, _: _put(columns, i, fields, values[i]))
    columns.fault[np.array([len(b"".join(entry)) for entry in entries], dtype=np.int64) > LARGEST_RECORD] = TOO_LARGE

    def raw(i: int) -> bytes:
        texts = [part.decode(errors="replace") for part in entries[i]]
        return orjson.dumps(dict(zip(texts[::2], texts[1::2], strict=False)))[:LARGEST_RECORD]

    return batch_of(columns, len(rows), id_bytes, raw, lambda i: {"id": ids[i].decode()}, stamps_of(ids, clock))


def _in_one_order(entries: Sequence[Entry], field_of: Mapping[bytes, int]) -> tuple[list[int], list[Sequence[bytes]]]:
    """The fields of a row, and the values of each entry in this order; what is no field is left out.

    Entries that all have the same names in the same order keep theirs, others are put into the order of `FIELDS`.
    """
    shapes = {tuple(entry[::2]) for entry in entries}
    if len(shapes) == 1:
        shape = next(iter(shapes))
        fields = [field_of[name] for k, name in enumerate(shape) if name in field_of and name not in shape[:k]]
        if len(fields) == len(shape):
            return fields or [UNKNOWN], [entry[1::2] for entry in entries]
        fields += [UNKNOWN, UNKNOWN]
    else:
        fields = list(range(len(FIELDS)))
    name_of = {field: name for name, field in field_of.items()}
    picks = {}
    for shape in shapes:
        places = [shape.index(name_of[f]) if name_of.get(f) in shape else len(shape) for f in fields]
        picks[shape] = itemgetter(*(2 * place + 1 for place in places))
    return fields, [picks[tuple(entry[::2])]([*entry, b"", b""]) for entry in entries]


def _rows_of(values: Sequence[Sequence[bytes]], fields: int) -> tuple[list[bytes], list[int]]:
    """The values of each entry as a row, and which entries hold a control character: their row is empty, they are read plainly."""
    rows = [_END_OF_UNIT.join(some) + _END_OF_RECORD for some in values]
    odd: list[int] = []
    if np.count_nonzero(as_bytes(b"".join(rows)) < SPACE) != len(rows) * fields:
        odd = [i for i, row in enumerate(rows) if np.count_nonzero(as_bytes(row) < SPACE) != fields]
        for i in odd:
            rows[i] = _END_OF_UNIT * (fields - 1) + _END_OF_RECORD
    return rows, odd


def _put(columns: Columns, i: int, fields: list[int], values: Sequence[bytes]) -> bytes:
    """Fill record i with what an entry says, read plainly; answers the subject's bytes (empty: none)."""
    try:
        texts = [value.decode() for value in values]
    except UnicodeDecodeError:
        clear(columns, i)
        columns.fault[i] = Fault.UNDECODABLE
        return b""
    record = {field: text for field, text in zip(fields, texts, strict=False) if field != UNKNOWN}
    return put_record(columns, i, record, texts=True)
