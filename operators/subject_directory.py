"""From a subject's id to its row: a hash table over the bytes of all known ids, asked for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from fences.large_pages import in_large_pages
from fences.packed_ids import PackedIds
from operators.decode.machine_words import load1
from operators.decode.words import NO_BITS, U64, WORD, as_bytes, low_bytes, read_only, word_at

LONGEST_ID = 64
"""Bytes."""

TWO_WORDS = 16
"""Ids of up to so many bytes are compared as two words; the table says of a longer one only where it might be."""

_MIX_1, _MIX_2, _MIX_3 = U64(0x9E3779B97F4A7C15), U64(0xC2B2AE3D27D4EB4F), U64(0x165667B19E3779F9)
_TOP = U64(56)
_LONG = U64(0x1F)
_CONTROL_END = 0x20
_ABOVE = U64(32)


@inlined
def _words(data: NDArray[np.uint8], at: int, length: int) -> tuple[np.uint64, np.uint64]:
    """The two words that stand for an id of 1-64 bytes; equal for no two ids of which one has at most 16 bytes.

    The highest byte is the length of an id of up to 15 bytes, the last byte of one of 16 (no control character), 1F of a longer
    one, whose other bits are a hash.
    """
    if length <= WORD:
        return low_bytes(word_at(data, at), length), U64(length) << _TOP
    if length <= TWO_WORDS:
        second = low_bytes(word_at(data, at + WORD), length - WORD)
        return word_at(data, at), second | (U64(length) << _TOP if length < TWO_WORDS else NO_BITS)
    first, second = U64(length), U64(length) ^ _MIX_3
    for k in range(0, length, WORD):
        word = low_bytes(word_at(data, at + k), min(length - k, WORD))
        first = (first ^ word) * _MIX_1
        first ^= first >> _ABOVE
        second = (second + word) * _MIX_2
        second ^= second >> _ABOVE
    return first, (second >> U64(8)) | (_LONG << _TOP)


@inlined
def _slot(first: np.uint64, second: np.uint64, shift: np.uint64) -> np.uint64:
    """Where in the table the search for an id begins."""
    mixed = (first ^ (second * _MIX_2)) * _MIX_1
    mixed ^= mixed >> _ABOVE
    return (mixed * _MIX_3) >> shift


@inlined
def _equal(a: NDArray[np.uint8], at: int, b: NDArray[np.uint8], begin: int, length: int) -> bool:
    """Whether two runs of bytes are equal."""
    for k in range(0, length, WORD):
        size = min(length - k, WORD)
        if low_bytes(word_at(a, at + k), size) != low_bytes(word_at(b, begin + k), size):
            return False
    return True


@compiled
def _fill(
    text: NDArray[np.uint8], start: NDArray[np.int64], keys: NDArray[np.uint64], table: NDArray[np.int32], shift: np.uint64
) -> int:
    """Enter all ids but empty ones; answers the row of the first that stands there already, -1 of none."""
    mask = U64(table.size - 1)
    for row in range(start.size - 1):
        begin, length = start[row], start[row + 1] - start[row]
        if length == 0:
            continue
        first, second = _words(text, begin, length)
        slot = _slot(first, second, shift)
        while table[slot] >= 0:
            other = table[slot]
            if keys[slot, 0] == first and keys[slot, 1] == second:
                same = start[other + 1] - start[other] == length
                if length <= TWO_WORDS or (same and _equal(text, begin, text, start[other], length)):
                    return row
            slot = (slot + U64(1)) & mask
        table[slot] = row
        keys[slot, 0] = first
        keys[slot, 1] = second
    return -1


@compiled
def _find(
    ids: NDArray[np.uint8],
    id_start: NDArray[np.int64],
    id_len: NDArray[np.int32],
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    keys: NDArray[np.uint64],
    table: NDArray[np.int32],
    shift: np.uint64,
    rows: NDArray[np.int32],
) -> None:
    """Fill `rows`. Nothing in an iteration waits for the one before it, so that the processor fetches several slots at once."""
    mask = U64(table.size - 1)
    for i in range(id_len.size):
        length, at = int(id_len[i]), id_start[i]
        rows[i] = -1
        if length < 1 or length > LONGEST_ID or (length == TWO_WORDS and load1(ids, at + TWO_WORDS - 1) < _CONTROL_END):
            continue
        first, second = _words(ids, at, length)
        slot = _slot(first, second, shift)
        row = table[slot]
        while row >= 0:
            if keys[slot, 0] == first and keys[slot, 1] == second:
                same = length <= TWO_WORDS or start[row + 1] - start[row] == length
                if same and (length <= TWO_WORDS or _equal(ids, at, text, start[row], length)):
                    rows[i] = row
                    break
            slot = (slot + U64(1)) & mask
            row = table[slot]


class SubjectDirectory:
    """Known subjects, each with its row: the place of its id in `ids`.

    Raises `ValueError` where an id stands there twice or is not 1-64 bytes long (a checked registry has neither); `gaps`: an empty
    one is a row that is nobody's.
    """

    def __init__(self, ids: Sequence[str], *, gaps: bool = False) -> None:
        packed = PackedIds.of(ids)
        self._start, self._text = read_only(packed.start), as_bytes(packed.text)
        lengths = np.diff(self._start)
        if len(ids) and (lengths.min() < (0 if gaps else 1) or lengths.max() > LONGEST_ID):
            raise ValueError("an id of a subject has 1-64 bytes")
        bits = max(int(2 * len(ids)).bit_length(), 4)
        self._shift = U64(64 - bits)
        self._table = in_large_pages(np.full(1 << bits, -1, dtype=np.int32))
        self._keys = in_large_pages(np.zeros((1 << bits, 2), dtype=np.uint64))
        with np.errstate(over="ignore"):  # Words wrap on purpose; without the compiler numpy would warn.
            doubled = _fill(self._text, self._start, self._keys, self._table, self._shift)
        if doubled >= 0:
            raise ValueError(f"the subject {ids[doubled]!r} stands there twice")

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """As it was in another process; what compiled loops are given is read-only in the same places."""
        self.__dict__.update(saved)
        self._start, self._text = read_only(self._start), as_bytes(self._text)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._start) - 1

    def rows(self, batch_ids: NDArray[np.uint8], id_start: NDArray[np.int64], id_len: NDArray[np.int32]) -> NDArray[np.int32]:
        """The row of each id `batch_ids[id_start[i]:id_start[i] + id_len[i]]`, int32[n]; -1 where nobody has it."""
        rows = np.empty(len(id_len), dtype=np.int32)
        with np.errstate(over="ignore"):
            _find(as_bytes(batch_ids), id_start, id_len, self._text, self._start, self._keys, self._table, self._shift, rows)
        return rows
