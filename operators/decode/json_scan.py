"""The compiled loop over JSON lines: one record after another, from bytes to columns.

A line is written like the line before it: after the same field comes the same text up to the next value (`,"lat":`). That text is
compared eight bytes at a time; only where it differs is the key read and looked up. What the loop takes is what a strict JSON
parser takes, with the same values; a line of which it is not sure (an escape in a key, a key twice, a word for a number, a number
beyond its means) it marks `SLOW` and leaves to `json_slow`.
"""

from __future__ import annotations

from typing import NamedTuple

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
    TAMPER,
    TIME,
    TOO_LARGE,
    Columns,
)
from operators.decode.field_names import UNKNOWN, NameTable, field_named
from operators.decode.json_values import (
    CARRIAGE_RETURN,
    CLOSE,
    COLON,
    COMMA,
    LINE_FEED,
    NULL,
    OPEN,
    OPEN_LIST,
    TAB,
    read_flag,
    read_positioning,
    read_subject,
    read_time,
    skip_scalar,
    skip_space,
    skip_value,
)
from operators.decode.machine_words import load1
from operators.decode.numbers import MINUS, as_float, read_number
from operators.decode.text import QUOTE, SPACE, any_string_end, string_end, unescape
from operators.decode.words import byte_at, find_byte, low_bytes, word_at
from operators.fix_batch import ABSENT_MS

START, END, STRANGE = UNKNOWN + 1, UNKNOWN + 2, -1
"""Beside the fields: before the first key, behind the last, and what is no key."""

LONGEST_EXPECTED = 32
"""Bytes between two values that are remembered; a longer key is looked up each time."""


class Expected(NamedTuple):
    """What followed each field when it was last seen: the bytes up to the next value, and that value's field."""

    words: NDArray[np.uint64]
    length: NDArray[np.int64]
    field: NDArray[np.int64]


def nothing_expected() -> Expected:
    """Before the first line."""
    return Expected(
        words=np.zeros((START + 1, LONGEST_EXPECTED // 8), dtype=np.uint64),
        length=np.zeros(START + 1, dtype=np.int64),
        field=np.zeros(START + 1, dtype=np.int64),
    )


@inlined
def is_next(data: NDArray[np.uint8], at: int, words: NDArray[np.uint64], row: int, length: int) -> bool:
    """Whether the `length` bytes from `at` on are those of `words[row]`."""
    k = 0
    while length > 8:
        if word_at(data, at) != words[row, k]:
            return False
        at += 8
        length -= 8
        k += 1
    return bool(low_bytes(word_at(data, at), length) == words[row, k])


@inlined
def read_key(
    data: NDArray[np.uint8], at: int, previous: int, name_text: NDArray[np.uint8], name_start: NDArray[np.int64]
) -> tuple[int, int]:
    """What comes after the value of `previous`: the field of the next key and where its value begins; or `END` or `STRANGE`."""
    at = skip_space(data, at)
    if previous == START:
        if byte_at(data, at) != OPEN:
            return STRANGE, at
        at = skip_space(data, at + 1)
        if byte_at(data, at) == CLOSE:
            return END, at + 1
    elif byte_at(data, at) == COMMA:
        at = skip_space(data, at + 1)
    else:
        return (END if byte_at(data, at) == CLOSE else STRANGE), at + 1
    if byte_at(data, at) != QUOTE:
        return STRANGE, at
    begin = at + 1
    end = string_end(data, begin)
    if end < 0:
        return STRANGE, at
    at = skip_space(data, end + 1)
    if byte_at(data, at) != COLON:
        return STRANGE, at
    return field_named(data, begin, end, name_text, name_start), skip_space(data, at + 1)


@inlined
def behind_line(data: NDArray[np.uint8], at: int) -> int:
    """Where the next line begins, if there is nothing but white space from `at` to the end of the line; else -1."""
    if byte_at(data, at) == LINE_FEED:
        return at + 1
    at = skip_space(data, at)
    if at >= data.size:
        return data.size
    return at + 1 if load1(data, at) == LINE_FEED else -1


@inlined
def is_blank(data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether there is only white space (vertical tab and form feed too) from `at` to `end`."""
    while at < end:
        byte = load1(data, at)
        if byte != SPACE and (byte < TAB or byte > CARRIAGE_RETURN):
            return False
        at += 1
    return True


@inlined
def without_return(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The end of a line without the carriage return before its line feed."""
    return end - 1 if end > at and load1(data, end - 1) == CARRIAGE_RETURN else end


@compiled
def scan_lines(  # noqa: C901, PLR0912, PLR0915 - one loop, one pass: split up, each part would take the columns as forty arguments
    data: NDArray[np.uint8],
    at: int,
    count: int,
    columns: Columns,
    names: NameTable,
    expected: Expected,
    tail: NDArray[np.uint8],
    used: int,
) -> tuple[int, int, int, int]:
    """Read lines from `at` on into the columns from record `count` on, until data or room end.

    Ids that are written with escapes are put into `tail` from `used` on, without them; their place is that behind the data. Answers
    where it stopped, how many records there are now, how many of the new ones are marked `SLOW`, and how much of `tail` is used.
    """
    places, id_len, times, numbers, flags, fault = columns
    name_text, name_start = names
    words, expected_length, expected_field = expected
    room = fault.size
    slow = 0
    while at < data.size and count < room:
        i = count
        numbers[0, i] = np.nan
        numbers[1, i] = np.nan
        numbers[2, i] = np.nan
        numbers[3, i] = np.nan
        numbers[4, i] = np.nan
        numbers[5, i] = np.nan
        times[0, i] = ABSENT_MS
        times[1, i] = ABSENT_MS
        flags[0, i] = -1
        flags[1, i] = -1
        flags[2, i] = -1
        id_len[i] = 0
        places[2, i] = at
        seen = 0
        given = 0
        p = at
        field = START
        while p >= 0:
            if field != START and byte_at(data, p) == CLOSE:
                p += 1
                break
            previous = field
            length = expected_length[previous]
            if length > 0 and is_next(data, p, words, previous, length):
                field = expected_field[previous]
                p += length
            else:
                field, value = read_key(data, p, previous, name_text, name_start)
                if field == END:
                    p = value
                    break
                if field == STRANGE:
                    p = -1
                    break
                length = value - p
                if length <= LONGEST_EXPECTED:
                    expected_length[previous] = length
                    expected_field[previous] = field
                    k = 0
                    while length > 0:
                        words[previous, k] = low_bytes(word_at(data, p), min(length, 8))
                        p += 8
                        length -= 8
                        k += 1
                p = value
            if field == UNKNOWN:
                byte = byte_at(data, p)
                p = skip_value(data, p) if byte in (OPEN, OPEN_LIST) else skip_scalar(data, p)
                continue
            bit = 1 << field
            if seen & bit:
                p = -1
                break
            seen |= bit
            if byte_at(data, p) == 110 and low_bytes(word_at(data, p), 4) == NULL:
                p += 4
                continue
            given |= bit
            if LON <= field <= BATTERY:
                mantissa, exponent, end = read_number(data, p)
                number, exact = as_float(mantissa, exponent, byte_at(data, p) == MINUS)
                numbers[field - LON, i] = number
                p = end if exact else -1
            elif field in (TIME, RECEIVED):
                times[field - TIME, i], p = read_time(data, p)
            elif field == SUBJECT:
                begin, end, after = read_subject(data, p)
                if after < 0 and byte_at(data, p) == QUOTE:  # Perhaps it has escapes: it is put behind the data without them.
                    end = any_string_end(data, begin)
                    if end >= 0:
                        after = end + 1
                        end = unescape(data, begin, end, tail, used)
                        begin, used = data.size + used, end
                        end += data.size
                places[2, i] = begin
                id_len[i] = end - begin
                p = after
            elif field == POSITIONING:
                flags[0, i], p = read_positioning(data, p)
            elif field in (TAMPER, SEPARATED):
                flags[field - POSITIONING, i], p = read_flag(data, p)
            else:
                p = skip_scalar(data, p) if byte_at(data, p) == QUOTE else -1
        after = behind_line(data, p) if p >= 0 else -1
        places[0, i] = at
        if after >= 0:
            end = p
            if (
                p < after and load1(data, p) != LINE_FEED
            ):  # White space between the object and the line's end counts to the record, CRLF does not.
                end = without_return(data, at, after - 1 if load1(data, after - 1) == LINE_FEED else after)
            required = given & ((1 << SUBJECT) | (1 << TIME))
            half = ((given >> LON) ^ (given >> (LON + 1))) & 1
            missing = half != 0 or required != ((1 << SUBJECT) | (1 << TIME))
            fault[i] = MISSING_FIELD if missing else np.uint32(0)
        else:
            end = find_byte(data, at, LINE_FEED)
            after = min(end + 1, data.size)
            end = without_return(data, at, end)
            fault[i] = SLOW
            if is_blank(data, at, end):
                at = after
                continue
            slow += 1
        places[1, i] = end
        if end - at > LARGEST_RECORD:
            slow -= int(fault[i] == SLOW)
            fault[i] = TOO_LARGE
        count += 1
        at = after
    return at, count, slow, used
