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

from fences.compiled import compiled, inlined
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


class Calendar(NamedTuple):
    """Zones and schedules for compiled loops.

    Zone z has changes `zone_start[z]` to `zone_start[z + 1]`: from `zone_at` int64 (UTC ms) on, local time is UTC + `zone_offset`
    int64 ms; `zone_local` is the least local time that the change touches. Schedule s has spans `span_start[s]`...: `span_days`
    uint8 (bit 0 = Monday), `span_from`, `span_to` int64 ms of the local day (`span_to` is above `span_from`); `except_day` int64
    (days since 1970); `own_zone` int32, -1 where the subject's counts.
    """

    zone_start: NDArray[np.int64]
    zone_at: NDArray[np.int64]
    zone_offset: NDArray[np.int64]
    zone_local: NDArray[np.int64]
    span_start: NDArray[np.int64]
    span_days: NDArray[np.uint8]
    span_from: NDArray[np.int64]
    span_to: NDArray[np.int64]
    except_start: NDArray[np.int64]
    except_day: NDArray[np.int64]
    own_zone: NDArray[np.int32]


def compile_calendar(zones: Sequence[str], schedules: Sequence[tuple[Schedule, int]]) -> Calendar:
    """Arrays of some time zones, and of schedules with the number of their own zone (-1: the subject's)."""
    changes = [_changes(zone) for zone in zones]
    spans = [span for schedule, _ in schedules for span in schedule.spans]
    starts = np.array([s.from_min * MINUTE_MS for s in spans], np.int64)
    ends = np.array([s.to_min * MINUTE_MS for s in spans], np.int64)
    return Calendar(
        _starts([len(c) for c in changes]),
        np.array([at for c in changes for at, _, _ in c], np.int64),
        np.array([offset for c in changes for _, offset, _ in c], np.int64),
        np.array([local for c in changes for _, _, local in c], np.int64),
        _starts([len(schedule.spans) for schedule, _ in schedules]),
        np.array([sum(1 << day for day in s.days) for s in spans], np.uint8),
        starts,
        np.where(ends > starts, ends, ends + DAY_MS),
        _starts([len(schedule.except_days) for schedule, _ in schedules]),
        np.array([day for schedule, _ in schedules for day in schedule.except_days], np.int64),
        np.array([zone for _, zone in schedules], np.int32),
    )


def _starts(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


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
def _last_not_after(values: NDArray[np.int64], low: int, high: int, value: int) -> int:
    """The last place in [low, high) whose value is not above `value`; the first one is minus infinity."""
    if values[high - 1] <= value:
        return high - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if values[middle] <= value:
            low = middle
        else:
            high = middle
    return low


@compiled
def _instant(calendar, zone, local_ms, second):  # type: ignore[no-untyped-def]
    """The instant of a local time; `second`: of a repeated one the second."""
    first = calendar.zone_start[zone]
    k = _last_not_after(calendar.zone_local, first, calendar.zone_start[zone + 1], local_ms)
    after = calendar.zone_offset[k]
    if k == first:
        return local_ms - after
    before = calendar.zone_offset[k - 1]
    at = calendar.zone_at[k]
    if after > before and local_ms < at + after:
        return at
    if after < before and local_ms < at + before and not second:
        return local_ms - before
    return local_ms - after


@compiled
def _starts_on(calendar, schedule, span, day):  # type: ignore[no-untyped-def]
    """Whether a span starts on a local date (days since 1970-01-01, a Thursday)."""
    if not calendar.span_days[span] >> ((day + 3) % 7) & 1:
        return False
    for i in range(calendar.except_start[schedule], calendar.except_start[schedule + 1]):
        if calendar.except_day[i] == day:
            return False
    return True


@compiled
def schedule_covers(calendar, schedule, zone, time_ms):  # type: ignore[no-untyped-def]
    """Whether a span of a schedule covers an instant; `zone` is the subject's, where the schedule has none of its own."""
    if calendar.own_zone[schedule] >= 0:
        zone = calendar.own_zone[schedule]
    first, end = calendar.zone_start[zone], calendar.zone_start[zone + 1]
    k = _last_not_after(calendar.zone_at, first, end, time_ms)
    local_ms = time_ms + calendar.zone_offset[k]
    today = local_ms // DAY_MS
    calm = time_ms - calendar.zone_at[k] > CALM_MS and (k + 1 == end or calendar.zone_at[k + 1] - time_ms > CALM_MS)
    for span in range(calendar.span_start[schedule], calendar.span_start[schedule + 1]):
        for day in range(today - 1 if calm else today - 3, today + 1 if calm else today + 3):
            if not _starts_on(calendar, schedule, span, day):
                continue
            begins, ends = day * DAY_MS + calendar.span_from[span], day * DAY_MS + calendar.span_to[span]
            if calm:
                if begins <= local_ms < ends:
                    return True
            elif _instant(calendar, zone, begins, False) <= time_ms < _instant(calendar, zone, ends, True):
                return True
    return False


@inlined
def is_active(calendar, from_ms, until_ms, schedule, zone, time_ms):  # type: ignore[no-untyped-def]
    """J1: whether a rule is active at an instant; `schedule` -1 for none."""
    return from_ms <= time_ms < until_ms and (schedule < 0 or schedule_covers(calendar, schedule, zone, time_ms))


@compiled
def _schedule_changes(calendar, schedule, zone, after_ms):  # type: ignore[no-untyped-def]
    """The first instant after `after_ms` at which a schedule begins or ceases to cover; where there is none soon, when to look again."""
    if calendar.own_zone[schedule] >= 0:
        zone = calendar.own_zone[schedule]
    k = _last_not_after(calendar.zone_at, calendar.zone_start[zone], calendar.zone_start[zone + 1], after_ms)
    today = (after_ms + calendar.zone_offset[k]) // DAY_MS
    best = after_ms + LOOK_AHEAD_DAYS * DAY_MS
    for span in range(calendar.span_start[schedule], calendar.span_start[schedule + 1]):
        for day in range(today - 3, today + LOOK_AHEAD_DAYS + 3):
            if _starts_on(calendar, schedule, span, day):
                begins = _instant(calendar, zone, day * DAY_MS + calendar.span_from[span], False)
                ends = _instant(calendar, zone, day * DAY_MS + calendar.span_to[span], True)
                for at in (begins, ends):
                    if (
                        after_ms < at < best
                        and begins < ends
                        and schedule_covers(calendar, schedule, zone, at) != schedule_covers(calendar, schedule, zone, at - 1)
                    ):
                        best = at
    return best


@compiled
def next_change(calendar, from_ms, until_ms, schedule, zone, after_ms):  # type: ignore[no-untyped-def]
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
