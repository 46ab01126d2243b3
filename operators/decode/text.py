"""Texts in the bytes they came in: where a JSON string ends, and whether bytes are UTF-8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from operators.decode.machine_words import load1, trailing_zeros
from operators.decode.words import HIGH_BITS, NO_BITS, U64, byte_at, bytes_below, bytes_equal, low_bytes, word_at

QUOTE, BACKSLASH, SPACE = 34, 92, 32
ESCAPES = np.array([[ord(letter), ord(meant)] for letter, meant in zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True)], dtype=np.int64)
"""Letters behind a backslash and what each means."""


@inlined
def sequence_length(data: NDArray[np.uint8], at: int, end: int) -> int:
    """Bytes of the UTF-8 sequence of a character above ASCII at `at`, within `end`; 0 where none stands there.

    The Unicode Standard 16, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
    """
    lead = load1(data, at)
    if lead < 0xC2 or lead > 0xF4:
        return 0
    length = 2 + (lead >= 0xE0) + (lead >= 0xF0)
    if at + length > end:
        return 0
    second = load1(data, at + 1)
    least = 0xA0 if lead == 0xE0 else (0x90 if lead == 0xF0 else 0x80)
    most = 0x9F if lead == 0xED else (0x8F if lead == 0xF4 else 0xBF)
    if second < least or second > most:
        return 0
    for k in range(2, length):
        if load1(data, at + k) & 0xC0 != 0x80:
            return 0
    return length


@inlined
def is_utf8(data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether the bytes from `at` to `end` are UTF-8."""
    while at < end:
        if load1(data, at) < 0x80:
            at += 1
            continue
        length = sequence_length(data, at, end)
        if length == 0:
            return False
        at += length
    return True


@inlined
def string_end(data: NDArray[np.uint8], at: int) -> int:
    """Where the JSON string whose text begins at `at` ends (the place of its closing quote).

    -1 where it has an escape, a control character, bytes that are no UTF-8, or no end: nothing that can be taken as it stands.
    """
    start = at
    high = U64(0)
    while True:
        word = word_at(data, at)
        stop = bytes_equal(word, QUOTE) | bytes_equal(word, BACKSLASH) | bytes_below(word, SPACE)
        if stop != NO_BITS:
            break
        high |= word
        at += 8
    count = trailing_zeros(stop) >> 3
    high |= low_bytes(word, count)
    at += count
    if at >= data.size or load1(data, at) != QUOTE:
        return -1
    if high & HIGH_BITS != NO_BITS and not is_utf8(data, start, at):
        return -1
    return at


@compiled
def hexadecimal(data: NDArray[np.uint8], at: int) -> int:
    """The value of four hexadecimal digits at `at`, -1 where there are none."""
    value = 0
    for k in range(at, at + 4):
        byte = byte_at(data, k)
        letter = byte | 0x20
        if 0x30 <= byte <= 0x39:
            value = 16 * value + byte - 0x30
        elif 0x61 <= letter <= 0x66:
            value = 16 * value + letter - 0x57
        else:
            return -1
    return value


@compiled
def read_escape(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The character whose escape begins with the backslash at `at`, and its end: -1 where it is none (RFC 8259, section 7)."""
    letter = byte_at(data, at + 1)
    if letter == 0x75:
        value = hexadecimal(data, at + 2)
        if value < 0xD800 or value > 0xDFFF:
            return value, (at + 6 if value >= 0 else -1)
        low = hexadecimal(data, at + 8) if byte_at(data, at + 6) == BACKSLASH and byte_at(data, at + 7) == 0x75 else -1
        paired = value < 0xDC00 <= low <= 0xDFFF
        return 0x10000 + ((value & 0x3FF) << 10) + (low & 0x3FF), (at + 12 if paired else -1)
    for k in range(len(ESCAPES)):
        if letter == ESCAPES[k, 0]:
            return int(ESCAPES[k, 1]), at + 2
    return 0, -1


@compiled
def any_string_end(data: NDArray[np.uint8], at: int) -> int:
    """As `string_end`, of a string that may have escapes."""
    while True:
        byte = byte_at(data, at)
        if byte == QUOTE:
            return at
        if byte == BACKSLASH:
            at = read_escape(data, at)[1]
            if at < 0:
                return -1
        elif byte < SPACE:  # Also the end of the data.
            return -1
        else:
            step = 1 if byte < 0x80 else sequence_length(data, at, data.size)
            if step == 0:
                return -1
            at += step


@compiled
def unescape(data: NDArray[np.uint8], at: int, end: int, out: NDArray[np.uint8], used: int) -> int:
    """Write the string from `at` to `end`, which is sound, into `out` from `used` on without escapes; answers its end."""
    while at < end:
        byte = load1(data, at)
        if byte != BACKSLASH:
            out[used] = byte
            used += 1
            at += 1
            continue
        value, at = read_escape(data, at)
        if value < 0x80:
            out[used] = value
            used += 1
            continue
        if value < 0x800:
            out[used] = 0xC0 | (value >> 6)
        elif value < 0x10000:
            out[used] = 0xE0 | (value >> 12)
            used += 1
            out[used] = 0x80 | ((value >> 6) & 0x3F)
        else:
            out[used] = 0xF0 | (value >> 18)
            out[used + 1] = 0x80 | ((value >> 12) & 0x3F)
            used += 2
            out[used] = 0x80 | ((value >> 6) & 0x3F)
        out[used + 1] = 0x80 | (value & 0x3F)
        used += 2
    return used
