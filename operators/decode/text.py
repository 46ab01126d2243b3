"""Texts in the bytes they came in: where a JSON string ends, and whether bytes are UTF-8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import inlined
from operators.decode.machine_words import load1, trailing_zeros
from operators.decode.words import HIGH_BITS, NO_BITS, U64, bytes_below, bytes_equal, low_bytes, word_at

QUOTE, BACKSLASH, SPACE = 34, 92, 32


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
