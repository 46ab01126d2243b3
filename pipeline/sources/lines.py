"""Cutting a stream of bytes into pieces of whole lines, a given number of records each, wherever the reads happen to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled

READ_BYTES = 1 << 23
"""Several pieces a read: of a piece that lies in two, a copy is made. Smaller reads cost 20 ns a line more."""
LONGEST_KEPT = 1 << 17
"""Of a line without end only so much is kept: enough to be told that it is too large (64 KiB), and to show its beginning."""
_BLOCK = 1024
_LINE_FEED = 10
_QUOTE = 34


@compiled
def _cut(
    data: NDArray[np.uint8],
    at: int,
    start: int,
    found: int,
    within: bool,  # noqa: FBT001 - compiled
    lines: int,
    quotes: bool,  # noqa: FBT001 - as above
) -> tuple[int, int, bool]:
    """Go on from byte `at` until `lines` lines have ended: where the line in hand starts, how many ended, whether within quotes.

    `start` is where the line in hand starts (below 0: in an earlier read) and `found` how many ended before it. A line feed between
    quotes ends no line (`quotes`), unless the line is longer than any record may be: then a quote too many stood in it.
    """
    if not quotes:
        # Whole blocks first: to count line feeds is a matter of a few instructions for 32 bytes, to stop at each is not.
        while at + _BLOCK <= len(data):
            here = 0
            for i in range(at, at + _BLOCK):
                here += int(data[i] == _LINE_FEED)
            if found + here >= lines:
                break
            if here:
                start = at + _BLOCK
                while data[start - 1] != _LINE_FEED:
                    start -= 1
            found += here
            at += _BLOCK
    for i in range(at, len(data)):
        if data[i] == _LINE_FEED and (not within or i - start > LONGEST_KEPT):
            found += 1
            start = i + 1
            within = False
            if found == lines:
                break
        elif quotes and data[i] == _QUOTE:
            within = not within
    return start, found, within


def pieces(read: Callable[[int], bytes], lines: int, *, quotes: bool = False) -> Iterator[tuple[int, bytes | memoryview]]:
    """Offsets and bytes of pieces of at most `lines` lines; the last may lack its line feed.

    `quotes`: line feeds within double quotes are text (CSV). A line longer than `LONGEST_KEPT` may be given cut, with a line feed.
    A piece that lies in one read is a view of it, not a copy.
    """
    offset, kept, more = 0, list[memoryview](), b""
    start, found, within = 0, 0, False
    while more := more or read(READ_BYTES):
        data, view = memoryview(more), np.frombuffer(more, np.uint8)
        at = 0
        while True:
            start, found, within = _cut(view, at, start, found, within, lines, quotes)
            if found < lines:
                break
            piece = _joined([*kept, data[at:start]])
            yield offset, piece
            offset += len(piece)
            at, found, kept = start, 0, []
        kept.append(data[at:])
        start -= len(data)
        more = b""
        if -start > LONGEST_KEPT:
            whole = _joined(kept)
            before = len(whole) + start
            if before:
                yield offset, whole[:before]
            yield offset + before, bytes(whole[before : before + LONGEST_KEPT]) + b"\n"
            skipped, more = _rest_of_line(read)
            offset += len(whole) + skipped
            start, found, within, kept = 0, 0, False, []
    if any(len(part) for part in kept):
        yield offset, _joined(kept)


def _joined(parts: list[memoryview]) -> bytes | memoryview:
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _rest_of_line(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Read on to the end of the line: bytes skipped, and what came behind it."""
    skipped = 0
    while more := read(READ_BYTES):
        end = more.find(b"\n") + 1
        if end:
            return skipped + end, more[end:]
        skipped += len(more)
    return skipped, b""
