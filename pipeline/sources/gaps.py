"""Where a source was silent within a backlog.

Live, the wall clock's marks between the records tell that a source is silent. A backlog has no such marks, and its streams are
read some thousand entries at a time, one after another. So what lies behind a gap waits until the other streams of its source were
read up to there, and a mark before it says that nothing came in between. Only stamps of one server are compared, never the wall
clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from operators.decode.stamps import stamp_of

Entry = tuple[bytes, list[bytes]]
"""Id, and names and values of the fields by turns."""


def up_to_gaps(last_ms: Sequence[int | None], found: Sequence[Sequence[Entry]], after_ms: float) -> list[tuple[int, int | None]]:
    """For each stream of one source: how many of the entries found may be given now, and the end of a gap of the source before.

    `last_ms`: the stamp of the last entry given of each stream, None of none yet. A gap is longer than `after_ms`; its end is the
    stamp of the first entry behind it, None where there is no gap before the entries. Stamps are UTC milliseconds.
    """
    firsts = [stamp_of(entries[0][0]) if entries else None for entries in found]
    given, waiting = [last for last in last_ms if last is not None], [first for first in firsts if first is not None]
    heard_ms = max(given, default=None)
    begin_ms = heard_ms if heard_ms is not None else min(waiting, default=0)
    out: list[tuple[int, int | None]] = []
    for last, first, entries in zip(last_ms, firsts, found, strict=True):
        if first is None:
            out.append((0, None))
        elif first - (begin_ms if last is None else last) <= after_ms:
            out.append((_before_gap(entries, after_ms), None))
        elif min(waiting) < first:
            out.append((0, None))
        else:
            ends_ms = first if heard_ms is not None and first - heard_ms > after_ms else None
            out.append((_before_gap(entries, after_ms), ends_ms))
    return out


def _before_gap(entries: Sequence[Entry], after_ms: float) -> int:
    """How many entries stand before the first gap within them."""
    at, end = 0, len(entries)
    while at < end:
        reach_ms = _stamp(entries[at]) + after_ms
        if _stamp(entries[-1]) <= reach_ms:
            return end
        following = bisect_right(entries, reach_ms, at + 1, end, key=_stamp)
        if following == at + 1:
            return following
        at = following - 1
    return end


def _stamp(entry: Entry) -> int:
    return stamp_of(entry[0])
