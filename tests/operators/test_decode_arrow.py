"""Arrow and Parquet: whatever the types of its columns, each row is what the contract makes of its values."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.decode.arrow_columns import decode_record_batch
from operators.decode.field_names import missing_columns
from operators.decode.json_lines import decode_json_lines
from operators.fix_batch import OPTIONAL_FIELDS, Fault, FixBatch
from tests.operators.fix_comparison import KNOWN, accepted, compare
from tests.operators.fix_oracle import Number, judge

CASE = Path(__file__).parents[1] / "cases" / "basic-1"
NOW = datetime(2026, 3, 2, 8, 15, 27, 123000, tzinfo=UTC)
ROWS = 6

texts = st.sampled_from([*KNOWN, "", "gnss", "guess", "wifi", "s\x07", "2026-03-02T08:15:27.1+08:00", "1772439327123", "soon"])
integers = st.one_of(st.integers(-200, 200), st.just(1_772_439_327_123))
floats = st.one_of(st.floats(-200, 400), st.sampled_from([math.nan, math.inf, -math.inf, 1_772_439_327_123.9, 1e300, -0.0]))
moments = st.datetimes(datetime(1985, 1, 1), datetime(2110, 1, 1))  # noqa: DTZ001 - zones are the column's
TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    *[(kind, texts) for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))],
    *[(kind, texts.map(str.encode)) for kind in (pa.binary(), pa.large_binary())],
    *[(kind, integers.map(lambda x: x % 100)) for kind in (pa.int8(), pa.uint8(), pa.uint64(), pa.int32())],
    *[(kind, integers) for kind in (pa.int64(), pa.dictionary(pa.int32(), pa.int64()))],
    (pa.float64(), floats),
    (pa.float32(), st.floats(-200, 400, width=32)),
    *[(pa.decimal128(9, places), st.decimals(-200, 200, places=places)) for places in (0, 3)],
    *[(pa.timestamp(unit, zone), moments) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Shanghai")],
    (pa.bool_(), st.booleans()),
    (pa.date32(), moments.map(datetime.date)),
    (pa.list_(pa.int8()), st.just([1])),
    (pa.null(), st.none()),
]
COMMON = {"subject": pa.string(), "time": pa.timestamp("ms", "UTC"), "lon": pa.float64(), "lat": pa.float64()}
TIMES = ("time", "received")
OPTIONAL = (*OPTIONAL_FIELDS, "note")


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Some rows of usual columns and, in place of or beside them, columns of any type, sliced out of longer ones."""
    usual: dict[str, list[object]] = {"subject": ["s0000001"], "time": [NOW], "lon": [121.5], "lat": [31.5]}
    columns = {name: pa.array(usual[name] * (ROWS + 3), kind) for name, kind in COMMON.items()}
    for name in draw(st.lists(st.sampled_from([*COMMON, *OPTIONAL]), max_size=5)):
        kind, values = draw(st.sampled_from(TYPES))
        cells = draw(st.lists(st.one_of(values, values, st.none()), min_size=ROWS + 3, max_size=ROWS + 3))
        plain = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
        columns[name] = pa.array(cells, plain).cast(plain)
        if isinstance(kind, pa.DictionaryType):
            columns[name] = columns[name].dictionary_encode().cast(kind)
    for name in draw(st.sets(st.sampled_from([*COMMON]), max_size=1)):
        columns.pop(name)
    return pa.RecordBatch.from_pydict(columns).slice(draw(st.integers(0, 3)), ROWS)


def cell(value: object, kind: pa.DataType, *, time: bool) -> object:
    """A cell as the oracle knows values: texts, numbers by their text, booleans, None."""
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if pa.types.is_timestamp(kind):
        return Number(str(value)) if time else ["no value of this field"]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool | str | list):
        return value
    if isinstance(value, float):
        return Number(repr(value)) if math.isfinite(value) else Number("1e999" if value > 0 else "-1e999")
    return Number(str(value)) if isinstance(value, int) or pa.types.is_decimal(kind) else ["no value of a record"]


def records_of(batch: pa.RecordBatch) -> list[dict[str, object]]:
    """The rows as records for the oracle; timestamps by their milliseconds, cut by Arrow itself."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        plain = column
        if pa.types.is_timestamp(column.type):
            per = {"s": 1, "ms": 1, "us": 1_000, "ns": 1_000_000}[column.type.unit]
            scale = 1000 if column.type.unit == "s" else 1
            plain = pa.array([None if x is None else x * scale // per for x in column.cast(pa.int64()).to_pylist()], pa.int64())
        columns[name] = [cell(value, column.type, time=name in TIMES) for value in plain.to_pylist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@settings(max_examples=500, deadline=None)
@given(batches())
def test_columns_of_any_type_are_read_as_the_contract_says(batch: pa.RecordBatch) -> None:
    """Reasons, values and ignored fields are the oracle's for texts, dictionaries, integers, floats, times and what cannot be."""
    made = decode_record_batch(batch)
    compare(made, accepted(made), [judge(record, set(KNOWN)) for record in records_of(batch)])


def test_the_worked_case_is_the_same_from_parquet_and_json_lines() -> None:
    """`basic-1` has the same records in both forms."""
    lines = decode_json_lines((CASE / "fixes.jsonl").read_bytes())
    rows = decode_record_batch(pq.read_table(CASE / "fixes.parquet").combine_chunks().to_batches()[0])
    assert_same_columns(rows, lines)


def assert_same_columns(one: FixBatch, other: FixBatch) -> None:
    """Two batches say the same of the same records, ids included."""
    for name in ("time_ms", "lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct", "received_ms", "fault"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for name in ("positioning", "tamper", "separated", "id_len"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert ids_of(one) == ids_of(other)


def ids_of(batch: FixBatch) -> list[bytes]:
    """The ids as bytes."""
    spans = zip(batch.id_start.tolist(), batch.id_len.tolist(), strict=True)
    return [batch.ids[at : at + length].tobytes() for at, length in spans]


def test_texts_and_floats_are_not_copied() -> None:
    """Ids stay in Arrow's buffer, numbers too."""
    batch = pa.RecordBatch.from_pydict({"subject": ["a", "b"], "time": [1, 2], "lon": [1.5, 2.5], "lat": [1.0, 2.0]})
    made = decode_record_batch(batch)
    buffers = {"ids": batch["subject"].buffers()[2], "lon": batch["lon"].buffers()[1], "time_ms": batch["time"].buffers()[1]}
    for name, buffer in buffers.items():
        assert np.shares_memory(getattr(made, name), np.frombuffer(memoryview(buffer or b""), dtype=np.uint8)), name


def test_integer_subjects_are_their_decimal_text() -> None:
    """The least and the greatest integers of any width keep every digit."""
    numbers = [0, 7, -12, 2**63 - 1, -(2**63)]
    made = decode_record_batch(pa.RecordBatch.from_pydict({"subject": numbers, "time": [0] * 5}))
    assert ids_of(made) == [str(n).encode() for n in numbers]
    made = decode_record_batch(pa.RecordBatch.from_pydict({"subject": pa.array([2**64 - 1], pa.uint64()), "time": [0]}))
    assert ids_of(made) == [b"18446744073709551615"]


def test_timestamps_of_every_unit_are_cut_to_milliseconds() -> None:
    """Finer digits are cut off, and a time without a zone is UTC."""
    exact = NOW.replace(tzinfo=None) + timedelta(microseconds=999)
    for unit in ("ms", "us", "ns"):
        batch = pa.RecordBatch.from_pydict(
            {"subject": ["a"], "time": pa.array([exact], pa.timestamp(unit)).cast(pa.timestamp(unit))}
        )
        assert decode_record_batch(batch).time_ms.tolist() == [1_772_439_327_123]
    second = pa.RecordBatch.from_pydict({"subject": ["a"], "time": pa.array([NOW], pa.timestamp("s", "Asia/Shanghai"))})
    assert decode_record_batch(second).time_ms.tolist() == [1_772_439_327_000]


def test_a_row_says_its_place_and_its_values() -> None:
    """A dead letter of a table has the row's number in the file and the row as JSON."""
    broken = pa.array([b"b\xff"]).view(pa.string())
    fine = pa.array([1_772_439_327_123_456_789], pa.timestamp("ns"))
    columns: dict[str, pa.Array[Any]] = {"subject": broken, "time": fine, "lon": pa.array([math.nan]), "tags": pa.array([[b"x"]])}
    made = decode_record_batch(pa.RecordBatch.from_pydict(columns), base_row=41)
    assert made.place(0) == {"row": 41}
    assert made.time_ms.tolist() == [1_772_439_327_123]
    row = json.loads(made.raw(0))
    assert (row["subject"], row["lon"]) == ("b\ufffd", None)
    assert "456789" in row["time"]


def test_missing_columns_are_named_before_every_row_is_rejected_for_them() -> None:
    """A table without `time`, or with half a position, has a reason in every row; the names of what it lacks can be told."""
    made = decode_record_batch(pa.RecordBatch.from_pydict({"user": ["a", "b"], "lon": [1.0, None]}), names={"subject": "user"})
    assert made.fault.tolist() == [Fault.MISSING_FIELD] * 2
    assert missing_columns(["user", "lon"], {"subject": "user"}) == ["time", "lat"]
    assert missing_columns(["subject", "time"]) == []


def test_an_empty_table_is_an_empty_batch() -> None:
    """No rows, no records."""
    assert len(decode_record_batch(pa.RecordBatch.from_pydict({"subject": pa.array([], pa.string())}))) == 0


@pytest.mark.parametrize("dictionary", [False, True])
def test_parquet_keeps_ids_and_times(dictionary: bool) -> None:  # noqa: FBT001 - a parameter
    """Written and read again, in batches that cut through row groups, the same records come out."""
    ids = [f"s{k % 7:07d}" for k in range(1000)]
    table = pa.table({"subject": ids, "time": pa.array(range(10**12, 10**12 + 1000), pa.timestamp("ms")), "lon": [1.0] * 1000})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=300, use_dictionary=dictionary)
    parts = pq.ParquetFile(file, read_dictionary=["subject"] if dictionary else None).iter_batches(170)
    batches = [decode_record_batch(part) for part in parts]
    assert [i for batch in batches for i in ids_of(batch)] == [i.encode() for i in ids]
    assert np.concatenate([batch.time_ms for batch in batches]).tolist() == list(range(10**12, 10**12 + 1000))
