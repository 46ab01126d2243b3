"""JSON lines: one object a line, as recorded files and packed payloads hold them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from operators.decode.columns import LARGEST_RECORD, Columns, batch_of, more_room, room_for
from operators.decode.field_names import NameTable, names_of_fields, table_of
from operators.decode.json_scan import nothing_expected, scan_lines
from operators.decode.json_slow import put_line
from operators.decode.left_over import read_left_over
from operators.decode.words import as_bytes
from operators.fix_batch import FixBatch

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_USUAL_LINE = 64
"""Bytes; the room made at first is for lines as short as this."""


def decode_json_lines(
    data: bytes | memoryview | NDArray[np.uint8], *, base_offset: int = 0, names: Mapping[str, str] | None = None
) -> FixBatch:
    """The records of some whole lines: each non-blank line is one, whether it ends with LF, CRLF or the data.

    `base_offset` is the place of the first byte in the whole input: a record's place is `{"offset": byte}`. `names` maps our field
    names to theirs. Never raises for what the lines say: see `FixBatch.fault`. Raises `WrongColumnsError` for impossible names.
    """
    text = as_bytes(data)
    start = len(BYTE_ORDER_MARK) if base_offset == 0 and text[:3].tobytes() == BYTE_ORDER_MARK else 0
    columns, count, ids = scan_json(text, start, names)

    def raw(i: int) -> bytes:
        begin, end = columns.places[:2, i]
        return text[begin : min(end, begin + LARGEST_RECORD)].tobytes()

    def place(i: int) -> dict[str, int | str]:
        return {"offset": base_offset + int(columns.places[0, i])}

    return batch_of(columns, count, ids, raw, place)


def scan_json(text: NDArray[np.uint8], start: int, names: Mapping[str, str] | None) -> tuple[Columns, int, NDArray[np.uint8]]:
    """Columns of the lines of `text` from byte `start` on, how many records they hold, and the bytes their ids are in."""
    table, field_of = _names(frozenset((names or {}).items()))
    columns = room_for(text.size // _USUAL_LINE + 16)
    tail = np.empty(text.size, dtype=np.uint8)  # Without its escapes an id is shorter than with them.
    expected = nothing_expected()
    at, count, slow, used = start, 0, 0, 0
    with np.errstate(over="ignore"):  # Words wrap on purpose; without the compiler numpy would warn.
        while True:
            at, count, left_over, used = scan_lines(text, at, count, columns, table, expected, tail, used)
            slow += left_over
            if at >= text.size:
                break
            columns = more_room(columns, count)
    if not slow and not used:
        return columns, count, text
    behind = tail[:used].tobytes()
    return columns, count, read_left_over(text, columns, count, lambda i, line: put_line(columns, i, line, field_of), behind)


@lru_cache(maxsize=8)
def _names(names: frozenset[tuple[str, str]]) -> tuple[NameTable, dict[str, int]]:
    """The two look-ups of field names, for the compiled loop and for the plain reader."""
    given = dict(names)
    return table_of(given), {name: field for field, name in enumerate(names_of_fields(given)) if name}
