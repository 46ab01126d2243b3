"""Large pages: the same values, wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fences.large_pages import LARGE_PAGE, in_large_pages

PAIR = np.dtype([("at", "i8"), ("area", "i4")])


@pytest.mark.parametrize(
    "array",
    [np.arange(700_000), np.arange(1_200_000, dtype=np.int32).reshape(-1, 2), np.zeros(200_000, PAIR)],
    ids=["row", "pairs", "records"],
)
def test_the_copy_is_equal_writable_and_begins_at_a_large_page(array: NDArray[np.generic]) -> None:
    """Of a large array: values, shape and type are the same, and it shares no memory with it."""
    copy = in_large_pages(array)
    assert copy.dtype == array.dtype
    assert np.array_equal(copy, array)
    assert copy.flags.writeable
    assert copy.flags.c_contiguous
    assert copy.ctypes.data % LARGE_PAGE == 0
    assert not np.shares_memory(copy, array)


def test_a_small_array_stays_where_it_is() -> None:
    """A page is 2 MiB: below that nothing is gained."""
    small = np.arange(1_000)
    assert in_large_pages(small) is small
