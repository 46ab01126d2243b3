"""Single machine instructions that numba has no name for: unaligned loads, bit counts, the long product.

Each is a plain Python function, which runs where the compiler is off, and beside it the instruction that stands for it in compiled
loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

_BYTE, _WORD, _LONG = ir.IntType(8), ir.IntType(64), ir.IntType(128)
_ZERO_ALLOWED = ir.Constant(ir.IntType(1), 0)

Emit = Callable[..., Any]
"""numba's builder of machine code; numba and llvmlite publish no types for what it is given."""


def load8(data: NDArray[np.uint8], at: int) -> np.uint64:
    """Eight bytes of `data` from `at` on as a little-endian number; they must be there."""
    return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))


def load1(data: NDArray[np.uint8], at: int) -> int:
    """The byte of `data` at `at`, which must be there."""
    return int(data[at])


def signed(word: np.unsignedinteger[Any]) -> int:
    """The word as an int64; its high bit must be 0."""
    return int(word)


def trailing_zeros(word: np.uint64) -> int:
    """How many low bits of a word are 0 (64 of none)."""
    return (int(word) & -int(word)).bit_length() - 1 if word else 64


def leading_zeros(word: np.uint64) -> int:
    """How many high bits of a word are 0 (64 of none)."""
    return 64 - int(word).bit_length()


def product_high(a: np.uint64, b: np.uint64) -> np.uint64:
    """The upper 64 of the 128 bits of a product."""
    return np.uint64(int(a) * int(b) >> 64)


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    data, at = arguments
    start = context.make_array(signature.args[0])(context, builder, data).data
    return builder.gep(builder.bitcast(start, _BYTE.as_pointer()), [at])


def _emit_load8(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    address = _address(context, builder, signature, arguments)
    return builder.load(builder.bitcast(address, _WORD.as_pointer()), align=1)


def _emit_load1(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    return builder.zext(builder.load(_address(context, builder, signature, arguments)), _WORD)


def _emit_signed(_context: Any, _builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    return arguments[0]


def _emit_trailing_zeros(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    return builder.cttz(arguments[0], _ZERO_ALLOWED)


def _emit_leading_zeros(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    return builder.ctlz(arguments[0], _ZERO_ALLOWED)


def _emit_product_high(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - see `Emit`
    a, b = (builder.zext(x, _LONG) for x in arguments)
    return builder.trunc(builder.lshr(builder.mul(a, b), ir.Constant(_LONG, 64)), _WORD)


def _of_one(plain: Callable[..., object], result: types.Type, emit: Emit) -> None:
    """In compiled loops, `plain` of a word is what `emit` builds."""

    @intrinsic
    def instruction(_typing: Any, _word: Any) -> Any:  # noqa: ANN401 - see `Emit`
        return result(types.uint64), emit

    @overload(plain)
    def in_loops(word: Any) -> Any:  # noqa: ANN401, ARG001 - numba reads the names of its arguments
        def step(word: Any) -> Any:  # noqa: ANN401 - see `Emit`
            return instruction(word)

        return step


def _of_two(plain: Callable[..., object], first: types.Type | None, second: types.Type, result: types.Type, emit: Emit) -> None:
    """As `_of_one`, of two arguments; a `first` of None is an array."""

    @intrinsic
    def instruction(_typing: Any, a: Any, _b: Any) -> Any:  # noqa: ANN401 - see `Emit`
        return result(first or a, second), emit

    @overload(plain)
    def in_loops(a: Any, b: Any) -> Any:  # noqa: ANN401, ARG001 - numba reads the names of its arguments
        def step(a: Any, b: Any) -> Any:  # noqa: ANN401 - see `Emit`
            return instruction(a, b)

        return step


_of_two(load8, None, types.int64, types.uint64, _emit_load8)
_of_two(load1, None, types.int64, types.int64, _emit_load1)
_of_one(signed, types.int64, _emit_signed)
_of_one(trailing_zeros, types.int64, _emit_trailing_zeros)
_of_one(leading_zeros, types.int64, _emit_leading_zeros)
_of_two(product_high, types.uint64, types.uint64, types.uint64, _emit_product_high)
