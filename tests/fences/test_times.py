"""Times of a registry: what is one, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fences.times import column, day_number, fault_of, to_ms


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("2023-11-14T22:13:20Z", 1700000000000),
        ("2023-11-14t22:13:20z", 1700000000000),
        ("2023-11-15 06:13:20+08:00", 1700000000000),
        ("2023-11-14T22:13:20.9999999Z", 1700000000999),
        ("2023-11-14T22:13:20.5-00:00", 1700000000500),
        ("1700000000000", 1700000000000),
        (1700000000000, 1700000000000),
        (1700000000000.9, 1700000000000),
    ],
)
def test_every_form_of_a_time(written: float | str, ms: int) -> None:
    """RFC 3339 with an offset, or epoch milliseconds as a number or as digits; finer digits are cut off."""
    assert to_ms(written) == ms
    assert fault_of(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "2023-11-14T22:13:20",
        "2023-11-14",
        "2023-11-14T22:13Z",
        "2023-02-29T00:00:00Z",
        "2023-11-14T24:00:00Z",
        "2023-11-14T22:13:60Z",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20+08:60",
        "2023-11-14T22:13:20+0800",
        "2023-W46-2T22:13:20Z",
        "20231114T221320Z",
        "٢٠٢٣-11-14T22:13:20Z",
        "-1700000000000",
        "1700000000000.0",
        "",
        float("inf"),
    ],
)
def test_what_is_no_time(written: float | str) -> None:
    """Local times, dates, times that no clock shows, other calendars and other digits."""
    assert to_ms(written) is None
    assert fault_of(written) == "this is no time"


def test_from_1990_on_and_before_2100() -> None:
    """The first millisecond is in, the last one is out."""
    assert fault_of("1990-01-01T00:00:00Z") is None
    assert fault_of("2099-12-31T23:59:59.999Z") is None
    for outside in ("1989-12-31T23:59:59.999Z", "2100-01-01T00:00:00Z", 0, 10**15, "9999-12-31T23:59:59Z"):
        assert "not from 1990" in str(fault_of(outside))


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)), st.integers(-23 * 60, 23 * 60))  # noqa: DTZ001 - the offset is drawn beside it
def test_any_moment_in_any_offset(local: datetime, offset_min: int) -> None:
    """What Python writes is read back to the millisecond."""
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    assert to_ms(moment.isoformat()) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


FORMS = [
    f"{date}{mark}{clock}{offset}"
    for date in ("2023-11-14", "1989-12-31", "2023-02-29")
    for mark in "T "
    for clock in ("22:13:20", "22:13:20.999999", "22:13:20.9999999", "24:00:00")
    for offset in ("Z", "+08:00", "+0800", "-23:59", "")
]


def test_a_column_keeps_absent_ones_and_tells_wrong_ones() -> None:
    """None stays absent, and what is wrong is absent too and named."""
    out, wrong = column([None, 1700000000000, "soon", 5], np.int64(-1))
    assert out.tolist() == [-1, 1700000000000, -1, -1]
    assert wrong == [2, 3]


@given(st.lists(st.none() | st.integers(0, 5 * 10**12) | st.sampled_from(FORMS), max_size=8))
def test_a_column_is_each_of_its_times(values: list[int | str | None]) -> None:
    """Read at once or one by one makes no difference."""
    out, wrong = column(values, np.int64(-1))
    assert wrong == [i for i, value in enumerate(values) if value is not None and fault_of(value)]
    assert out.tolist() == [-1 if value is None or fault_of(value) else to_ms(value) for value in values]


def test_days_are_counted_from_1970() -> None:
    """A date is its number; what is none has none."""
    assert day_number("1970-01-01") == 0
    assert day_number("2026-10-01") == 20727
    assert [day_number(text) for text in ("2026-02-30", "2026-1-1", "20260101", "")] == [None] * 4
