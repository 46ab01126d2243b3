"""CSV: a header with field names in any order, then one record a row, as RFC 4180 has it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.decode.columns import LARGEST_RECORD, Columns, batch_of, clear, more_room, room_for
from operators.decode.field_names import UNKNOWN, names_of_fields
from operators.decode.json_lines import BYTE_ORDER_MARK
from operators.decode.left_over import read_left_over
from operators.decode.one_record import put_record
from operators.decode.row_scan import COMMA, LINE_FEED, scan_rows, whole_rows
from operators.decode.words import as_bytes
from operators.fix_batch import Fault, FixBatch

_SHORTEST_ROW = 32
"""Bytes; the room made at first is for rows as short as this."""


class CsvHeader:
    """What the header of a CSV file says: the names of its `columns`, and which of them are fields. See `read_header`."""

    def __init__(self, columns: Sequence[str], names: Mapping[str, str] | None = None) -> None:
        self.columns = tuple(columns)
        wanted = names_of_fields(names)
        self.column_of = {field: self.columns.index(name) for field, name in enumerate(wanted) if name and name in self.columns}
        self.field_of = np.full(max(len(self.columns), 1), UNKNOWN, dtype=np.int64)
        for field, column in self.column_of.items():
            self.field_of[column] = field


def read_header(line: bytes, *, names: Mapping[str, str] | None = None) -> CsvHeader:
    """The header on the first line of a file; blanks around a name and a byte order mark do not count.

    `names` maps our field names to theirs. Of two columns of one name the first counts. A line that is no CSV has no columns: every
    row is then rejected. Raises `WrongColumnsError` for impossible names.
    """
    try:
        columns = next(csv.reader([line.removeprefix(BYTE_ORDER_MARK).decode().rstrip("\r\n")], strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        columns = []
    return CsvHeader([name.strip() for name in columns], names)


def decode_csv_lines(data: bytes | memoryview | NDArray[np.uint8], header: CsvHeader, *, base_row: int = 0) -> FixBatch:
    """The records of some whole rows (see `whole_csv_rows`); `base_row` is the number of the first, header not counted.

    A field may be quoted, hold doubled quotes and line breaks; rows end with LF or CRLF, blank ones are nothing. An empty field is
    absent. A row with too few or too many fields is undecodable: of a row that was cut off, the last number may be half of one. A
    quote that is never closed ends with its line. A record's place is `{"row": number}`. Never raises for what the rows say: see
    `FixBatch.fault`.
    """
    text = as_bytes(data)
    columns = room_for(text.size // _SHORTEST_ROW + 16)
    at, count, slow = 0, 0, 0
    with np.errstate(over="ignore"):  # Words wrap on purpose; without the compiler numpy would warn.
        while at < text.size:
            if count == len(columns.fault):
                columns = more_room(columns, count)
            at, count, left_over = scan_rows(text, at, count, columns, header.field_of, COMMA, LINE_FEED, True)  # noqa: FBT003 - a compiled loop has no keywords
            slow += left_over
    ids = text
    if slow:
        ids = read_left_over(text, columns, count, lambda i, row: put_row(columns, i, row, header))

    def raw(i: int) -> bytes:
        begin, end = columns.places[:2, i]
        return text[begin : min(end, begin + LARGEST_RECORD)].tobytes()

    def place(i: int) -> dict[str, int | str]:
        return {"row": base_row + i}

    return batch_of(columns, count, ids, raw, place)


def put_row(columns: Columns, i: int, row: bytes, header: CsvHeader) -> bytes:
    """Fill record i with what a row says, read plainly; answers the subject's bytes (empty: none)."""
    try:
        fields = next(csv.reader([row.decode()], strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        fields = []
    if len(fields) != len(header.columns):
        clear(columns, i)
        columns.fault[i] = Fault.UNDECODABLE
        return b""
    return put_record(columns, i, {field: fields[column] for field, column in header.column_of.items()}, texts=True)


def whole_csv_rows(data: bytes) -> int:
    """How many bytes of `data`, which begins at a row, are whole rows; the rest is for the next batch.

    The last row of a file may lack its line end: where no more comes, the rest is a row too.
    """
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    with np.errstate(over="ignore"):
        return whole_rows(as_bytes(data), COMMA, LINE_FEED)
