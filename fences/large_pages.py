"""Tables that are read at random, in large pages of memory: one miss of the processor's page table less a fix.

What a fence set is made of comes out of memory that the loading of the registry has used before, in pages of 4 KiB. On a virtual
machine a look-up in a page table costs up to 24 reads, so that the judge was fast or slow as the pages happened to lie.
"""

from __future__ import annotations

import mmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

LARGE_PAGE = 1 << 21
_Array = TypeVar("_Array", bound=NDArray[Any])


def in_large_pages(array: _Array) -> _Array:
    """A copy of an array that begins at a large page and asks the system for such; the array itself where it is small."""
    if array.nbytes < LARGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return array
    memory = mmap.mmap(-1, array.nbytes + LARGE_PAGE)
    memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    skip = -whole.ctypes.data % LARGE_PAGE
    copy: Any = whole[skip : skip + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy  # type: ignore[no-any-return]
