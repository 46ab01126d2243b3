"""Prints of texts: 128 bits that stand for what a record says, so that records are compared and summed as numbers.

The sum of the prints of some records, a lane at a time, says which records these are, whatever their order; one more or less is an
addition or a subtraction. Equal texts have equal prints; that two others share one is as likely as any coincidence of 128 bits. Not
made to withstand anybody who looks for one: whoever writes the registry decides anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined

_U = np.uint64
_SEED_1, _SEED_2 = _U(0x9E3779B97F4A7C15), _U(0xC2B2AE3D27D4EB4F)
_FACTOR_1, _FACTOR_2 = _U(0xFF51AFD7ED558CCD), _U(0xC4CEB9FE1A85EC53)
_FACTOR_3, _FACTOR_4 = _U(0x165667B19E3779F9), _U(0x9FB21C651E98DF25)
_HALF, _THIRD = _U(32), _U(29)


@inlined
def _finished(word: np.uint64) -> np.uint64:
    """Every bit of the word in every bit of the answer (the last step of MurmurHash3)."""
    word ^= word >> _U(33)
    word *= _FACTOR_1
    word ^= word >> _U(33)
    word *= _FACTOR_2
    return word ^ (word >> _U(33))


@compiled
def _print_each(text: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], out: NDArray[np.uint64]) -> None:
    for i in range(len(start)):
        a, b = _SEED_1, _SEED_2
        for k in range(start[i], end[i]):
            byte = _U(text[k])
            a = (a ^ byte) * _FACTOR_3
            a ^= a >> _HALF
            b = (b + byte) * _FACTOR_4
            b ^= b >> _THIRD
        length = _U(end[i] - start[i])
        out[i, 0] = _finished(a ^ length)
        out[i, 1] = _finished(b + length)


def prints_between(text: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Prints uint64[n, 2] of the texts `text[start[i]:end[i]]`."""
    out = np.zeros((len(start), 2), np.uint64)
    # Writable and read-only arrays would each have a loop of their own, and so would those with gaps between the elements.
    text, start, end = text.view(), np.ascontiguousarray(start).view(), np.ascontiguousarray(end).view()
    text.flags.writeable = start.flags.writeable = end.flags.writeable = False
    with np.errstate(over="ignore"):  # Words wrap on purpose; without the compiler numpy would warn.
        _print_each(text, start, end, out)
    return out


def prints_of(texts: Sequence[bytes]) -> NDArray[np.uint64]:
    """Prints uint64[n, 2] of some texts."""
    start = np.concatenate([[0], np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))]).astype(np.int64)
    return prints_between(np.frombuffer(b"".join(texts), np.uint8), start[:-1], start[1:])


def prints_of_lines(lines: bytes) -> NDArray[np.uint64]:
    """Prints uint64[n, 2] of the lines of a text in which each, the last too, ends with a line feed."""
    text = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    return prints_between(text, np.concatenate([[0], ends[:-1] + 1])[: len(ends)].astype(np.int64), ends)


def mixed(*columns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One print uint64[n] for several numbers uint64[n] each; their order counts."""
    total = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        total = (total ^ column) * _FACTOR_3
        total ^= total >> _HALF
        total *= _FACTOR_1
        total ^= total >> _THIRD
    return total
