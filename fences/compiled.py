"""How the loops over columns are compiled: one place for the flags and their reasons.

`fastmath` is off (verdicts must not depend on how a compiler reorders sums), `nogil` lets shards run side by side, `cache` keeps the
machine code between runs. Without the numba runtime (`_nrt=False`) an array is a plain pointer: with it, every array of a named
tuple is reference-counted by atomic instructions whenever the tuple is touched, which made the judge ten times slower (measured:
`python -m benchmarks.thinnest`). The price is that these functions cannot allocate; the few that must use `allocating`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, _nrt=False)
"""A loop or a function that runs for every fix; may not allocate."""

inlined = njit(cache=True, nogil=True, _nrt=False, inline="always")
"""The same, pasted into its caller: for functions that take the whole fence set."""

allocating = njit(cache=True, nogil=True)
"""A loop that needs scratch arrays: for what is built once."""


def record_type(fields: list[tuple[str, str]]) -> np.dtype[Any]:
    """The dtype of an array of records whose fields are read as attributes (`row.last_ms`), with the JIT on and off alike."""
    return np.dtype((np.record, fields))
