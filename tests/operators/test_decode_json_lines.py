"""JSON lines: the compiled loop takes what a strict parser takes, with the same values, and gives each line its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.decode.field_names import WrongColumnsError
from operators.decode.json_lines import decode_json_lines
from operators.fix_batch import ABSENT_MS, Fault
from tests.operators.fix_comparison import KNOWN, accepted, compare
from tests.operators.fix_oracle import judge, object_on
from tests.operators.line_strategies import json_lines

USUAL = (
    b'{"subject":"s0000001","time":"2026-03-02T08:15:27.123Z","lon":121.123456,"lat":31.123456,"accuracy_m":12.5,"speed_mps":1.2}'
)
KNOWN_IDS = set(KNOWN)


@settings(max_examples=600, deadline=None)
@given(st.lists(json_lines(), min_size=1, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n \t\r\n", b"\n\n"]), st.booleans())
def test_lines_are_read_as_the_contract_says(records: list[bytes], line_end: bytes, ended: bool) -> None:  # noqa: FBT001 - drawn
    """Decoded and accepted, any lines give what the oracle gives: reasons, values to the last bit, ignored fields, places."""
    data = line_end.join(records) + (line_end if ended else b"")
    batch = decode_json_lines(data, base_offset=1000)
    whole = [line.removesuffix(b"\r") for line in data.split(b"\n") if line.strip(b" \t\r\v\f")]
    compare(batch, accepted(batch), [judge(object_on(line), KNOWN_IDS, size=len(line)) for line in whole])
    assert [batch.raw(i) for i in range(len(batch))] == whole
    for i in range(len(batch)):
        at = batch.place(i)["offset"]
        assert isinstance(at, int)
        assert data[at - 1000 :].startswith(batch.raw(i))


@settings(max_examples=50, deadline=None)
@given(st.lists(json_lines(), min_size=1, max_size=8), st.data())
def test_a_batch_border_changes_nothing(records: list[bytes], data: st.DataObject) -> None:
    """The same lines in one batch and in two give the same faults, values and places."""
    text = b"".join(line + b"\n" for line in records)
    cut = text.index(b"\n", data.draw(st.integers(0, len(text) - 1))) + 1
    one, *two = decode_json_lines(text), decode_json_lines(text[:cut]), decode_json_lines(text[cut:], base_offset=cut)
    for name in ("fault", "time_ms", "lon", "lat", "accuracy_m", "received_ms", "positioning", "tamper", "id_len"):
        np.testing.assert_array_equal(getattr(one, name), np.concatenate([getattr(part, name) for part in two]))
    assert [one.place(i) for i in range(len(one))] == [part.place(i) for part in two for i in range(len(part))]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.floats(-1000, 1000), st.floats(-1e307, 1e307)), st.integers(1, 19))
def test_a_number_is_the_nearest_float_to_its_text(value: float, digits: int) -> None:
    """Whatever number of digits a coordinate has, its column holds what `float` makes of the text."""
    text = f"{value:.{digits}g}"
    batch = decode_json_lines(f'{{"lon":{text},"lat":{value!r}}}'.encode())
    assert (batch.lon[0], batch.lat[0]) == (float(text), value)


def fault_of(line: bytes) -> Fault:
    """The faults of a single line, which must be one record."""
    batch = decode_json_lines(line)
    assert len(batch) == 1
    return Fault(int(batch.fault[0]))


@pytest.mark.parametrize(
    "line",
    [
        b"{}{}",
        USUAL + USUAL,
        USUAL + b",",
        b"[1, 2, 3]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00junk",
        USUAL[:40],
        USUAL.replace(b"31.123456", b"NaN"),
        USUAL.replace(b"31.123456", b"031.5"),
        USUAL.replace(b"s0000001", b"s\x01"),
        USUAL.replace(b"s0000001", b"\xed\xa0\x80"),
        USUAL.replace(b"1.2}", b"1.2,}"),
        USUAL.replace(b'"speed_mps"', b"speed_mps"),
        USUAL + b"\x0b",
    ],
)
def test_what_no_strict_parser_reads_is_undecodable(line: bytes) -> None:
    """Trailing text, two objects, other values than objects, loose numbers and bytes that are no UTF-8 are undecodable."""
    assert fault_of(line) == Fault.UNDECODABLE


def test_an_object_over_two_lines_is_two_records() -> None:
    """A line end within an object ends the record: both halves are undecodable."""
    batch = decode_json_lines(USUAL[:60] + b"\n" + USUAL[60:] + b"\n" + USUAL + b"\n")
    assert batch.fault.tolist() == [Fault.UNDECODABLE, Fault.UNDECODABLE, 0]


def test_a_line_over_64_kib_is_too_large_and_hurts_nobody_else() -> None:
    """65,536 bytes are read, one more is too large, and its raw bytes are cut to 64 KiB."""
    filled = USUAL[:-1] + b',"note":"' + b"x" * (65_536 - len(USUAL) - 10) + b'"}'
    broken = b"x" * 65_537
    batch = decode_json_lines(b"\r\n".join([USUAL, filled, filled + b" ", broken, USUAL]))
    assert len(filled) == 65_536
    assert batch.fault.tolist() == [0, 0, Fault.TOO_LARGE, Fault.TOO_LARGE, 0]
    assert batch.raw(3) == b"x" * 65_536
    assert batch.place(4) == {"offset": len(USUAL) + 2 + 2 * 65_538 + 1 + 65_537 + 2}


def test_blank_lines_are_nothing() -> None:
    """Empty lines and lines of white space are no records, at either end or between."""
    batch = decode_json_lines(b"\n \t\r\n" + USUAL + b"\n\n\x0b\x0c\r\n" + USUAL + b"\n \n")
    assert batch.fault.tolist() == [0, 0]
    assert len(decode_json_lines(b"")) == len(decode_json_lines(b"\n\n")) == len(decode_json_lines(b"  ")) == 0


def test_a_byte_order_mark_is_no_part_of_the_first_line_only() -> None:
    """Some editors begin a file with one; anywhere else it is no JSON."""
    assert decode_json_lines(b"\xef\xbb\xbf" + USUAL).fault.tolist() == [0]
    assert decode_json_lines(b"\xef\xbb\xbf" + USUAL, base_offset=9).fault.tolist() == [Fault.UNDECODABLE]


def test_more_short_lines_than_room_was_made_for_are_all_read() -> None:
    """Room is made for usual lines; a thousand lines of two bytes need more."""
    batch = decode_json_lines(b"{}\n" * 1000 + USUAL)
    assert batch.fault.tolist() == [Fault.MISSING_FIELD] * 1000 + [0]
    assert batch.place(1000) == {"offset": 3000}


def test_foreign_names_stand_for_ours() -> None:
    """With `user` for `subject` and `ts` for `time`, these are read and ours are unknown keys."""
    line = b'{"user":"s0000001","ts":1772439327123,"subject":5,"time":"x","lon":1.5,"lat":2.5}'
    batch = decode_json_lines(line, names={"subject": "user", "time": "ts"})
    assert batch.fault.tolist() == [0]
    assert batch.time_ms.tolist() == [1772439327123]
    assert decode_json_lines(line).fault.tolist() == [Fault.WRONG_TYPE]


def test_a_name_may_be_taken_from_another_field() -> None:
    """Where their `time` is our `received`, our time is only what is mapped to it."""
    batch = decode_json_lines(b'{"subject":"a","time":1772439327123}', names={"received": "time"})
    assert (batch.received_ms[0], batch.time_ms[0]) == (1772439327123, ABSENT_MS)


@pytest.mark.parametrize("names", [{"subjekt": "user"}, {"subject": "id", "device": "id"}])
def test_impossible_names_are_refused(names: dict[str, str]) -> None:
    """A field that does not exist, or one column for two fields, is said before anything is read."""
    with pytest.raises(WrongColumnsError):
        decode_json_lines(USUAL, names=names)
