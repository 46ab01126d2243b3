"""Who is where when: a path in time for every subject, as one sorted list of waypoints.

Between two waypoints a subject moves evenly on a straight line; before the first and after the last he stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.worlds.people import HOMEBOUND, People
from pipeline.worlds.plane import Floats

DAY_MS = 86_400_000
MINUTE_MS = 60_000
LOCAL_OFFSET_MS = 8 * 3_600_000
"""China keeps UTC+8 all year."""
SHARE_SHIFT_WORK = 0.25
WALK_MPS = 1.2
POINTS_A_DAY = 12

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Paths:
    """Waypoints of subject i: rows `start[i]:start[i + 1]`; `time_ms` does not fall within a subject; `x`, `y` in metres."""

    start: NDArray[np.int64]
    time_ms: Times
    x: NDArray[np.float32]
    y: NDArray[np.float32]

    def at(self, first: int, times_ms: Times) -> tuple[Floats, Floats, Floats, Floats]:
        """Place (x, y) and velocity (x, y; m/s) of subjects first, first + 1, ... at `times_ms` (subjects, samples)."""
        count = len(times_ms)
        begin, end = self.start[first : first + count], self.start[first + 1 : first + count + 1]
        low, high = begin[0], end[-1]
        # One search for all: subject and time packed into one rising key.
        origin = times_ms.min() - 2 * DAY_MS
        width = times_ms.max() - origin + 2 * DAY_MS
        owner = np.repeat(np.arange(count), end - begin)
        keys = owner * width + np.clip(self.time_ms[low:high] - origin, 0, width - 1)
        wanted = np.arange(count)[:, None] * width + (times_ms - origin)
        leg = low + np.searchsorted(keys, wanted.ravel(), side="right").reshape(wanted.shape) - 1
        here = np.clip(leg, begin[:, None], end[:, None] - 1)
        there = np.minimum(leg + 1, end[:, None] - 1)
        span_ms = np.maximum(self.time_ms[there] - self.time_ms[here], 1)
        share = np.clip((times_ms - self.time_ms[here]) / span_ms, 0.0, 1.0)
        moving = (leg >= begin[:, None]) * (1000.0 / span_ms)
        east, north = self.x[there] - self.x[here], self.y[there] - self.y[here]
        return self.x[here] + east * share, self.y[here] + north * share, east * moving, north * moving


def daily_paths(people: People, start_ms: int, end_ms: int, rng: np.random.Generator) -> Paths:
    """Ordinary days: to work and back in the morning and evening (a quarter at other hours), an errand near home; weekends off."""
    count = len(people)
    first_day = (start_ms + LOCAL_OFFSET_MS) // DAY_MS - 1
    last_day = (end_ms + LOCAL_OFFSET_MS) // DAY_MS + 1
    days = np.arange(first_day, last_day + 1)
    shape = (count, len(days))
    at_home = people.way[:, 0]
    works = (people.roams != HOMEBOUND)[:, None] & ((days + 3) % 7 < 5)  # 1970-01-01 was a Thursday
    leg_ms = np.hypot(*np.moveaxis(np.diff(people.way, axis=1), -1, 0)) / people.speed_mps[:, None] * 1000
    walk_ms = np.hypot(*(people.errand - at_home).T) / WALK_MPS * 1000
    shift_ms = np.where(rng.random(count) < SHARE_SHIFT_WORK, rng.uniform(-DAY_MS / 2, DAY_MS / 2, count), 0.0)

    out_ms = rng.uniform(390, 510, shape) * MINUTE_MS
    back_ms = rng.uniform(990, 1080, shape) * MINUTE_MS
    errand_ms = rng.uniform(1150, 1250, shape) * MINUTE_MS
    dwell_ms = rng.uniform(8, 25, shape) * MINUTE_MS
    time = np.empty((*shape, POINTS_A_DAY))
    time[..., 0] = out_ms
    time[..., 4] = back_ms
    for k in range(3):
        time[..., 1 + k] = time[..., k] + leg_ms[:, k, None] * works
        time[..., 5 + k] = time[..., 4 + k] + leg_ms[:, 2 - k, None] * works
    time[..., 8] = errand_ms
    time[..., 9] = errand_ms + walk_ms[:, None]
    time[..., 10] = time[..., 9] + dwell_ms
    time[..., 11] = time[..., 10] + walk_ms[:, None]
    time += (days * DAY_MS - LOCAL_OFFSET_MS)[None, :, None] + shift_ms[:, None, None]

    stops = [people.way[:, k] for k in (0, 1, 2, 3, 3, 2, 1, 0)] + [at_home, people.errand, people.errand, at_home]
    place = np.empty((*shape, POINTS_A_DAY, 2), np.float32)
    for k, stop in enumerate(stops):
        place[..., k, :] = np.where(works[..., None], stop[:, None], at_home[:, None]) if k < 8 else stop[:, None]
    return _trimmed(time.reshape(count, -1), place.reshape(count, -1, 2), start_ms, end_ms)


def _trimmed(time: Floats, place: NDArray[np.float32], start_ms: int, end_ms: int) -> Paths:
    """Only the waypoints that matter between `start_ms` and `end_ms`."""
    keep = np.ones(time.shape, bool)
    keep[:, :-1] &= time[:, 1:] >= start_ms
    keep[:, 1:] &= time[:, :-1] <= end_ms
    start = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    return Paths(start, time[keep].astype(np.int64), place[keep][:, 0].copy(), place[keep][:, 1].copy())


def replaced(paths: Paths, new: dict[int, tuple[Times, Floats]]) -> Paths:
    """The paths with those of some subjects replaced: {subject: (times (k,), places (k, 2))}."""
    if not new:
        return paths
    owner = np.repeat(np.arange(len(paths.start) - 1), np.diff(paths.start))
    keep = ~np.isin(owner, list(new))
    owners = np.concatenate([owner[keep], *[np.full(len(times), subject) for subject, (times, _) in new.items()]])
    time = np.concatenate([paths.time_ms[keep], *[times for times, _ in new.values()]])
    x = np.concatenate([paths.x[keep], *[places[:, 0].astype(np.float32) for _, places in new.values()]])
    y = np.concatenate([paths.y[keep], *[places[:, 1].astype(np.float32) for _, places in new.values()]])
    order = np.argsort(owners, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(paths.start) - 1))])
    return Paths(start, time[order], x[order], y[order])
