"""The compiled loop over rows of delimited text: CSV, and Redis entries put one behind the other.

A field is a number, a time or a word by its column; its text is read where it stands and must end where the field does. What the
loop is not sure of (a doubled quote, blanks around a number, a word where a number should be, too many fields) it marks `SLOW` and
leaves to the plain reader.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from operators.decode.columns import (
    BATTERY,
    LARGEST_RECORD,
    LON,
    MISSING_FIELD,
    POSITIONING,
    RECEIVED,
    SEPARATED,
    SLOW,
    SUBJECT,
    TIME,
    TOO_LARGE,
    Columns,
)
from operators.decode.json_scan import is_blank
from operators.decode.json_values import FALSE, TRUE
from operators.decode.machine_words import load1, trailing_zeros
from operators.decode.numbers import MINUS, as_float, read_number
from operators.decode.text import QUOTE, is_utf8
from operators.decode.times import read_time_text
from operators.decode.words import HIGH_BITS, NO_BITS, U64, WORD, byte_at, bytes_equal, find_byte, low_bytes, word_at
from operators.fix_batch import ABSENT_MS, CELL, GNSS, WIFI

LINE_FEED, CARRIAGE_RETURN, COMMA = 10, 13, 44
UNIT_END, RECORD_END = 31, 30
"""ASCII's own separators, between the fields of entries and behind each entry."""

_GNSS = U64(int.from_bytes(b"gnss", "little"))
_CELL = U64(int.from_bytes(b"cell", "little"))
_WIFI = U64(int.from_bytes(b"wifi", "little"))
_ONE, _ZERO = 49, 48


@inlined
def field_end(data: NDArray[np.uint8], at: int, delimiter: int, row_end: int) -> int:
    """The place of the first delimiter, row end or carriage return at or after `at`; the size of `data` where there is none."""
    while at + WORD <= data.size:
        word = word_at(data, at)
        stop = bytes_equal(word, delimiter) | bytes_equal(word, row_end) | bytes_equal(word, CARRIAGE_RETURN)
        if stop != NO_BITS:
            return at + (trailing_zeros(stop) >> 3)
        at += WORD
    while at < data.size:
        byte = load1(data, at)
        if byte in (delimiter, row_end, CARRIAGE_RETURN):
            return at
        at += 1
    return at


@inlined
def is_ascii(data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether all bytes from `at` to `end` are ASCII."""
    while at < end:
        if low_bytes(word_at(data, at), min(end - at, WORD)) & HIGH_BITS != NO_BITS:
            return False
        at += WORD
    return True


@inlined
def row_extent(data: NDArray[np.uint8], at: int, delimiter: int, row_end: int, quoted: bool) -> tuple[int, bool]:  # noqa: FBT001 - a compiled loop has no keywords
    """Where the row that begins at `at` ends (the place of its row end, or the data's size), and whether its quotes are closed.

    A quote that opens a field and is not closed within the data or 64 KiB ends the row with its first line: one quote too many must
    not swallow the records behind it.
    """
    p = at
    first = True
    while p < data.size:
        byte = load1(data, p)
        if byte == row_end:
            return p, True
        if quoted and first and byte == QUOTE:
            p += 1
            while True:
                p = find_byte(data, p, QUOTE)
                if p >= data.size or p - at > LARGEST_RECORD:
                    return find_byte(data, at, row_end), False
                if byte_at(data, p + 1) != QUOTE:
                    break
                p += 2
        first = byte == delimiter
        p += 1
    return data.size, True


@compiled
def whole_rows(data: NDArray[np.uint8], delimiter: int, row_end: int) -> int:
    """How many of the bytes are whole rows with their ends; the rest is the beginning of a row of which more must come."""
    at = 0
    while at < data.size:
        end, closed = row_extent(data, at, delimiter, row_end, True)  # noqa: FBT003 - a compiled loop has no keywords
        if end >= data.size or (not closed and data.size - at <= LARGEST_RECORD):
            return at
        at = end + 1
    return at


@inlined
def read_value(data: NDArray[np.uint8], at: int, field: int, i: int, columns: Columns) -> int:
    """Read the number, time or word that begins at `at` into record `i`; answers where it ends, -1 where the loop cannot."""
    _, _, times, numbers, flags, _ = columns
    if LON <= field <= BATTERY:
        mantissa, exponent, end = read_number(data, at)
        number, exact = as_float(mantissa, exponent, byte_at(data, at) == MINUS)
        numbers[field - LON, i] = number
        return end if exact else -1
    if field in (TIME, RECEIVED):
        times[field - TIME, i], end = read_time_text(data, at)
        return end
    word = word_at(data, at)
    four = low_bytes(word, 4)
    if field == POSITIONING:
        kind = GNSS if four == _GNSS else (CELL if four == _CELL else (WIFI if four == _WIFI else -1))
        flags[0, i] = kind
        return at + 4 if kind >= 0 else -1
    byte = byte_at(data, at)
    if four == TRUE or byte == _ONE:
        flags[field - POSITIONING, i] = 1
        return at + 4 if four == TRUE else at + 1
    flags[field - POSITIONING, i] = 0
    if low_bytes(word, 5) == FALSE:
        return at + 5
    return at + 1 if byte == _ZERO else -1


@compiled
def scan_rows(  # noqa: C901, PLR0912, PLR0915 - one loop, one pass, as in `json_scan`
    data: NDArray[np.uint8],
    at: int,
    count: int,
    columns: Columns,
    field_of: NDArray[np.int64],
    delimiter: int,
    row_end: int,
    quoted: bool,  # noqa: FBT001 - a compiled loop has no keywords
) -> tuple[int, int, int]:
    """Read rows from `at` on into the columns from record `count` on, until data or room end.

    `field_of` is the field of each column. Answers where it stopped, how many records there are now, and how many of the new ones
    are marked `SLOW`.
    """
    places, id_len, times, numbers, flags, fault = columns
    slow = 0
    while at < data.size and count < fault.size:
        i = count
        for k in range(6):
            numbers[k, i] = np.nan
        times[0, i] = ABSENT_MS
        times[1, i] = ABSENT_MS
        flags[0, i] = -1
        flags[1, i] = -1
        flags[2, i] = -1
        id_len[i] = 0
        places[2, i] = at
        given = 0
        p = at
        for k in range(field_of.size):
            field = field_of[k]
            quote = quoted and byte_at(data, p) == QUOTE
            begin = p + 1 if quote else p
            if TIME <= field <= SEPARATED:
                byte = byte_at(data, begin)
                empty = byte == QUOTE if quote else byte in (delimiter, row_end, CARRIAGE_RETURN)
                end = begin if empty or begin >= data.size else read_value(data, begin, field, i, columns)
                if not empty and begin < data.size:
                    given |= 1 << field
            else:
                end = find_byte(data, begin, QUOTE) if quote else field_end(data, begin, delimiter, row_end)
                if not is_ascii(data, begin, end) and not is_utf8(data, begin, end):
                    end = -1
                elif field == SUBJECT and end > begin:
                    given |= 1 << SUBJECT
                    places[2, i] = begin
                    id_len[i] = end - begin
            if end >= 0 and quote:
                end = end + 1 if byte_at(data, end) == QUOTE and end - at <= LARGEST_RECORD else -1
            last = k == field_of.size - 1
            if end < 0 or (not last and byte_at(data, end) != delimiter):
                p = -1
                break
            p = end if last else end + 1
        after = -1
        if p >= data.size:
            after = data.size
        elif p >= 0:
            byte = load1(data, p)
            if byte == row_end:
                after = p + 1
            elif byte == CARRIAGE_RETURN and row_end == LINE_FEED and byte_at(data, p + 1) == LINE_FEED:
                after = p + 2
        places[0, i] = at
        if after >= 0:
            end = p
            required = given & ((1 << SUBJECT) | (1 << TIME))
            half = ((given >> LON) ^ (given >> (LON + 1))) & 1
            missing = half != 0 or required != ((1 << SUBJECT) | (1 << TIME))
            fault[i] = MISSING_FIELD if missing else np.uint32(0)
        else:
            end, _ = row_extent(data, at, delimiter, row_end, quoted)
            after = min(end + 1, data.size)
            if row_end == LINE_FEED and end > at and load1(data, end - 1) == CARRIAGE_RETURN:
                end -= 1
            fault[i] = SLOW
            slow += 1
        if quoted and is_blank(data, at, end):
            slow -= int(fault[i] == SLOW)
            at = after
            continue
        places[1, i] = end
        if end - at > LARGEST_RECORD:
            slow -= int(fault[i] == SLOW)
            fault[i] = TOO_LARGE
        count += 1
        at = after
    return at, count, slow
