"""Types of numba's extension points: what an intrinsic takes is checked by its own signature while compiling, not here."""

from collections.abc import Callable
from typing import Any

def intrinsic(function: Callable[..., Any], /) -> Callable[..., Any]: ...
def overload(function: Callable[..., Any], /) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
