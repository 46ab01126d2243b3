"""The compiled steps that read one value of a JSON line where it stands, and skip those that are no field's.

Each answers where the value ends; -1 where none stands there, or one that the plain reader must look at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from operators.decode.numbers import MINUS, NINE, ZERO, as_float, read_number
from operators.decode.text import QUOTE, SPACE, any_string_end, string_end
from operators.decode.times import as_milliseconds, read_time_text
from operators.decode.words import U64, byte_at, low_bytes, word_at
from operators.fix_batch import CELL, GNSS, WIFI

LINE_FEED, CARRIAGE_RETURN, TAB = 10, 13, 9
COMMA, COLON, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST = 44, 58, 123, 125, 91, 93
NULL = U64(int.from_bytes(b"null", "little"))
TRUE = U64(int.from_bytes(b"true", "little"))
FALSE = U64(int.from_bytes(b"false", "little"))
GNSS_TEXT = U64(int.from_bytes(b'"gnss"', "little"))
CELL_TEXT = U64(int.from_bytes(b'"cell"', "little"))
WIFI_TEXT = U64(int.from_bytes(b'"wifi"', "little"))

DEEPEST = 60
"""Lists and objects within each other that the loop follows."""


@inlined
def skip_space(data: NDArray[np.uint8], at: int) -> int:
    """The place of the first byte that is no white space within a line."""
    byte = byte_at(data, at)
    while byte in (SPACE, TAB, CARRIAGE_RETURN):
        at += 1
        byte = byte_at(data, at)
    return at


@inlined
def skip_scalar(data: NDArray[np.uint8], at: int) -> int:
    """Where the string, number, `true`, `false` or `null` at `at` ends; -1 where none stands there or it needs the plain reader."""
    byte = byte_at(data, at)
    if byte == QUOTE:
        end = string_end(data, at + 1)
        if end < 0:
            end = any_string_end(data, at + 1)
        return end + 1 if end >= 0 else -1
    if byte == MINUS or ZERO <= byte <= NINE:
        mantissa, exponent, end = read_number(data, at)
        return end if end >= 0 and as_float(mantissa, exponent, byte == MINUS)[1] else -1
    word = word_at(data, at)
    if low_bytes(word, 4) in (NULL, TRUE):
        return at + 4
    return at + 5 if low_bytes(word, 5) == FALSE else -1


@inlined
def behind_key(data: NDArray[np.uint8], at: int) -> int:
    """Where the value of the key that begins at `at` begins; -1 where no key stands there."""
    end = any_string_end(data, at + 1) if byte_at(data, at) == QUOTE else -1
    if end < 0:
        return -1
    at = skip_space(data, end + 1)
    return skip_space(data, at + 1) if byte_at(data, at) == COLON else -1


@compiled
def skip_value(data: NDArray[np.uint8], at: int) -> int:
    """Where the value at `at` ends, whatever it is; -1 where none stands there or it needs the plain reader (nested very deep)."""
    depth, objects = 0, 0  # Of the open brackets: how many, and a bit for each that is an object's, the innermost lowest.
    while True:
        byte = byte_at(data, at)
        if byte in (OPEN, OPEN_LIST):
            if depth == DEEPEST:
                return -1
            depth += 1
            objects = (objects << 1) | int(byte == OPEN)
            at = skip_space(data, at + 1)
            if byte_at(data, at) != (CLOSE if byte == OPEN else CLOSE_LIST):
                at = behind_key(data, at) if byte == OPEN else at
                if at < 0:
                    return -1
                continue
        else:
            at = skip_scalar(data, at)
            if at < 0:
                return -1
        while depth > 0:
            at = skip_space(data, at)
            if byte_at(data, at) != (CLOSE if objects & 1 else CLOSE_LIST):
                break
            depth -= 1
            objects >>= 1
            at += 1
        if depth == 0:
            return at
        if byte_at(data, at) != COMMA:
            return -1
        at = skip_space(data, at + 1)
        at = behind_key(data, at) if objects & 1 else at
        if at < 0:
            return -1


@inlined
def read_time(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The time (text or number) whose value begins at `at`, and where it ends; -1 where the plain reader must look."""
    byte = byte_at(data, at)
    if byte == QUOTE:
        milliseconds, end = read_time_text(data, at + 1)
        return milliseconds, (end + 1 if end >= 0 and byte_at(data, end) == QUOTE else -1)
    mantissa, exponent, end = read_number(data, at)
    milliseconds, exact = as_milliseconds(mantissa, exponent, byte == MINUS)
    return milliseconds, (end if exact and as_float(mantissa, exponent, False)[1] else -1)  # noqa: FBT003 - a compiled loop has no keywords


@inlined
def read_subject(data: NDArray[np.uint8], at: int) -> tuple[int, int, int]:
    """Where the subject (text or integer) whose value begins at `at` begins and ends, and where the value ends (or -1)."""
    if byte_at(data, at) == QUOTE:
        end = string_end(data, at + 1)
        return at + 1, end, (end + 1 if end >= 0 else -1)
    end = at + 1 if byte_at(data, at) == MINUS else at
    first = end
    byte = byte_at(data, end)
    while ZERO <= byte <= NINE:
        end += 1
        byte = byte_at(data, end)
    plain = end > first and end - first <= 18 and byte_at(data, first) != ZERO
    return at, end, (end if plain and byte in (COMMA, CLOSE, SPACE, TAB, CARRIAGE_RETURN) else -1)


@inlined
def read_positioning(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The kind of positioning whose text begins at `at`, and where the value ends (or -1)."""
    word = low_bytes(word_at(data, at), 6)
    if word == GNSS_TEXT:
        return GNSS, at + 6
    if word == CELL_TEXT:
        return CELL, at + 6
    return WIFI, (at + 6 if word == WIFI_TEXT else -1)


@inlined
def read_flag(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """1 for `true`, 0 for `false` at `at`, and where the value ends (or -1)."""
    word = word_at(data, at)
    if low_bytes(word, 4) == TRUE:
        return 1, at + 4
    return 0, (at + 5 if low_bytes(word, 5) == FALSE else -1)
