"""Types of the part of numba that the house uses.

numba's own types do not know all options of `njit` that we need (`_nrt`, `forceinline`). These know those and no others, so that
`fastmath`, which the house forbids, is an error too. A compiled function keeps the types of the Python function below it.
"""

from collections.abc import Callable
from typing import Any, Generic, Literal, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R_co = TypeVar("_R_co", covariant=True)

class Dispatcher(Generic[_P, _R_co]):
    @property
    def py_func(self) -> Callable[_P, _R_co]: ...
    @property
    def signatures(self) -> list[Any]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...

class _Decorator:
    def __call__(self, function: Callable[_P, _R_co], /) -> Dispatcher[_P, _R_co]: ...

def njit(
    *,
    cache: bool,
    nogil: bool,
    boundscheck: bool = ...,
    error_model: Literal["python", "numpy"] = ...,
    forceinline: bool = ...,
    inline: Literal["always", "never"] = ...,
    _nrt: bool = ...,
) -> _Decorator: ...

config: Any
types: Any
