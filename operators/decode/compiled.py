"""How the loops over bytes and columns are compiled: `compiled` for a loop, `inlined` for the small steps within it.

`_nrt=False` leaves reference counting out of the machine code. The loops allocate nothing and give no array back, so there is
nothing to count; with it, each array handed from step to step costs two locked additions: more than half of the time of a line.
`error_model="numpy"` leaves out tests for a zero divisor: all divisors are constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., object])

_HOW: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(loop: _Loop) -> _Loop:
    """The loop as machine code, compiled at its first call and kept in the cache; with `NUMBA_DISABLE_JIT=1` as it stands."""
    return cast("_Loop", njit(**_HOW)(loop))


def inlined(step: _Loop) -> _Loop:
    """As `compiled`, and put in place wherever it is called."""
    return cast("_Loop", njit(**_HOW, forceinline=True)(step))
