"""J9: where a record stands behind its subject's last in-order one; and the gaps between those in order."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.order import CONFLICTS, CONTACTS, DUPLICATES, JUDGED, LATE, gap_bin, gap_percentiles_s
from operators.state import GAP_BINS
from tests.operators.small_registry import Fix, fence_set, new_state, run

pytestmark = pytest.mark.jitless

A, B = (3.0, 3.0), (3.0, 3.5)
LONGEST_MS = 110 * 366 * 86_400_000


def counted(tmp_path: Path, *fixes: Fix) -> dict[str, int]:
    """What became of some records of one subject, taken one by one."""
    fences = fence_set(tmp_path, {"effect": "allow", "areas": ["home"], "subjects": ["p"]})
    state = new_state(fences)
    run(fences, state, list(fixes), 1)
    names = {"judged": JUDGED, "contacts": CONTACTS, "late": LATE, "duplicates": DUPLICATES, "conflicts": CONFLICTS}
    return {name: int(state.memory.counts[at]) for name, at in names.items() if state.memory.counts[at]}


@pytest.mark.parametrize(
    ("fixes", "became"),
    [
        ([Fix("p", 0, A), Fix("p", 1, A)], {"judged": 2}),
        ([Fix("p", 0, A), Fix("p", 0.001, A)], {"judged": 2}),
        ([Fix("p", 1, A), Fix("p", 0, A)], {"judged": 1, "late": 1}),
        ([Fix("p", 1, A), Fix("p", 0, None)], {"judged": 1, "late": 1}),
        ([Fix("p", 0, A), Fix("p", 0, A)], {"judged": 1, "duplicates": 1}),
        ([Fix("p", 0, A, 5), Fix("p", 0, A, 9, 60)], {"judged": 1, "duplicates": 1}),
        ([Fix("p", 0, A), Fix("p", 0, B)], {"judged": 1, "conflicts": 1}),
        ([Fix("p", 0, A), Fix("p", 0, (3.0, math.nextafter(3, 4)))], {"judged": 1, "duplicates": 1}),
        ([Fix("p", 0, A), Fix("p", 0, None)], {"judged": 1, "conflicts": 1}),
        ([Fix("p", 0, None), Fix("p", 0, None)], {"contacts": 1, "duplicates": 1}),
        ([Fix("p", 0, None), Fix("p", 0, A)], {"contacts": 1, "conflicts": 1}),
        ([Fix("p", 0, A), Fix("p", 1, None), Fix("p", 1, A)], {"judged": 1, "contacts": 1, "conflicts": 1}),
        ([Fix("p", 0, A), Fix("p", 1, None), Fix("p", 1, None)], {"judged": 1, "contacts": 1, "duplicates": 1}),
        ([Fix("p", 0, None), Fix("p", 1, A), Fix("p", 1, A)], {"contacts": 1, "judged": 1, "duplicates": 1}),
        ([Fix("p", 0, A), Fix("p", 0, B), Fix("p", 0, A), Fix("p", 0, B)], {"judged": 1, "conflicts": 2, "duplicates": 1}),
        ([Fix("p", 5, A), Fix("p", 1, B), Fix("p", 5, A), Fix("p", 1, B)], {"judged": 1, "late": 2, "duplicates": 1}),
        ([Fix("p", -800_000_000, A), Fix("p", -900_000_000, A)], {"judged": 1, "late": 1}),
    ],
)
def test_what_becomes_of_a_record(tmp_path: Path, fixes: list[Fix], became: dict[str, int]) -> None:
    """The same time and place is a duplicate, another place a conflict; a late record or a conflict changes nothing behind it.

    (3.0 and the next number in grid steps are the same degrees.)
    """
    assert counted(tmp_path, *fixes) == became


def test_each_subject_has_an_order_of_his_own(tmp_path: Path) -> None:
    """One subject's time says nothing of another's."""
    fences = fence_set(tmp_path, subjects=({"id": "p"}, {"id": "q"}))
    state = new_state(fences)
    run(fences, state, [Fix("p", 100, A), Fix("q", 1, A), Fix("p", 101, A), Fix("q", 2, A), Fix("q", 2, A)])
    assert state.memory.counts[[JUDGED, LATE, DUPLICATES]].tolist() == [4, 0, 1]


def histogram_of(gaps_ms: list[int]) -> NDArray[np.int64]:
    """The gaps in bins."""
    histogram = np.zeros(GAP_BINS, np.int64)
    for gap in gaps_ms:
        histogram[gap_bin(gap)] += 1
    return histogram


@given(gaps_ms=st.lists(st.one_of(st.integers(1, 600), st.integers(1, 10**7), st.integers(1, LONGEST_MS)), min_size=1, max_size=60))
def test_percentiles_of_gaps_are_right_to_one_percent(gaps_ms: list[int]) -> None:
    """By nearest rank, from a millisecond to a century."""
    got = gap_percentiles_s(histogram_of(gaps_ms))
    for percent in (50, 95, 99):
        true_s = sorted(gaps_ms)[math.ceil(percent * len(gaps_ms) / 100) - 1] / 1000
        assert got[f"p{percent}"] == pytest.approx(true_s, rel=0.005, abs=0)


@given(gap=st.integers(1, LONGEST_MS))
def test_bins_of_gaps_grow_with_the_gap(gap: int) -> None:
    """No gap falls outside of the histogram, and a longer one never into an earlier bin."""
    assert 0 <= gap_bin(gap) <= gap_bin(gap + 1) <= gap_bin(gap) + 1 < GAP_BINS


def test_only_gaps_between_records_in_order_count(tmp_path: Path) -> None:
    """Contacts count, late ones, duplicates and conflicts do not; the first record has no gap."""
    fences = fence_set(tmp_path)
    state = new_state(fences)
    run(fences, state, [Fix("p", 0, A), Fix("p", 10, None), Fix("p", 5, A), Fix("p", 10, A), Fix("p", 10, None), Fix("p", 40, B)])
    assert np.flatnonzero(state.memory.gap).tolist() == [gap_bin(10_000), gap_bin(30_000)]
    assert gap_percentiles_s(np.zeros(GAP_BINS, np.int64)) == {"p50": None, "p95": None, "p99": None}
