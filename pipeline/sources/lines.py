"""Cutting a stream of bytes into pieces of whole lines: a given number of records each, or about so many."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled

READ_BYTES = 1 << 23
"""Several pieces a read: of a piece that lies in two, a copy is made. Smaller reads cost 20 ns a line more."""
LONGEST_KEPT = 1 << 17
"""Of a line without end only so much is kept: enough to be told that it is too large (64 KiB), and to show its beginning."""
MANY_LINES = 2048
"""From so many lines on a piece has about so many: to find the end of the last one by counting costs 30 ns a line."""
_SAMPLE_BYTES = 1 << 16
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


class _ByCount:
    """Cuts after exactly so many lines."""

    def __init__(self, lines: int, *, quotes: bool) -> None:
        self._lines, self._quotes = lines, quotes
        self._view: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._start, self._found, self._within = 0, 0, False

    def read(self, more: bytes) -> None:
        """Go on in what was read next."""
        self._start -= len(self._view)
        self._view = np.frombuffer(more, np.uint8)

    def end(self, at: int) -> int:
        """Where the piece that begins at `at` (or began in an earlier read) ends; 0: in a later read."""
        cut = _cut(self._view, at, self._start, self._found, self._within, self._lines, self._quotes)
        self._start, self._found, self._within = cut
        if self._found < self._lines:
            return 0
        self._found = 0
        return self._start

    def unfinished(self) -> int:
        """Bytes of the line that goes on in the next read."""
        return len(self._view) - self._start


class _BySize:
    """Cuts at the end of a line after the bytes that so many lines have on average: nobody has to count them."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._more = b""
        self._size, self._kept, self._unfinished = 0, 0, 0

    def read(self, more: bytes) -> None:
        """Go on in what was read next."""
        first = more[:_SAMPLE_BYTES]
        self._size = self._lines * len(first) // max(1, first.count(b"\n"))
        self._more = more

    def end(self, at: int) -> int:
        """Where the piece that begins at `at` (or began in an earlier read) ends; 0: in a later read."""
        end = self._more.find(b"\n", at + max(0, self._size - self._kept)) + 1
        if end:
            self._kept = self._unfinished = 0
        else:
            last = self._more.rfind(b"\n", at) + 1
            self._unfinished = len(self._more) - last if last else self._unfinished + len(self._more) - at
            self._kept += len(self._more) - at
        return end

    def unfinished(self) -> int:
        """Bytes of the line that goes on in the next read."""
        return self._unfinished


def pieces(read: Callable[[int], bytes], lines: int, *, quotes: bool = False) -> Iterator[tuple[int, bytes | memoryview]]:
    """Offsets and bytes of pieces of `lines` lines, or of about so many from `MANY_LINES` on; the last may lack its line feed.

    `quotes`: line feeds within double quotes are text (CSV). A line longer than `LONGEST_KEPT` may be given cut, with a line feed.
    A piece that lies in one read is a view of it, not a copy.
    """
    offset, kept, more = 0, list[memoryview](), b""
    cutter = _cutter(lines, quotes=quotes)
    while more := more or read(READ_BYTES):
        data = memoryview(more)
        cutter.read(more)
        at = 0
        while end := cutter.end(at):
            piece = _joined([*kept, data[at:end]])
            yield offset, piece
            offset += len(piece)
            at, kept = end, []
        kept.append(data[at:])
        more = b""
        if cutter.unfinished() > LONGEST_KEPT:
            whole = _joined(kept)
            before = len(whole) - cutter.unfinished()
            if before:
                yield offset, whole[:before]
            yield offset + before, bytes(whole[before : before + LONGEST_KEPT]) + b"\n"
            skipped, more = _rest_of_line(read)
            offset += len(whole) + skipped
            cutter, kept = _cutter(lines, quotes=quotes), []
    if any(len(part) for part in kept):
        yield offset, _joined(kept)


def _cutter(lines: int, *, quotes: bool) -> _ByCount | _BySize:
    return _ByCount(lines, quotes=quotes) if quotes or lines < MANY_LINES else _BySize(lines)


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
