"""Cutting a stream of bytes into pieces of whole lines, a given number of records each, wherever the reads happen to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled

READ_BYTES = 1 << 22
LONGEST_KEPT = 1 << 17
"""Of a line without end only so much is kept: enough to be told that it is too large (64 KiB), and to show its beginning."""
_LINE_FEED = 10
_QUOTE = 34


@compiled
def _end_of_lines(data: NDArray[np.uint8], begin: int, lines: int, quotes: bool) -> tuple[int, int]:  # noqa: FBT001 - compiled
    """Where, from `begin` on, so many lines end, and how many were found; a line feed between quotes ends none."""
    found = 0
    end = begin
    within = False
    for i in range(begin, len(data)):
        if data[i] == _LINE_FEED and not within:
            found += 1
            end = i + 1
            if found == lines:
                break
        elif quotes and data[i] == _QUOTE:
            within = not within
    return end, found


def pieces(read: Callable[[int], bytes], lines: int, *, quotes: bool = False) -> Iterator[tuple[int, bytes]]:
    """Offsets and bytes of pieces of at most `lines` lines; the last may lack its line feed.

    `quotes`: line feeds within double quotes are text (CSV). A line longer than `LONGEST_KEPT` is given cut, with a line feed, its
    offset kept.
    """
    offset = 0
    rest = b""
    while True:
        more = read(READ_BYTES)
        data = rest + more
        view = np.frombuffer(data, np.uint8)
        at = 0
        while at < len(data):
            end, found = _end_of_lines(view, at, lines, quotes)
            if found < lines and more:
                break
            end = end if found == lines or not more and found and end == len(data) else len(data)
            yield offset + at, data[at:end]
            at = end
        rest = data[at:]
        offset += at
        if not more:
            return
        if len(rest) > max(READ_BYTES, LONGEST_KEPT) and b"\n" not in rest:
            skipped, tail = _skip_line(read)
            yield offset, rest[:LONGEST_KEPT] + b"\n"
            offset += len(rest) + skipped
            rest = tail


def _skip_line(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Read on to the end of the line: bytes skipped, and what came behind it."""
    skipped = 0
    while True:
        more = read(READ_BYTES)
        end = more.find(b"\n") + 1
        if end or not more:
            return skipped + end, more[end:]
        skipped += len(more)


def reader_of(stream: Any) -> Callable[[int], bytes]:  # noqa: ANN401 - a file or an Arrow stream
    """A plain `read(n)`; raises OSError for what is not what its ending says (a broken gzip)."""
    return lambda n: bytes(stream.read(n))
