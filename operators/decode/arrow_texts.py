"""Texts of an Arrow column without a Python object each: the buffer they are in, and where each begins and how long it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fences.compiled import compiled
from operators.decode.json_values import CELL_TEXT, GNSS_TEXT, WIFI_TEXT
from operators.decode.times import read_time_text
from operators.decode.words import U64, as_bytes, low_bytes, word_at
from operators.fix_batch import ABSENT_MS, CELL, GNSS, WIFI

LONGEST_DECIMAL = 20
"""Digits and sign of an int64."""

_NOTHING = as_bytes(b"\0")


class Texts(NamedTuple):
    """Text i is `data[start[i]:start[i] + length[i]]`; of a null its length is 0."""

    data: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int32]


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are texts (bytes too: some writers leave the mark that they are UTF-8 out)."""
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(text or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def is_whole(kind: pa.DataType) -> bool:
    """Whether values of this type are integers."""
    return bool(pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0))


def texts_of(column: pa.Array[Any]) -> Texts:
    """The texts of a column of a text type or a dictionary of one, not copied.

    Raises `ValueError` where offsets lead out of the bytes (only a broken file or message has such).
    """
    if isinstance(column, pa.DictionaryArray):
        words, codes = texts_of(column.dictionary), column.indices.cast(pa.int64())
        if len(words.start) == 0:
            return _no_texts(len(column))
        picked = codes.fill_null(0).to_numpy(zero_copy_only=False)
        return Texts(words.data, words.start[picked], _without_nulls(codes, words.length[picked]))
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    _, offsets, data = column.buffers()
    if offsets is None or data is None or len(column) == 0:
        return Texts(_NOTHING, np.zeros(len(column), dtype=np.int64), np.zeros(len(column), dtype=np.int32))
    bounds = np.frombuffer(memoryview(offsets), dtype=np.int64 if wide else np.int32)[
        column.offset : column.offset + len(column) + 1
    ]
    length = np.diff(bounds).astype(np.int32, copy=False)
    if len(bounds) <= len(column) or bounds.min() < 0 or bounds.max() > data.size or length.min() < 0:
        raise ValueError("the offsets of a text column lie outside its bytes")
    return Texts(as_bytes(memoryview(data)), bounds[:-1].astype(np.int64, copy=False), _without_nulls(column, length))


def _no_texts(count: int) -> Texts:
    """So many texts of length 0."""
    return Texts(_NOTHING, np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int32))


def decimals_of(column: pa.Array[Any]) -> Texts:
    """The decimal texts of a column of integers."""
    if pa.types.is_uint64(column.type) or pa.types.is_decimal(column.type):
        return texts_of(column.cast(pa.string()))
    values = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    data = np.empty(LONGEST_DECIMAL * len(values) + 1, dtype=np.uint8)
    start, length = np.empty(len(values), dtype=np.int64), np.empty(len(values), dtype=np.int32)
    with np.errstate(over="ignore"):
        _write_decimals(values, data, start, length)
    return Texts(as_bytes(data), start, _without_nulls(column, length))


def _without_nulls(column: pa.Array[Any], length: NDArray[np.int32]) -> NDArray[np.int32]:
    """The lengths with those of nulls 0."""
    return np.where(column.is_null().to_numpy(zero_copy_only=False), np.int32(0), length) if column.null_count else length


@compiled
def _write_decimals(
    values: NDArray[np.int64], data: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int32]
) -> None:
    """Write each value's digits, from the last to the first, so that they end where the room for the value ends."""
    for i in range(values.size):
        value = values[i]
        rest = U64(value) if value >= 0 else U64(0) - U64(value)
        end = (i + 1) * LONGEST_DECIMAL
        at = end
        while True:
            at -= 1
            data[at] = np.uint8(48) + np.uint8(rest % U64(10))
            rest //= U64(10)
            if rest == U64(0):
                break
        if value < 0:
            at -= 1
            data[at] = 45
        start[i] = at
        length[i] = end - at


@compiled
def read_times(
    data: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int32], times: NDArray[np.int64], left: NDArray[np.bool_]
) -> int:
    """Fill `times` from texts; where `left` says so at the end, the plain reader must look. Answers how many these are."""
    count = 0
    for i in range(start.size):
        at = start[i]
        milliseconds, end = read_time_text(data, at)
        good = end == at + length[i]
        times[i] = milliseconds if good else ABSENT_MS
        left[i] = not good
        count += not good
    return count


@compiled
def read_positionings(
    data: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int32], kinds: NDArray[np.int8]
) -> None:
    """Fill `kinds` from texts, -1 where a text is none of the three words."""
    for i in range(start.size):
        word = low_bytes(word_at(data, start[i]), 4) if length[i] == 4 else U64(0)
        quoted = (word << U64(8)) | U64(0x220000000022)
        kinds[i] = -1
        if quoted == GNSS_TEXT:
            kinds[i] = GNSS
        elif quoted == CELL_TEXT:
            kinds[i] = CELL
        elif quoted == WIFI_TEXT:
            kinds[i] = WIFI
