"""CSV: rows in any quoting give what the contract makes of their fields, and a broken row hurts only itself."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.decode.columns import Columns, room_for
from operators.decode.csv_lines import CsvHeader, decode_csv_lines, put_row, read_header, whole_csv_rows
from operators.decode.json_lines import decode_json_lines
from operators.fix_batch import Fault, FixBatch
from tests.operators.fix_comparison import KNOWN, accepted, compare
from tests.operators.fix_oracle import judge
from tests.operators.line_strategies import NUMBERS, SCARS, TIMES

CASE = Path(__file__).parents[1] / "cases" / "basic-1"
KNOWN_IDS = set(KNOWN)

texts = st.text(max_size=5).map(lambda text: text.replace("\r", ""))  # The standard library writes a lone one unquoted.
numbers = st.one_of(
    st.floats(-180, 180).map(repr),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from([*NUMBERS.split(), "", " 12.5", "12.5\t", "1 2", "007.5", "5.", "1e5", "nan", "\uff11"]),
)
times = st.one_of(
    st.sampled_from(
        [*TIMES.replace("_", " ").split("\n"), "2026-03-02 08:15:27Z", "", " 1772439327123", "1772439327123.9", "1.7e12"]
    ),
    st.sampled_from(TIMES.split()),
    st.datetimes().map(lambda t: t.isoformat() + "+08:00"),
)
words = st.sampled_from(["", "true", "false", "1", "0", "True", "yes", "gnss", "wifi", "cell", "GNSS", " true ", "2", "truth"])
notes = st.one_of(words, texts, st.sampled_from(['a"b', "a,b", "a\nb", "a\r\nb", '"', "é", "\0"]))
subjects = st.one_of(st.sampled_from([*KNOWN, "", "s\x07", "nobody", "x" * 65, " s0000001", 'k"1,2', "a,b\nc"]), texts)
VALUES = {
    "subject": subjects,
    "time": times,
    "received": times,
    "positioning": words,
    "tamper": words,
    "separated": words,
    "device": notes,
    "note": notes,
    "": notes,
    **dict.fromkeys(("lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct"), numbers),
}
USUAL = {"subject": "s0000001", "time": "2026-03-02T08:15:27.123Z", "lon": "121.5", "lat": "31.5"}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[dict[str, str]]]:
    """A header in any order and some rows: usual values, and others in some columns."""
    others = draw(st.lists(st.sampled_from(sorted(VALUES.keys() - USUAL.keys())), unique=True, max_size=4))
    header = draw(st.permutations([*USUAL, *others]))
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        row = USUAL | {name: draw(st.one_of(st.just(""), VALUES[name])) for name in others}
        for name in draw(st.sets(st.sampled_from(sorted(USUAL)), max_size=2)):
            row[name] = draw(VALUES[name])
        rows.append(row)
    return header, rows


def written(header: list[str], rows: list[dict[str, str]], quoting: int, end: str) -> bytes:
    """The table as the standard library writes it."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, header, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]  # one of csv's constants
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


SCARRED = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([*SCARS, b"\n", b"\r", b'"",'])), max_size=3)


def split(data: bytes) -> tuple[CsvHeader, bytes]:
    """The header of a file, and its rows."""
    line, _, rows = data.partition(b"\n")
    return read_header(line), rows


QUOTINGS = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])


@settings(max_examples=500, deadline=None)
@given(tables(), QUOTINGS, st.sampled_from(["\n", "\r\n"]))
def test_rows_are_read_as_the_contract_says(table: tuple[list[str], list[dict[str, str]]], quoting: int, end: str) -> None:
    """Whatever is quoted and in whatever order the columns stand, reasons, values and ignored fields are the oracle's."""
    header, rows = table
    data = written(header, rows, quoting, end)
    head, body = split(data)
    assert head.columns == tuple(name.strip() for name in header)
    batch = decode_csv_lines(body, head)
    compare(batch, accepted(batch), [judge(row, KNOWN_IDS, texts=True) for row in rows])
    assert [batch.place(i)["row"] for i in range(len(rows))] == list(range(len(rows)))


def plainly(head: CsvHeader, rows: list[bytes]) -> tuple[Columns, list[bytes]]:
    """The columns and ids that the plain reader makes of rows that stand alone."""
    columns = room_for(len(rows))
    return columns, [put_row(columns, i, row, head) for i, row in enumerate(rows)]


def ids_of(batch: FixBatch) -> list[bytes]:
    """The ids as bytes."""
    spans = zip(batch.id_start.tolist(), batch.id_len.tolist(), strict=True)
    return [batch.ids[at : at + length].tobytes() for at, length in spans]


@settings(max_examples=500, deadline=None)
@given(
    tables(), QUOTINGS, st.lists(st.tuples(st.floats(0, 1), st.sampled_from([*SCARS, b"\n", b"\r", b'"",'])), max_size=3), st.data()
)
def test_the_loop_and_the_plain_reader_agree_on_broken_bytes(
    table: tuple[list[str], list[dict[str, str]]], quoting: int, scars: list[tuple[float, bytes]], data: st.DataObject
) -> None:
    """With bytes put in anywhere, every row is what the standard library's reader makes of it, and borders change nothing."""
    text = written(*table, quoting, "\n")
    head, rows = split(text)
    body = bytearray(rows)
    for where, scar in scars:
        place = int(where * len(body))
        body[place:place] = scar
    batch = decode_csv_lines(bytes(body), head)
    columns, ids = plainly(head, [batch.raw(i) for i in range(len(batch))])
    np.testing.assert_array_equal(batch.fault, columns.fault)
    assert ids_of(batch) == ids
    read = batch.fault != Fault.UNDECODABLE
    for k, name in enumerate(("lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct")):
        np.testing.assert_array_equal(getattr(batch, name)[read], columns.numbers[k][read])
    np.testing.assert_array_equal([batch.time_ms, batch.received_ms], columns.times)
    np.testing.assert_array_equal([batch.positioning, batch.tamper, batch.separated], columns.flags)
    cut = whole_csv_rows(bytes(body[: data.draw(st.integers(0, len(body)))]))
    one, two = decode_csv_lines(bytes(body[:cut]), head), decode_csv_lines(bytes(body[cut:]), head)
    assert [part.raw(i) for part in (one, two) for i in range(len(part))] == [batch.raw(i) for i in range(len(batch))]
    np.testing.assert_array_equal(np.concatenate([one.fault, two.fault]), batch.fault)


def test_the_worked_case_is_the_same_from_csv_and_json_lines() -> None:
    """`basic-1` has the same records in both forms."""
    lines, data = decode_json_lines((CASE / "fixes.jsonl").read_bytes()), (CASE / "fixes.csv").read_bytes()
    head, body = split(data)
    rows = decode_csv_lines(body, head)
    for name in ("time_ms", "lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct", "received_ms", "fault"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(lines, name), name)
    for name in ("positioning", "tamper", "separated", "id_len"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(lines, name), name)
    assert ids_of(rows) == ids_of(lines)


HEADER = b"subject,time,lon,lat\n"
ROW = b"s0000001,1772439327123,121.5,31.5\n"


def faults(data: bytes) -> list[int]:
    """The faults of the rows of a file."""
    head, body = split(data)
    return [int(fault) for fault in decode_csv_lines(body, head).fault]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b"s0000001,1772439327123,121.5\n", Fault.UNDECODABLE),
        (b"s0000001,1772439327123,121.5,31.5,\n", Fault.UNDECODABLE),
        (b'"s0000001"x,1772439327123,121.5,31.5\n', Fault.UNDECODABLE),
        (b"s\xff,1772439327123,121.5,31.5\n", Fault.UNDECODABLE),
        (b'"s0000001,1772439327123,121.5,31.5\n', Fault.UNDECODABLE),
        (b"s0000001,,121.5,31.5\n", Fault.MISSING_FIELD),
        (b"s0000001,1772439327123,121.5,\n", Fault.MISSING_FIELD),
        (b",1772439327123,121.5,31.5\n", Fault.MISSING_FIELD),
        (b"s0000001,1772439327123,east,31.5\n", Fault.WRONG_TYPE),
        (b"s0000001,noon,121.5,31.5\n", Fault.WRONG_TYPE),
        (b"s0000001,1772439327123,,\n", Fault(0)),
        (b'"s0000001",""\r,1,1\n', Fault.UNDECODABLE),
        (b"x" * 65_537 + b",1772439327123,121.5,31.5\n", Fault.TOO_LARGE),
    ],
)
def test_a_bad_row_has_its_fault_and_hurts_nobody_else(row: bytes, fault: Fault) -> None:
    """The rows before and after are read."""
    assert faults(HEADER + ROW + row + ROW) == [0, fault, 0]


def test_a_quote_that_is_never_closed_ends_with_its_line() -> None:
    """Also where more than 64 KiB follow, and whatever part of the file is read at once."""
    data = b'"s0000001,1,1,1\n' + ROW * 3000
    head = read_header(HEADER)
    assert decode_csv_lines(data, head).fault.tolist() == [Fault.UNDECODABLE] + [0] * 3000
    assert whole_csv_rows(data[:1000]) == 0
    assert whole_csv_rows(data) == len(data)


def test_blank_rows_are_nothing() -> None:
    """Empty rows and rows of white space are no records and have no number."""
    head = read_header(HEADER)
    batch = decode_csv_lines(b"\n\r\n" + ROW + b" \t\n" + ROW.strip(), head, base_row=7)
    assert batch.fault.tolist() == [0, 0]
    assert [batch.place(i) for i in range(2)] == [{"row": 7}, {"row": 8}]


def test_a_quoted_line_break_belongs_to_its_row() -> None:
    """A subject with a line break in it is one record (with a bad subject), and the border of a batch is not within it."""
    data = b'"s0\n00",1772439327123,121.5,31.5\n' + ROW
    head = read_header(HEADER)
    assert ids_of(decode_csv_lines(data, head)) == [b"s0\n00", b"s0000001"]
    assert whole_csv_rows(data[:10]) == 0
    assert whole_csv_rows(data[:40]) == data.index(ROW)


def test_the_header_may_have_a_byte_order_mark_blanks_quotes_and_foreign_names() -> None:
    """What spreadsheet programs write as a header is understood; of two columns of one name the first counts."""
    head = read_header(b'\xef\xbb\xbf"user", ts,lon ,lat,lon\r\n', names={"subject": "user", "time": "ts"})
    batch = decode_csv_lines(b"s0000001,1772439327123,121.5,31.5,x\r\n", head)
    assert head.columns == ("user", "ts", "lon", "lat", "lon")
    assert (batch.fault.tolist(), batch.lon.tolist()) == ([0], [121.5])


def test_a_file_without_rows_or_without_anything_is_empty() -> None:
    """No records, no error."""
    assert faults(HEADER) == faults(HEADER.strip()) == faults(b"") == []
