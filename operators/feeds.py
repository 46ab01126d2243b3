"""J10, live only: a source that falls silent. One alert, and none for each of its subjects.

A source is what the configuration names; all of its streams count as one. What deadlines need of it stands in `Memory.feed`; the
rest is here, in plain Python: it is asked once a batch and once a mark. A source is silent by its own clock, the least mark over
its streams, so that neither a backlog of its own nor one of another source looks like silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fences.activity import NEVER
from fences.fence_set import FenceSet
from operators.alert import Alert, Change, alert_id, episode_id
from operators.fix_batch import ABSENT_MS
from operators.state import NEXT_DUE, State, empty_feeds

KIND, SLOT, LEVEL = "feed_silent", "feed", "red"


@dataclass(slots=True)
class Feed:
    """One source. `last_ms`: the newest stamp of its records (None: none came yet), UTC milliseconds as all times here.

    `onset_ms`: since when it is silent (None: it is not), told to the regions `told`. `floor_ms`: no onset lies before it (a new
    registry version). `few_ms`: the onset that was not told because too few were last heard through it.
    """

    name: str
    last_ms: int | None = None
    onset_ms: int | None = None
    told: tuple[str, ...] = ()
    floor_ms: int | None = None
    few_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a batch says of its source: stamps of its first and last record, and the arrival of the first (UTC milliseconds)."""

    first_ms: int
    arrival_ms: int
    last_ms: int


class Feeds:
    """The sources of a lane, over the memory of its shard (a live lane has one)."""

    def __init__(self, state: State, names: Sequence[str], saved: dict[str, Any] | None = None) -> None:
        """`names`: the sources configured; `saved`: what an earlier run's `snapshot` gave, perhaps with other sources."""
        self._state = state
        kept = {feed["name"]: (Feed(**feed), returned_ms) for feed, returned_ms in saved["feeds"]} if saved else {}
        self._feeds = [kept[name][0] if name in kept else Feed(name) for name in names]
        self._gone = [feed for name, (feed, _) in kept.items() if name not in names and feed.onset_ms is not None]
        self._number = {name: k for k, name in enumerate(names, 1)}
        rows = state.memory.row["heard_through"]
        # Under other sources the rows of `Memory.feed` have other numbers; of one that is gone they have none.
        to = np.array([0, *(self._number.get(name, 0) for name in kept)], np.uint16)
        rows[:] = to[np.minimum(rows, len(to) - 1)] if saved else 0
        table = empty_feeds(len(names) + 1)
        for k, feed in enumerate(self._feeds, 1):
            table[k]["held_from_ms"] = NEVER if feed.onset_ms is None else feed.onset_ms
            table[k]["returned_ms"] = kept[feed.name][1] if feed.name in kept else ABSENT_MS
        state.memory = state.memory._replace(feed=table)

    def number(self, name: str) -> int:
        """The row of `Memory.feed` of a source; 0 of one that is not configured."""
        return self._number.get(name, 0)

    def silent(self) -> dict[str, bool]:
        """Which of the sources configured are silent."""
        return {feed.name: feed.onset_ms is not None for feed in self._feeds}

    def heard(self, name: str, heard: Heard, fence_set: FenceSet) -> list[Alert]:
        """Records have come through a source, accepted or not: the first one clears its silence."""
        number = self.number(name)
        if not number:
            return []
        feed = self._feeds[number - 1]
        alerts = [] if feed.onset_ms is None else [self._clear(number, feed, heard, fence_set)]
        feed.last_ms = heard.last_ms if feed.last_ms is None else max(feed.last_ms, heard.last_ms)
        return alerts

    def bring(self, clocks: Iterable[tuple[str, int]], now_ms: int | None, fence_set: FenceSet) -> list[Alert]:
        """Open what is due before the clocks of some sources (name, UTC milliseconds).

        `now_ms`, the lane's clock where it is known, ends what was open of sources that are configured no more.
        """
        alerts: list[Alert] = []
        if self._gone and now_ms is not None:
            alerts += [
                _alert(feed, "cleared", max(now_ms, feed.onset_ms or 0), fence_set, reason="rule_ended") for feed in self._gone
            ]
            self._gone = []
        policy = fence_set.registry.policy
        after_ms = round(policy.feed_silent_after_s * 1000)
        for name, clock_ms in clocks:
            number = self.number(name)
            feed = self._feeds[number - 1] if number else None
            if feed is None or feed.last_ms is None or feed.onset_ms is not None:
                continue
            due_ms = feed.last_ms + after_ms
            if feed.floor_ms is not None:
                due_ms = max(due_ms, feed.floor_ms)
            if due_ms >= clock_ms or due_ms == feed.few_ms:
                continue
            row = self._state.memory.row
            whose = np.nonzero((row["heard_through"] == number) & (row["arrival_ms"] != ABSENT_MS))[0]
            if len(whose) < policy.feed_min_subjects:
                # Until a record comes they can only become fewer: this onset need not be looked at again.
                feed.few_ms = due_ms
                continue
            homes = np.unique(fence_set.registry.subject_home[whose])
            feed.told = tuple(sorted(fence_set.registry.area_ids[home] for home in homes.tolist() if home >= 0))
            self.hold(name, due_ms)
            alerts.append(_alert(feed, "opened", due_ms, fence_set))
        return alerts

    def hold(self, name: str, onset_ms: int) -> None:
        """A source is silent since an instant: from then on no `silent` opens of those last heard through it."""
        number = self.number(name)
        self._feeds[number - 1].onset_ms = onset_ms
        self._state.memory.feed[number]["held_from_ms"] = onset_ms

    def release(self, name: str, returned_ms: int) -> None:
        """It is back since an instant: deadlines of those last heard through it count from there at the earliest."""
        number = self.number(name)
        self._feeds[number - 1].onset_ms = None
        self._state.memory.feed[number]["held_from_ms"] = NEVER
        self._state.memory.feed[number]["returned_ms"] = returned_ms
        self._state.memory.pool.head[NEXT_DUE] = 0

    def change_version(self, old: FenceSet, new: FenceSet, mark_ms: int) -> None:
        """A new registry version holds from an instant on: an onset that it would put before that is that instant."""
        for feed in self._feeds:
            feed.few_ms = None
            if new.registry.policy.feed_silent_after_s != old.registry.policy.feed_silent_after_s:
                feed.floor_ms = mark_ms

    def snapshot(self) -> dict[str, Any]:
        """All that has to be saved: plain names and numbers."""
        returned = self._state.memory.feed["returned_ms"].tolist()
        gone = [(asdict(feed), int(ABSENT_MS)) for feed in self._gone]
        return {"feeds": [*((asdict(feed), returned[k]) for k, feed in enumerate(self._feeds, 1)), *gone]}

    def _clear(self, number: int, feed: Feed, heard: Heard, fence_set: FenceSet) -> Alert:
        # What was written while the source could not be read may be older than the onset: an end does not lie before its beginning.
        returned_ms = max(heard.first_ms, feed.onset_ms or 0)
        alert = _alert(feed, "cleared", returned_ms, fence_set, reason="returned", received_ms=heard.arrival_ms)
        self.release(self._feeds[number - 1].name, returned_ms)
        feed.told = ()
        return alert


def _alert(
    feed: Feed, change: Change, time_ms: int, fence_set: FenceSet, *, reason: str | None = None, received_ms: int | None = None
) -> Alert:
    onset_ms = feed.onset_ms or 0
    return Alert(
        id=alert_id(feed.name, SLOT, onset_ms, change),
        change=change,
        time_ms=time_ms,
        subject=feed.name,
        slot=SLOT,
        kind=KIND,
        level=LEVEL,
        episode=episode_id(feed.name, SLOT, onset_ms),
        rule=None,
        onset_ms=onset_ms,
        reason=reason,
        lon=None,
        lat=None,
        accuracy_m=None,
        distance_m=None,
        home_region=None,
        found_region=None,
        rules_version=fence_set.version,
        late=False,
        received_ms=received_ms,
        regions=feed.told,
    )
