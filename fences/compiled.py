"""How the loops over bytes and columns are compiled: one place for the flags and their reasons.

`fastmath` is off (verdicts must not depend on how a compiler reorders sums), `nogil` lets shards run side by side, `cache` keeps
the machine code between runs, `error_model="numpy"` leaves out tests for a zero divisor (no loop divides by what can be zero).
Without the numba runtime (`_nrt=False`) an array is a plain pointer: with it, every array of a named tuple is reference-counted by
atomic instructions whenever the tuple is touched, which made the judge ten times slower (measured: `python -m benchmarks.thinnest`)
and cost more than half of the time of a line of JSON. The price is that such a function can neither allocate nor give an array
back; the few that must use `allocating`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., object])

Record = Any
"""A row of an array of `record_type`, as a compiled loop has it: its fields are read and written as attributes (`row.last_ms`)."""


def compiled(loop: _Loop) -> _Loop:
    """The loop as machine code, compiled at its first call and kept in the cache; with `NUMBA_DISABLE_JIT=1` as it stands."""
    return cast("_Loop", njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(loop))


def inlined(step: _Loop) -> _Loop:
    """As `compiled`, and put in place wherever it is called: for the small steps within a loop.

    LLVM does it, after each step was compiled for itself; see `pasted` for those that are handed the whole fence set.
    """
    return cast("_Loop", njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)(step))


def pasted(step: _Loop) -> _Loop:
    """As `inlined`, but by numba, before anything is compiled: for the few small questions that the judge asks of shapes and grid.

    Handed over whole, shapes reach LLVM as thirty arguments, and it does not see through all of them again. Nanoseconds a fix in
    judge and step: these few pasted and the rest inlined 53 + 121, all inlined 58 + 125, all pasted 54 + 155.
    """
    return cast("_Loop", njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")(step))


def allocating(loop: _Loop) -> _Loop:
    """As `compiled`, with the numba runtime: for loops that need scratch arrays, in what is built once."""
    return cast("_Loop", njit(cache=True, nogil=True, error_model="numpy")(loop))


def record_type(fields: list[tuple[str, str]]) -> np.dtype[Any]:
    """The dtype of an array of records whose fields are read as attributes (`row.last_ms`), with the JIT on and off alike.

    Raises ValueError for a name that numpy's records have themselves: with the JIT off that would be read instead of the field.
    """
    for name, _ in fields:
        if hasattr(np.record, name):
            raise ValueError(f"{name!r} cannot be a field: numpy's records have an attribute of this name")
    return np.dtype((np.record, fields))
