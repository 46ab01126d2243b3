"""Schedules as written: days, times of day, excepted dates."""

from __future__ import annotations

import pytest

from fences.records import SpanRecord
from fences.registry import Schedule, Span
from fences.schedules import DAYS, Schedules, clock_minutes, parse

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("days", "numbers"),
    [
        (None, EVERY_DAY),
        ("mon", (0,)),
        ("mon-fri,sun", (0, 1, 2, 3, 4, 6)),
        ("fri-mon", (0, 4, 5, 6)),
        ("sun-sat", EVERY_DAY),
        ("sat-sat", (5,)),
        ("mon,mon-tue", (0, 1)),
    ],
)
def test_days(days: str | None, numbers: tuple[int, ...]) -> None:
    """Lists and spans of days, over the end of the week; without days every day."""
    schedule, faults = parse((((days, "00:00", "24:00"),), ()))
    assert not faults
    assert schedule == Schedule((Span(numbers, 0, 1440),), ())


@pytest.mark.parametrize("days", ["", "Mon", "monday", "mon-", "-mon", "mon-tue-wed", "mon, tue", "mon;tue", "1", "mon--fri"])
def test_what_are_no_days(days: str) -> None:
    """One fault, which names the days there are."""
    schedule, [fault] = parse((((days, "08:00", "09:00"),), ()))
    assert schedule is None
    assert fault.path == "schedule[0].days"
    assert all(day in fault.write for day in DAYS)


def test_times_of_day() -> None:
    """From 00:00 to 23:59; 24:00 is an end only."""
    assert [clock_minutes(text) for text in ("00:00", "09:30", "23:59")] == [0, 570, 1439]
    assert [clock_minutes(text) for text in ("24:00", "9:30", "12:60", "12:00:00", "", " 12:00", "noon")] == [None] * 7
    assert parse((((None, "24:00", "06:00"),), ()))[1][0].path == "schedule[0].from"
    assert parse((((None, "06:00", "24:01"),), ()))[1][0].path == "schedule[0].to"


def test_excepted_dates_are_sorted_and_count_once() -> None:
    """Days since 1970, whatever their order."""
    schedule, faults = parse((((None, "08:00", "09:00"),), ("2026-10-02", "2026-10-01", "2026-10-02")))
    assert not faults
    assert schedule is not None
    assert schedule.except_days == (20727, 20728)


def test_every_fault_of_a_schedule_is_told() -> None:
    """Not the first only."""
    _, faults = parse(((("mon,x,y", "8", "9"), (None, "1", "24:00")), ("today", "2026-10-01")))
    paths = ["schedule[0].days", "schedule[0].days", "schedule[0].from", "schedule[0].to", "schedule[1].from", "except[0]"]
    assert [fault.path for fault in faults] == paths


def test_the_same_schedule_is_one_object() -> None:
    """A hundred thousand curfews are parsed once and kept once."""
    known = Schedules()
    first, _ = known.parsed([SpanRecord("22:00", "06:00", "mon-fri")], [])
    again, _ = known.parsed([SpanRecord("22:00", "06:00", "mon-fri")], [])
    assert first is again
