"""J9, late evidence: late fixes have a lane of their own in each slot, and must not repeat what was told.

Plain Python: late fixes are few. The step writes down, in order, where the subject's slots stood when a late fix came; what was
opened and cleared is seen in its events. Everything is kept by ids, so that it outlives registry versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

QUARTER_HOUR_MS = 15 * 60 * 1000
REMEMBERED = 4

SlotKey = tuple[str, str]
"""Subject and slot."""


@dataclass(slots=True)
class Lane:
    """Late judgements of one slot since it started anew, in arrival order."""

    last_ms: int | None = None
    times: set[int] = field(default_factory=set)
    breaches: list[int] = field(default_factory=list)

    def take(self, verdict: str, time_ms: int, confirm_fixes: int, confirm_ms: int, max_age_ms: int) -> tuple[int, int] | None:
        """One late judgement ("fine", "uncertain" or "breach"); onset and time where it completes late evidence."""
        if self.last_ms is not None and abs(time_ms - self.last_ms) > max_age_ms:
            self.start_anew()
        if time_ms in self.times:
            return None
        self.last_ms = time_ms
        self.times.add(time_ms)
        if verdict == "fine":
            self.breaches = []
        if verdict != "breach":
            return None
        self.breaches.append(time_ms)
        onset_ms, latest_ms = min(self.breaches), max(self.breaches)
        if len(self.breaches) < confirm_fixes or latest_ms - onset_ms < confirm_ms:
            return None
        self.start_anew()
        return onset_ms, latest_ms

    def start_anew(self) -> None:
        """Forget everything."""
        self.last_ms, self.times, self.breaches = None, set(), []


@dataclass(slots=True)
class Past:
    """Episodes of one slot, [onset, end], in the order in which they were opened: the last ones that ended, and the open one.

    The open one has no end yet. Late evidence may come while it is open: what ends last need not be what was opened last.
    """

    episodes: list[tuple[int, int | None]] = field(default_factory=list)

    def opened(self, onset_ms: int, end_ms: int | None) -> None:
        """One more; late evidence has its end at once."""
        self.episodes.append((onset_ms, end_ms))
        self._forget_old()

    def cleared(self, end_ms: int) -> None:
        """The open one has ended."""
        self.episodes = [(onset, end_ms if end is None else end) for onset, end in self.episodes]
        self._forget_old()

    def knows(self, onset_ms: int) -> bool:
        """Whether an onset falls to one of them, or near it."""
        return any(
            start - QUARTER_HOUR_MS <= onset_ms and (end is None or onset_ms <= end + QUARTER_HOUR_MS)
            for start, end in self.episodes
        )

    def _forget_old(self) -> None:
        ended = [episode for episode in self.episodes if episode[1] is not None]
        for old in ended[:-REMEMBERED]:
            self.episodes.remove(old)


@dataclass(slots=True)
class Lanes:
    """The lanes of one subject by slot; `seen_ms`: his late fixes in arrival order, for slots whose lane is not kept yet.

    A rule that was never broken late has had only fine judgements: its lane is made of what was seen when it is first needed.
    """

    slots: dict[str, Lane] = field(default_factory=dict)
    seen_ms: list[int] = field(default_factory=list)

    def see(self, time_ms: int, max_age_ms: int) -> None:
        """A late fix was judged."""
        if self.seen_ms and abs(time_ms - self.seen_ms[-1]) > max_age_ms:
            self.seen_ms = []
        if time_ms not in self.seen_ms:
            self.seen_ms.append(time_ms)

    def of(self, slot: str, max_age_ms: int, was_active: Callable[[int], bool]) -> Lane:
        """The lane of a slot; `was_active(time_ms)` says whether it was judged then."""
        lane = self.slots.get(slot)
        if lane is None:
            lane = self.slots[slot] = Lane()
            for time_ms in self.seen_ms:
                if was_active(time_ms):
                    lane.take("fine", time_ms, 1, 0, max_age_ms)
        return lane


class LateEvidence:
    """The lanes of all subjects of a shard, and the past episodes that they must not repeat."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lanes] = {}
        self.past: dict[SlotKey, Past] = {}

    def opened(self, key: SlotKey, onset_ms: int) -> None:
        """An episode was opened."""
        self.past.setdefault(key, Past()).opened(onset_ms, None)

    def cleared(self, key: SlotKey, end_ms: int) -> None:
        """It has ended."""
        self.past.setdefault(key, Past()).cleared(end_ms)

    def is_new(self, key: SlotKey, evidence: tuple[int, int], pending_since_ms: int | None) -> bool:
        """Whether late evidence has to be told; it is then one of the past episodes."""
        if pending_since_ms is not None and evidence[0] >= pending_since_ms - QUARTER_HOUR_MS:
            return False
        past = self.past.setdefault(key, Past())
        if past.knows(evidence[0]):
            return False
        past.opened(*evidence)
        return True

    def forget_slots(self, slots: set[str]) -> None:
        """Drop lanes and past of some slots, whoever's."""
        for lanes in self.lanes.values():
            for slot in slots & lanes.slots.keys():
                del lanes.slots[slot]
        self.past = {key: past for key, past in self.past.items() if key[1] not in slots}

    def forget_subjects(self, subjects: set[str]) -> None:
        """Drop all of some subjects."""
        for subject in subjects:
            self.lanes.pop(subject, None)
        self.past = {key: past for key, past in self.past.items() if key[0] not in subjects}
