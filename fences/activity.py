"""J1: when a rule is active, and when that changes next. Look-ups in arrays; no calendar objects.

A time zone is its list of changes; a schedule is its spans in local milliseconds of a day and its excepted dates. A local time that
the clocks skip is the first instant after the gap; of a repeated one the first counts for the beginning of a span, the second for
its end (section 4 of the contract).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined, record_type
from fences.registry import Schedule

DAY_MS = 86_400_000
MINUTE_MS = 60_000
CALM_MS = 3 * DAY_MS
"""So far from a change of the clocks a span can be compared in local time."""
LOOK_AHEAD_DAYS = 9
"""A change of a schedule is sought so far; beyond it, one has to look again (a week has all of its spans once)."""
NEVER = np.int64(np.iinfo(np.int64).max)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1989, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)


CHANGE = record_type([("at_ms", "i8"), ("offset_ms", "i8"), ("local_ms", "i8")])
"""From `at_ms` (UTC) on, local time is UTC + `offset_ms`; `local_ms` is the least local time that the change touches."""
SPAN = record_type([("from_ms", "i8"), ("to_ms", "i8"), ("days", "i8")])
"""A span in milliseconds of the local day on which it starts (`to_ms` is above `from_ms`); bit 0 of `days` is Monday."""
SCHEDULE = record_type(
    [("span_at", "i4"), ("span_end", "i4"), ("except_at", "i4"), ("except_end", "i4"), ("zone", "i4"), ("spare", "i4")]
)
"""A schedule's spans and excepted dates, and its own time zone (-1: the subject's)."""


class Calendar(NamedTuple):
    """Zones and schedules for compiled loops.

    Zone z has the changes `zone_start[z]` to `zone_start[z + 1]` of `change` CHANGE. `schedule` SCHEDULE, `span` SPAN, `except_day`
    int64 (days since 1970-01-01).
    """

    zone_start: NDArray[np.int64]
    change: NDArray[np.void]
    schedule: NDArray[np.void]
    span: NDArray[np.void]
    except_day: NDArray[np.int64]


def compile_calendar(zones: Sequence[str], schedules: Sequence[tuple[Schedule, int]]) -> Calendar:
    """Arrays of some time zones, and of schedules with the number of their own zone (-1: the subject's)."""
    changes = [_changes(zone) for zone in zones]
    change = np.array([row for rows in changes for row in rows], CHANGE)
    spans = [span for schedule, _ in schedules for span in schedule.spans]
    span = np.zeros(len(spans), SPAN)
    span["from_ms"] = [s.from_min * MINUTE_MS for s in spans]
    span["to_ms"] = [s.to_min * MINUTE_MS for s in spans]
    span["to_ms"] += np.where(span["to_ms"] > span["from_ms"], 0, DAY_MS)
    span["days"] = [sum(1 << day for day in s.days) for s in spans]
    table = np.zeros(len(schedules), SCHEDULE)
    for name, counts in (("span", [len(s.spans) for s, _ in schedules]), ("except", [len(s.except_days) for s, _ in schedules])):
        ends = np.cumsum(counts)
        table[f"{name}_at"], table[f"{name}_end"] = ends - counts, ends
    table["zone"] = [zone for _, zone in schedules]
    days = np.array([day for schedule, _ in schedules for day in schedule.except_days], np.int64)
    return Calendar(np.concatenate([[0], np.cumsum([len(c) for c in changes])]).astype(np.int64), change, table, span, days)


@lru_cache(maxsize=1000)
def _changes(zone: str) -> tuple[tuple[int, int, int], ...]:
    """Changes of a zone's offset from 1989 to 2101: (instant, offset, least local time touched), the first at minus infinity."""
    tz = ZoneInfo(zone)

    def offset_ms(at: datetime) -> int:
        return round((at.astimezone(tz).utcoffset() or timedelta()).total_seconds() * 1000)

    def ms(at: datetime) -> int:
        return round((at - _EPOCH).total_seconds()) * 1000

    out = [(-(1 << 62), offset_ms(_FIRST), -(1 << 62))]
    at = _FIRST
    while at < _LAST:
        after = at + timedelta(days=7)
        if offset_ms(after) != offset_ms(at):
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                middle = middle.replace(microsecond=0)
                low, high = (middle, high) if offset_ms(middle) == offset_ms(at) else (low, middle)
            out.append((ms(high), offset_ms(high), ms(high) + min(offset_ms(high), out[-1][1])))
        at = after
    return tuple(out)


@compiled
def _last_change(change: NDArray[np.void], low: int, high: int, time_ms: int, local: bool) -> int:
    """The last change in [low, high) not after a time, UTC or (`local`) local; the first one is before everything."""
    if (change[high - 1].local_ms if local else change[high - 1].at_ms) <= time_ms:
        return high - 1  # a zone that has let its clocks alone for years
    while high - low > 1:
        middle = (low + high) >> 1
        if (change[middle].local_ms if local else change[middle].at_ms) <= time_ms:
            low = middle
        else:
            high = middle
    return low


@compiled
def _instant(calendar: Calendar, zone: int, local_ms: int, second: bool) -> int:
    """The instant of a local time; `second`: of a repeated one the second."""
    first = calendar.zone_start[zone]
    k = _last_change(calendar.change, first, calendar.zone_start[zone + 1], local_ms, True)
    after = calendar.change[k].offset_ms
    if k == first:
        return local_ms - after
    before = calendar.change[k - 1].offset_ms
    at = calendar.change[k].at_ms
    if after > before and local_ms < at + after:
        return at
    if after < before and local_ms < at + before and not second:
        return local_ms - before
    return local_ms - after


@compiled
def _starts_on(calendar: Calendar, schedule: int, span: int, day: int) -> bool:
    """Whether a span starts on a local date (days since 1970-01-01, a Thursday)."""
    if not calendar.span[span].days >> ((day + 3) % 7) & 1:
        return False
    for i in range(calendar.schedule[schedule].except_at, calendar.schedule[schedule].except_end):
        if calendar.except_day[i] == day:
            return False
    return True


@compiled
def schedule_covers(calendar: Calendar, schedule: int, zone: int, time_ms: int) -> bool:
    """Whether a span of a schedule covers an instant; `zone` is the subject's, where the schedule has none of its own."""
    if calendar.schedule[schedule].zone >= 0:
        zone = calendar.schedule[schedule].zone
    first, end = calendar.zone_start[zone], calendar.zone_start[zone + 1]
    k = _last_change(calendar.change, first, end, time_ms, False)
    local_ms = time_ms + calendar.change[k].offset_ms
    today = local_ms // DAY_MS
    calm = time_ms - calendar.change[k].at_ms > CALM_MS and (k + 1 == end or calendar.change[k + 1].at_ms - time_ms > CALM_MS)
    for span in range(calendar.schedule[schedule].span_at, calendar.schedule[schedule].span_end):
        for day in range(today - 1 if calm else today - 3, today + 1 if calm else today + 3):
            if not _starts_on(calendar, schedule, span, day):
                continue
            begins, ends = day * DAY_MS + calendar.span[span].from_ms, day * DAY_MS + calendar.span[span].to_ms
            if calm:
                if begins <= local_ms < ends:
                    return True
            elif _instant(calendar, zone, begins, False) <= time_ms < _instant(calendar, zone, ends, True):
                return True
    return False


@inlined
def is_active(calendar: Calendar, from_ms: int, until_ms: int, schedule: int, zone: int, time_ms: int) -> bool:
    """J1: whether a rule is active at an instant; `schedule` -1 for none."""
    return from_ms <= time_ms < until_ms and (schedule < 0 or schedule_covers(calendar, schedule, zone, time_ms))


@compiled
def _next_bound(calendar: Calendar, schedule: int, zone: int, after_ms: int, limit_ms: int) -> int:
    """The first instant after `after_ms` at which a span of a schedule begins or ends; `limit_ms` where there is none before it."""
    end = calendar.zone_start[zone + 1]
    k = _last_change(calendar.change, calendar.zone_start[zone], end, after_ms, False)
    offset_ms = calendar.change[k].offset_ms
    today, best = (after_ms + offset_ms) // DAY_MS, limit_ms
    # Far from a change of the clocks a local time is an instant at once.
    calm = after_ms - calendar.change[k].at_ms > CALM_MS and (k + 1 == end or calendar.change[k + 1].at_ms - limit_ms > CALM_MS)
    for span in range(calendar.schedule[schedule].span_at, calendar.schedule[schedule].span_end):
        from_ms, to_ms = calendar.span[span].from_ms, calendar.span[span].to_ms
        for day in range(today - 1 if calm else today - 3, today + LOOK_AHEAD_DAYS + 3):
            if day * DAY_MS - (offset_ms if calm else CALM_MS) > best:
                break
            if _starts_on(calendar, schedule, span, day):
                begins, ends = day * DAY_MS + from_ms - offset_ms, day * DAY_MS + to_ms - offset_ms
                if not calm:
                    begins = _instant(calendar, zone, day * DAY_MS + from_ms, False)
                    ends = _instant(calendar, zone, day * DAY_MS + to_ms, True)
                if begins < ends:
                    if after_ms < begins < best:
                        best = begins
                    if after_ms < ends < best:
                        best = ends
    return best


@compiled
def _schedule_changes(calendar: Calendar, schedule: int, zone: int, after_ms: int) -> int:
    """The first instant after `after_ms` at which a schedule begins or ceases to cover.

    Where there is none soon, when to look again.
    """
    if calendar.schedule[schedule].zone >= 0:
        zone = calendar.schedule[schedule].zone
    limit_ms = after_ms + LOOK_AHEAD_DAYS * DAY_MS
    at = after_ms
    while True:
        at = _next_bound(calendar, schedule, zone, at, limit_ms)
        # Where one span ends and another begins, or goes on, nothing changes.
        if at >= limit_ms or schedule_covers(calendar, schedule, zone, at) != schedule_covers(calendar, schedule, zone, at - 1):
            return at


@compiled
def next_change(calendar: Calendar, from_ms: int, until_ms: int, schedule: int, zone: int, after_ms: int) -> int:
    """The first instant after `after_ms` at which a rule's being active may change, `NEVER` where it never does.

    Never later than the first change; where a schedule has none for long it is an instant at which to look again.
    """
    if after_ms >= until_ms:
        return NEVER
    if after_ms < from_ms:
        return from_ms
    if schedule < 0:
        return until_ms
    return min(until_ms, _schedule_changes(calendar, schedule, zone, after_ms))
