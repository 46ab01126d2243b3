"""Eight bytes at a time: the steps that the compiled scanners are made of."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fences.compiled import inlined
from operators.decode.machine_words import load1, load8, trailing_zeros

_Column = TypeVar("_Column", bound=NDArray[Any])

U64 = np.uint64

EVERY_BYTE = U64(0x0101010101010101)
HIGH_BITS = U64(0x8080808080808080)
NO_BITS = U64(0)
WORD = 8
"""Bytes of a word."""


def read_only(column: _Column) -> _Column:
    """The same column as a read-only array, without a copy.

    A compiled loop is compiled anew for each mixture of writable and read-only arrays it is given; columns are therefore always
    handed on read-only (those of Arrow can be nothing else).
    """
    view = column.view()
    view.flags.writeable = False
    return view


def as_bytes(data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same bytes as a read-only array of one dimension, without a copy."""
    return read_only(data if isinstance(data, np.ndarray) else np.frombuffer(data, dtype=np.uint8))


@inlined
def byte_at(data: NDArray[np.uint8], at: int) -> int:
    """The byte at `at`; 0 behind the end."""
    return load1(data, at) if at < data.size else 0


@inlined
def word_at(data: NDArray[np.uint8], at: int) -> np.uint64:
    """Eight bytes from `at` on as a little-endian number; those behind the end are 0."""
    if at + WORD <= data.size:
        return load8(data, at)
    word = U64(0)
    for k in range(max(data.size - at, 0)):
        word |= U64(load1(data, at + k)) << U64(8 * k)
    return word


@inlined
def low_bytes(word: np.uint64, count: int) -> np.uint64:
    """The first `count` (0-8) bytes of a word in memory order, the others 0."""
    return word & ((U64(1) << U64(8 * count)) - U64(1)) if count < WORD else word


@inlined
def bytes_equal(word: np.uint64, byte: int) -> np.uint64:
    """A high bit for each byte of `word` that equals `byte`; only the lowest bit set is sure to be one."""
    x = word ^ (EVERY_BYTE * U64(byte))
    return (x - EVERY_BYTE) & ~x & HIGH_BITS


@inlined
def bytes_below(word: np.uint64, byte: int) -> np.uint64:
    """A high bit for each byte of `word` below `byte` (at most 128); only the lowest bit set is sure to be one."""
    return (word - EVERY_BYTE * U64(byte)) & ~word & HIGH_BITS


@inlined
def find_byte(data: NDArray[np.uint8], at: int, byte: int) -> int:
    """The place of the first `byte` at or after `at`; the size of `data` where there is none."""
    while at + WORD <= data.size:
        found = bytes_equal(load8(data, at), byte)
        if found != NO_BITS:
            return at + (trailing_zeros(found) >> 3)
        at += WORD
    while at < data.size and load1(data, at) != byte:
        at += 1
    return at
