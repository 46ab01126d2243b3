"""The `schedule` and `except` of a rule as written, to a `Schedule`; what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fences.findings import Fault, meant, shown
from fences.records import SpanRecord
from fences.registry import Schedule, Span
from fences.times import day_number

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT_MIN = 24 * 60
_clock = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII).fullmatch

Written = tuple[tuple[tuple[str | None, str, str], ...], tuple[str, ...]]
"""A schedule as written, hashable: its spans (days, from, to) and its excepted dates."""


class Schedules:
    """Schedules by what was written. Registries repeat a few of them many thousand times, so each is parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[Written, tuple[Schedule | None, list[Fault]]] = {}

    def parsed(self, spans: Sequence[SpanRecord], excepted: Sequence[str]) -> tuple[Schedule | None, list[Fault]]:
        """The schedule (None where it has faults) and the faults, with their path from the record on."""
        written = tuple([(span.days, span.from_, span.to) for span in spans]), tuple(excepted)
        known = self._parsed.get(written)
        if known is None:
            known = self._parsed[written] = parse(written)
        return known


def parse(written: Written) -> tuple[Schedule | None, list[Fault]]:
    """The schedule that a rule writes, or the faults in it."""
    faults: list[Fault] = []
    if not written[0]:
        faults.append(
            Fault("empty schedule", "schedule", "a schedule without a span", "name a span, or leave the schedule out for always")
        )
    spans = []
    for i, (days, from_, to) in enumerate(written[0]):
        at = f"schedule[{i}]"
        weekdays = _weekdays(days, f"{at}.days", faults)
        from_min, to_min = clock_minutes(from_), MIDNIGHT_MIN if to == "24:00" else clock_minutes(to)
        if from_min is None:
            faults.append(Fault("time of day", f"{at}.from", f"{shown(from_)} is no time of day", 'write "00:00" to "23:59"'))
        if to_min is None:
            faults.append(Fault("time of day", f"{at}.to", f"{shown(to)} is no time of day", 'write "00:00" to "24:00"'))
        if from_min is not None and to_min is not None:
            spans.append(Span(weekdays, from_min, to_min))
    excepted = []
    for i, text in enumerate(written[1]):
        day = day_number(text)
        if day is None:
            faults.append(Fault("excepted date", f"except[{i}]", f"{shown(text)} is no date", 'write a date such as "2026-10-01"'))
        else:
            excepted.append(day)
    return (None if faults else Schedule(tuple(spans), tuple(sorted(set(excepted))))), faults


def clock_minutes(text: str) -> int | None:
    """Minutes since local midnight of `22:00`; None where it is no time of day (`24:00` is none here)."""
    match = _clock(text)
    return None if match is None else int(match[1]) * 60 + int(match[2])


def weekdays_of(text: str) -> Iterator[int | str]:
    """The weekdays (0 = Monday) of `mon-fri,sun`, `fri-mon` over the week's end; a part that is none as its text."""
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first in DAYS and (last in DAYS if dash else True):
            start = DAYS.index(first)
            number = (DAYS.index(last) - start) % 7 + 1 if dash else 1
            yield from ((start + k) % 7 for k in range(number))
        else:
            yield part


def _weekdays(text: str | None, path: str, faults: list[Fault]) -> tuple[int, ...]:
    if text is None:
        return tuple(range(7))
    weekdays = set()
    for item in weekdays_of(text):
        if isinstance(item, int):
            weekdays.add(item)
        else:
            what = f"{shown(item)} is no day of the week and no span of them{meant(item, DAYS)}"
            faults.append(Fault("days of a schedule", path, what, f'write {", ".join(DAYS)} as in "mon-fri,sun"'))
    return tuple(sorted(weekdays))
