"""Gaps of a source within a backlog: found whatever is read at once, and nothing lost, doubled or waiting for ever."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.gaps import Entry, up_to_gaps

AFTER_MS = 100


def entries(*stamps: int) -> list[Entry]:
    """Entries of these stamps."""
    return [(f"{stamp}-0".encode(), []) for stamp in stamps]


@pytest.mark.parametrize(
    ("last_ms", "found", "expected"),
    [
        ([None], [(5, 50, 150)], [(3, None)]),
        ([None], [(5, 50, 151)], [(2, None)]),
        ([50], [(151, 200)], [(2, 151)]),
        ([50], [(150, 200)], [(2, None)]),
        ([50], [()], [(0, None)]),
        ([50, 60], [(155, 300), ()], [(1, None), (0, None)]),  # its own gap, but not one of the source
        ([50, 60], [(155, 200), (154,)], [(0, None), (1, None)]),  # older ones first
        ([50, 60], [(161,), (161,)], [(1, 161), (1, 161)]),
        ([50, 60], [(161,), (170,)], [(1, 161), (0, None)]),
        ([None, None], [(10, 20), (150,)], [(2, None), (0, None)]),
        ([20, None], [(), (150,)], [(0, None), (1, 150)]),
        ([None, 500], [(10, 20), ()], [(2, None), (0, None)]),  # a stream added later, with old entries
    ],
)
def test_what_may_be_given(last_ms: list[int | None], found: list[tuple[int, ...]], expected: list[tuple[int, int | None]]) -> None:
    """Up to the first gap; behind one only when no other stream has older entries."""
    assert up_to_gaps(last_ms, [entries(*some) for some in found], AFTER_MS) == expected


@given(
    streams=st.lists(st.lists(st.sampled_from([1, 30, 70, 101, 400]), max_size=30), min_size=1, max_size=3),
    counts=st.lists(st.integers(1, 9), min_size=1),
)
def test_every_gap_is_found_and_every_entry_given_once(streams: list[list[int]], counts: list[int]) -> None:
    """Streams of random steps, read some entries at a time: the gaps told are those of all entries in order of their stamps."""
    waiting = [[sum(steps[: k + 1]) for k in range(len(steps))] for steps in streams]
    every = sorted(stamp for stream in waiting for stamp in stream)
    gaps = {after for before, after in itertools.pairwise(every) if after - before > AFTER_MS}
    last: list[int | None] = [None] * len(waiting)
    given_so_far: list[int] = []
    told: set[int] = set()
    for turn in range(10_000):
        if not any(waiting):
            break
        found = [entries(*stream[: counts[(turn + k) % len(counts)]]) for k, stream in enumerate(waiting)]
        for k, (count, gap_ms) in enumerate(up_to_gaps(last, found, AFTER_MS)):
            if gap_ms is not None:
                told.add(gap_ms)
                assert all(stamp < gap_ms - AFTER_MS or stamp >= gap_ms for stamp in given_so_far)
                assert all(stamp >= gap_ms for stream in waiting for stamp in stream), "an older one waits"
            given_so_far += waiting[k][:count]
            last[k] = waiting[k][count - 1] if count else last[k]
            waiting[k] = waiting[k][count:]
    assert sorted(given_so_far) == every
    assert told == gaps
