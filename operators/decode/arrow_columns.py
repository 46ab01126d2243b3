"""Columns of Arrow and Parquet: taken over as they are where types fit, per row said to be wrong where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from operators.decode.arrow_texts import Texts, decimals_of, is_text, is_whole, read_positionings, read_times, texts_of
from operators.decode.columns import DEVICE, LARGEST_RECORD, LON, POSITIONING, RECEIVED, SEPARATED, SUBJECT, TAMPER, TIME
from operators.decode.field_names import names_of_fields
from operators.decode.one_record import FAULT_OF
from operators.decode.time_text import BEYOND, milliseconds_of
from operators.decode.words import read_only
from operators.fix_batch import ABSENT_MS, Fault, FixBatch

_PER_MILLISECOND = {"us": 1_000, "ns": 1_000_000}


def decode_record_batch(batch: pa.RecordBatch, *, base_row: int = 0, names: Mapping[str, str] | None = None) -> FixBatch:
    """The rows of a record batch; columns whose type fits are not copied.

    `base_row` is the number of its first row in the whole file: a record's place is `{"row": number}`. `names` maps our field
    names to theirs. Null and NaN are absent. A column that is missing is absent in every row; one of a type that cannot be (text
    for a number) is wrong in every row that gives something. Timestamps without a zone are UTC. Never raises for what the columns
    hold. Raises `WrongColumnsError` for impossible names.
    """
    rows = _Rows(batch, names_of_fields(names))
    ids = rows.ids()
    time_ms, received_ms = rows.times(TIME), rows.times(RECEIVED)
    numbers = [rows.numbers(field) for field in range(LON, POSITIONING)]
    positioning, tamper, separated = rows.positionings(), rows.flags(TAMPER), rows.flags(SEPARATED)
    rows.check_device()
    rows.check_halves()

    def raw(i: int) -> bytes:
        row = {name: _plain(column[i]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
        return orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS)[:LARGEST_RECORD]

    def place(i: int) -> dict[str, int | str]:
        return {"row": base_row + i}

    return FixBatch(
        ids=ids.data,
        id_start=read_only(ids.start),
        id_len=read_only(ids.length),
        time_ms=read_only(time_ms),
        lon=read_only(numbers[0]),
        lat=read_only(numbers[1]),
        accuracy_m=read_only(numbers[2]),
        speed_mps=read_only(numbers[3]),
        heading_deg=read_only(numbers[4]),
        battery_pct=read_only(numbers[5]),
        positioning=read_only(positioning),
        tamper=read_only(tamper),
        separated=read_only(separated),
        received_ms=read_only(received_ms),
        stamp_ms=_filled(rows.count, ABSENT_MS),
        fault=read_only(rows.fault),
        raw=raw,
        place=place,
    )


def _plain(value: pa.Scalar[Any]) -> object:
    """A cell as a Python value, for the JSON of a dead letter; as text where Python has no such value."""
    try:
        return value.as_py()
    except (ValueError, ArithmeticError, KeyError, pa.ArrowException):
        if isinstance(value, pa.StringScalar | pa.LargeStringScalar):  # Not UTF-8.
            return value.as_buffer().to_pybytes().decode(errors="replace")
        if isinstance(value, pa.TimestampScalar):  # Finer than Python's.
            return str(np.datetime64(value.value, value.type.unit))
        return f"a value of type {value.type} that JSON cannot hold"


class _Rows:
    """The rows of one record batch: a method for each kind of field, and the faults that these found."""

    def __init__(self, batch: pa.RecordBatch, wanted: tuple[str, ...]) -> None:
        self._batch, self._wanted = batch, wanted
        self.count = batch.num_rows
        self.fault = np.zeros(self.count, dtype=np.uint32)
        self._given: dict[int, NDArray[np.bool_]] = {}

    def _column(self, field: int) -> pa.Array[Any] | None:
        """The column of a field, the first of its name; None where there is none or it holds nulls only."""
        found = self._batch.schema.get_all_field_indices(self._wanted[field]) if self._wanted[field] else []
        column = self._batch.column(found[0]) if found else None
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        return None if column is None or column.null_count == self.count else column

    def _blame(self, rows: NDArray[np.bool_], fault: Fault) -> None:
        """Put a fault on some rows."""
        self.fault[rows] |= np.uint32(fault)

    def _refuse(self, field: int, column: pa.Array[Any]) -> None:
        """The column's type is none of this field's: every row that gives something is wrong."""
        given = column.is_valid().to_numpy(zero_copy_only=False)
        if pa.types.is_floating(column.type):
            given &= ~np.isnan(column.to_numpy(zero_copy_only=False))
        self._given[field] = given
        self._blame(given, FAULT_OF[field])

    def _missing(self, column: pa.Array[Any] | None) -> None:
        """A required column: rows without a value lack a field."""
        if column is None:
            self.fault |= np.uint32(Fault.MISSING_FIELD)
        elif column.null_count:
            self._blame(column.is_null().to_numpy(zero_copy_only=False), Fault.MISSING_FIELD)

    def ids(self) -> Texts:
        """The subjects' ids: texts as they are, integers as their decimal text."""
        column = self._column(SUBJECT)
        self._missing(column)
        if column is not None:
            kind = column.type.value_type if isinstance(column, pa.DictionaryArray) else column.type
            if is_text(kind):
                return texts_of(column)
            if is_whole(kind):
                return decimals_of(column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column)
            self._refuse(SUBJECT, column)
        return Texts(read_only(np.zeros(1, dtype=np.uint8)), _filled(self.count, np.int64(0)), _filled(self.count, np.int32(0)))

    def times(self, field: int) -> NDArray[np.int64]:
        """A time column in UTC milliseconds, `ABSENT_MS` where there is none."""
        column = self._column(field)
        if field == TIME:
            self._missing(column)
        if column is None:
            return _filled(self.count, ABSENT_MS)
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.string()).cast(pa.float64())  # By its text: Arrow's short way rounds twice.
        kind = column.type
        if is_text(kind):
            return self._times_of_texts(field, column)
        if pa.types.is_floating(kind):
            return self._times_of_floats(field, column)
        if not (pa.types.is_integer(kind) or pa.types.is_timestamp(kind)):
            self._refuse(field, column)
            return _filled(self.count, ABSENT_MS)
        if pa.types.is_uint64(kind):
            column = cast("pa.Array[Any]", pc.min_element_wise(column, pa.scalar(BEYOND, pa.uint64()), skip_nulls=False))
        whole = column.view(pa.int64()) if kind.bit_width == 64 and not pa.types.is_uint64(kind) else column.cast(pa.int64())
        values: NDArray[np.int64] = (whole.fill_null(0) if whole.null_count else whole).to_numpy(zero_copy_only=False)
        if pa.types.is_timestamp(kind) and kind.unit == "s":
            limit = BEYOND // 1000
            values = np.clip(values, -limit, limit) * 1000
        elif pa.types.is_timestamp(kind) and kind.unit != "ms":
            values = values // _PER_MILLISECOND[kind.unit]
        return self._without_nulls(column, values)

    def _times_of_texts(self, field: int, column: pa.Array[Any]) -> NDArray[np.int64]:
        """RFC 3339 or digits of epoch milliseconds; what the loop does not know is read plainly."""
        texts = texts_of(column)
        values, left = np.empty(self.count, dtype=np.int64), np.empty(self.count, dtype=np.bool_)
        with np.errstate(over="ignore"):
            count = read_times(*texts, values, left)
        if count:
            left &= column.is_valid().to_numpy(zero_copy_only=False)
            for i in np.flatnonzero(left).tolist():
                text = texts.data[texts.start[i] : texts.start[i] + texts.length[i]].tobytes().decode(errors="replace")
                milliseconds = milliseconds_of(text)
                values[i] = ABSENT_MS if milliseconds is None else milliseconds
            self._blame(left & (values == ABSENT_MS), FAULT_OF[field])
        return values

    def _times_of_floats(self, field: int, column: pa.Array[Any]) -> NDArray[np.int64]:
        """Epoch milliseconds as floats, their fraction cut off; NaN is absent."""
        floats = column.to_numpy(zero_copy_only=False).astype(np.float64)
        absent = np.isnan(floats)
        if field == TIME:
            self._blame(absent, Fault.MISSING_FIELD)
        whole = np.clip(np.where(absent, 0.0, np.trunc(floats)), -float(BEYOND), float(BEYOND))
        return np.where(absent, ABSENT_MS, whole.astype(np.int64))

    @staticmethod
    def _without_nulls(column: pa.Array[Any], values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The values with those of nulls absent."""
        return np.where(column.is_null().to_numpy(zero_copy_only=False), ABSENT_MS, values) if column.null_count else values

    def numbers(self, field: int) -> NDArray[np.float64]:
        """A number column as floats, NaN where there is none."""
        column = self._column(field)
        absent: NDArray[np.float64] = _filled(self.count, np.float64(np.nan))
        if column is None:
            return absent
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        kind = column.type
        if pa.types.is_decimal(kind):
            column = column.cast(pa.string()).cast(pa.float64())
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            self._refuse(field, column)
            return absent
        values: NDArray[np.float64] = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        if field < LON + 2:
            self._given[field] = ~np.isnan(values)
        return values

    def positionings(self) -> NDArray[np.int8]:
        """The kind of positioning, -1 where there is none."""
        column = self._column(POSITIONING)
        kinds: NDArray[np.int8] = _filled(self.count, np.int8(-1))
        if column is None:
            return kinds
        if not is_text(column.type.value_type if isinstance(column, pa.DictionaryArray) else column.type):
            self._refuse(POSITIONING, column)
            return kinds
        kinds = np.empty(self.count, dtype=np.int8)
        with np.errstate(over="ignore"):
            read_positionings(*texts_of(column), kinds)
        self._blame((kinds < 0) & column.is_valid().to_numpy(zero_copy_only=False), Fault.POSITIONING)
        return kinds

    def flags(self, field: int) -> NDArray[np.int8]:
        """A column of booleans as 1 and 0, -1 where there is none."""
        column = self._column(field)
        if column is not None and pa.types.is_boolean(column.type):
            return column.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
        if column is not None:
            self._refuse(field, column)
        return _filled(self.count, np.int8(-1))

    def check_device(self) -> None:
        """A device is a text or an integer; nothing else is made of it."""
        column = self._column(DEVICE)
        if column is not None:
            kind = column.type.value_type if isinstance(column, pa.DictionaryArray) else column.type
            if not is_text(kind) and not is_whole(kind):
                self._refuse(DEVICE, column)

    def check_halves(self) -> None:
        """Half a position is a missing field."""
        nowhere = np.zeros(self.count, dtype=np.bool_)
        halves = self._given.get(LON, nowhere) ^ self._given.get(LON + 1, nowhere)
        if halves.any():
            self._blame(halves, Fault.MISSING_FIELD)


_fillers: dict[object, NDArray[Any]] = {}


def _filled(count: int, value: np.generic) -> NDArray[Any]:
    """A read-only column of `count` times the same value; the longest that was asked for is kept."""
    column = _fillers.get((value.dtype, value.tobytes()))
    if column is None or len(column) < count:
        column = _fillers[value.dtype, value.tobytes()] = read_only(np.full(max(count, 16_384), value))
    return column[:count]
