"""Single Redis entries: fields in any order, any bytes, each entry with its id as place and its time as stamp."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.decode.entries import decode_entries
from operators.fix_batch import Fault
from tests.operators.fix_comparison import KNOWN, accepted, compare
from tests.operators.fix_oracle import Judged, judge
from tests.operators.line_strategies import NUMBERS, TIMES

STAMP = 1_772_439_327_123
USUAL = {"subject": "s0000001", "time": "2026-03-02T08:15:27.123Z", "lon": "121.5", "lat": "31.5"}
values = st.one_of(
    st.sampled_from(
        [*KNOWN, *NUMBERS.split(), *TIMES.split(), "", "true", "1", "gnss", "a\x1fb", "a\x1eb", "a\rb", "\n", '"q"', '"', "a,b"]
    ),
    st.text(max_size=4),
)
names = st.sampled_from(["accuracy_m", "speed_mps", "positioning", "tamper", "device", "received", "note", "", *USUAL])


@st.composite
def entries(draw: st.DrawFn) -> dict[bytes, bytes]:
    """The fields of an entry: usual ones, some others, now and then one missing or a value that is no UTF-8."""
    fields = {name.encode(): text.encode() for name, text in USUAL.items()}
    fields |= {draw(names).encode(): draw(values).encode() for _ in range(draw(st.integers(0, 3)))}
    if draw(st.integers(0, 4)) == 0:
        del fields[draw(st.sampled_from(sorted(fields)))]
    if draw(st.integers(0, 9)) == 0:
        fields[b"device"] = b"\xff"
    return dict(draw(st.permutations([*fields.items()])))


def flat(fields: dict[bytes, bytes]) -> list[bytes]:
    """Names and values by turns."""
    return [part for field in fields.items() for part in field]


def expected_of(fields: dict[bytes, bytes]) -> Judged:
    """What the oracle makes of an entry, read live at `STAMP`."""
    try:
        record = {name.decode(): value.decode() for name, value in fields.items()}
    except UnicodeDecodeError:
        return judge(None, set(KNOWN), stamp=STAMP)
    return judge(record, set(KNOWN), texts=True, stamp=STAMP)


@settings(max_examples=400, deadline=None)
@given(st.lists(entries(), max_size=5), st.booleans())
def test_entries_are_read_as_the_contract_says(some: list[dict[bytes, bytes]], alike: bool) -> None:  # noqa: FBT001 - drawn
    """Of the same fields or of different ones, reasons, values and ignored fields are the oracle's."""
    if alike and some:
        some = [some[0] | {name: entry.get(name, b"") for name in some[0]} for entry in some]
    ids = [f"{STAMP}-{k}".encode() for k in range(len(some))]
    batch = decode_entries(ids, [flat(fields) for fields in some])
    compare(batch, accepted(batch, live=True), [expected_of(fields) for fields in some])
    assert [batch.place(i) for i in range(len(some))] == [{"id": entry_id.decode()} for entry_id in ids]


def test_an_entry_has_its_stamp_by_the_clock_in_use() -> None:
    """The id's time, mapped: a demo's clock runs faster."""
    batch = decode_entries([b"1000-0", b"2000-7"], [flat({b"subject": b"a"})] * 2, clock=lambda ms: 60 * ms)
    assert batch.stamp_ms.tolist() == [60_000, 120_000]


def test_the_raw_bytes_of_an_entry_are_its_fields_as_json() -> None:
    """Bytes that are no text are shown as such, and a huge value is cut."""
    batch = decode_entries([b"1-0", b"2-0"], [[b"subject", b"a", b"device", b"\xff"], [b"subject", b"x" * 70_000]])
    assert json.loads(batch.raw(0)) == {"subject": "a", "device": "\ufffd"}
    assert len(batch.raw(1)) == 65_536
    assert batch.fault.tolist() == [Fault.UNDECODABLE, Fault.TOO_LARGE]


def test_foreign_names_and_a_field_given_twice() -> None:
    """Their names are mapped; the first of two values counts."""
    batch = decode_entries([b"1-0"], [[b"user", b"7", b"time", b"5", b"user", b"8"]], names={"subject": "user"})
    assert batch.ids[batch.id_start[0] :][: batch.id_len[0]].tobytes() == b"7"
    assert batch.time_ms.tolist() == [5]


@pytest.mark.parametrize("count", [0, 1000])
def test_any_number_of_entries_is_one_batch(count: int) -> None:
    """None is an empty batch; a thousand, every third with a field more, keep their order."""
    some = [[b"subject", b"a", b"time", b"%d" % k, *([b"lon", b"1", b"lat", b"2"] if k % 3 else [])] for k in range(count)]
    batch = decode_entries([b"1-%d" % k for k in range(count)], some)
    assert batch.time_ms.tolist() == list(range(count))
    np.testing.assert_array_equal(np.isnan(batch.lon), np.arange(count) % 3 == 0)
