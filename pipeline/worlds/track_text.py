"""Columns of an Arrow table as text: times as RFC 3339, values as JSON, rows as lines. Whole columns at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

Column: TypeAlias = Any
"""A column of text or of values: an Arrow array or chunked array."""
arrow: Any = pa
pc: Any = pyarrow.compute
"""Untyped: the published types know no mixture of columns, chunked columns, numpy arrays and plain texts."""

DAY_MS = 86_400_000
DIGITS = ((11, 36_000_000, 10), (12, 3_600_000, 10), (14, 600_000, 6), (15, 60_000, 10), (17, 10_000, 6), (18, 1_000, 10))
DIGITS_OF_MS = ((20, 100, 10), (21, 10, 10), (22, 1, 10))
"""Place in the text, milliseconds that the digit counts, how many of it make one of the next."""
RFC3339 = "0000-00-00T00:00:00.000Z"
ROWS_AT_ONCE = 250_000
"""Lines joined at once: keeps every text below the 2 GiB that a string column of Arrow may hold."""


def time_texts(time_ms: NDArray[np.int64], template: str = RFC3339) -> pa.StringArray:
    """UTC milliseconds as text. `template` gives the characters between the digits and after; without its `.000` whole seconds."""
    head = np.frombuffer(template.encode(), np.uint8)
    count, width = len(time_ms), len(head)
    text = np.empty((count, width), np.uint8)
    text[:] = head
    day, in_day = np.divmod(time_ms, DAY_MS)
    days, which = np.unique(day, return_inverse=True)
    dates = np.array([str(np.datetime64(int(value), "D")) for value in days], "S10")
    text[:, :10] = dates.view(np.uint8).reshape(-1, 10)[which]
    text[:, [4, 7]] = head[[4, 7]]
    in_day = in_day.astype(np.int32)
    for place, unit, base in DIGITS + (DIGITS_OF_MS if ".000" in template else ()):
        text[:, place] = in_day // unit % base + ord("0")
    ends = np.arange(0, width * count + 1, width, dtype=np.int32)
    texts: pa.StringArray = arrow.StringArray.from_buffers(count, arrow.py_buffer(ends), arrow.py_buffer(text))
    return texts


def time_ms_of(column: Column) -> NDArray[np.int64]:
    """A timestamp column without nulls as UTC milliseconds."""
    values: NDArray[np.int64] = column.cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_numpy()
    return values


def json_values(column: Column) -> Column:
    """Each value as JSON text, null where it is null or NaN. Times become RFC 3339, numbers their shortest exact text."""
    if pa.types.is_timestamp(column.type):
        return joined_texts('"', time_texts(time_ms_of(column)), '"')
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return _each_distinct(column, lambda text: orjson.dumps(text).decode())
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "true", "false")
    return number_texts(column)


def csv_values(column: Column) -> Column:
    """Each value as CSV text, null where it is null or NaN. Text is quoted where it has to be; the rest as in JSON, unquoted."""
    if pa.types.is_timestamp(column.type):
        return time_texts(time_ms_of(column))
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return _each_distinct(column, csv_text)
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "true", "false")
    return number_texts(column)


def csv_text(text: str) -> str:
    """A text as RFC 4180 wants it."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text


def number_texts(column: Column) -> Column:
    """Each number as its shortest exact text, null where it is null or NaN."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
    return column.cast(pa.string())


def _each_distinct(column: Column, encode: Callable[[str], str]) -> Column:
    """`encode` of each text, called once for each distinct one."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    chunk = coded.unify_dictionaries().combine_chunks()
    return pa.array([encode(text) for text in chunk.dictionary.to_pylist()], pa.string()).take(chunk.indices)


def json_lines(table: pa.Table) -> list[memoryview]:
    """The rows as JSON objects a line, keys in the order of the columns, absent where null; the first column has no null."""
    texts = []
    for rows in _slices(table):
        parts: list[Column | str] = []
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            key = ("," if parts else "{") + orjson.dumps(name).decode() + ":"
            values = json_values(column)
            parts += [key, values] if values.null_count == 0 else [pc.binary_join_element_wise(key, values, "")]
        texts += line_bytes(joined_texts(*parts, "}\n"))
    return texts


def csv_lines(table: pa.Table) -> list[memoryview]:
    """The rows as CSV lines without a header."""
    texts = []
    for rows in _slices(table):
        values = [csv_values(column) for column in rows.columns]
        values[-1] = joined_texts(values[-1], "\n")
        texts += line_bytes(pc.binary_join_element_wise(*values, ",", null_handling="replace", null_replacement=""))
    return texts


def joined_texts(*parts: Column | str) -> Column:
    """The texts of the parts one after another, row by row; a part is a column or a text for every row, null counts as empty."""
    column: Column = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    return column


def line_bytes(lines: Column) -> list[memoryview]:
    """The characters of a string column, one text after another, without a copy; no text may be null."""
    chunks: list[Any] = lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]
    texts = []
    for chunk in chunks:
        _, offsets, data = chunk.buffers()
        if len(chunk) and data is not None:
            bounds = np.frombuffer(memoryview(offsets), np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
            texts.append(memoryview(data)[bounds[0] : bounds[-1]])
    return texts


def _slices(table: pa.Table) -> list[pa.Table]:
    return [table.slice(first, ROWS_AT_ONCE) for first in range(0, len(table), ROWS_AT_ONCE)]
