"""The times that Redis itself gave entries: the first half of their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray


def stamp_of(entry_id: bytes) -> int:
    """The time of an entry id, UTC milliseconds."""
    return int(entry_id.split(b"-")[0])


def stamps_of(ids: Sequence[bytes], clock: Callable[[int], int]) -> NDArray[np.int64]:
    """The times of entry ids, each mapped by `clock` to the clock in use (a demo's runs faster), int64[n]."""
    return np.array([clock(stamp_of(entry_id)) for entry_id in ids], dtype=np.int64)
