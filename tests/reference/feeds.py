"""J10, what only a live run has: a source that falls silent, and the silences of its subjects held meanwhile.

A replay has no sources and no clock marks, so `tests.reference.replay` cannot show this part. Here it stands alone: a course of
records and marks in line, what they make of silences and of sources, and nothing else of the contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """A record of a subject that came through a source, stamped by it; where it was rejected, nobody is heard."""

    feed: str
    subject: str
    stamp: int
    rejected: bool = False


@dataclass(frozen=True)
class Mark:
    """The lane's clock, and the clocks of some sources."""

    lane: int
    feeds: dict[str, int]


@dataclass(frozen=True)
class Terms:
    """Of the policy and the registry; all times in milliseconds. `home`: the region of each subject, None where he has none."""

    feed_silent_after: int
    feed_min_subjects: int
    silent_long_after: int
    silent_after: dict[str, int]
    home: dict[str, str | None]


Told = tuple[str, str, str, int, int, tuple[str, ...]]
"""What is told: change, subject or source, slot, onset, time, regions."""


@dataclass
class _Feed:
    last: int | None = None
    onset: int | None = None
    told: tuple[str, ...] = ()
    back: int | None = None


@dataclass
class _Subject:
    arrival: int
    feed: str
    silent: int | None = None
    long: int | None = None


@dataclass
class Course:
    """A run in progress."""

    terms: Terms
    feeds: dict[str, _Feed] = field(default_factory=dict)
    subjects: dict[str, _Subject] = field(default_factory=dict)

    def take(self, item: Record | Mark) -> Iterator[Told]:
        """What one record or mark makes."""
        if isinstance(item, Record):
            yield from self._record(item)
            return
        for name, clock in item.feeds.items():
            yield from self._feed_due(name, clock)
        for name in self.subjects:
            yield from self._silences(name, item.lane)

    def _record(self, record: Record) -> Iterator[Told]:
        feed = self.feeds.setdefault(record.feed, _Feed())
        if feed.onset is not None:
            feed.back = max(record.stamp, feed.onset)
            yield "cleared", record.feed, "feed", feed.onset, feed.back, feed.told
            feed.onset = None
        feed.last = record.stamp if feed.last is None else max(feed.last, record.stamp)
        if record.rejected:
            return
        s = self.subjects.setdefault(record.subject, _Subject(record.stamp, record.feed))
        yield from self._silences(record.subject, record.stamp)
        for slot, onset in (("silent", s.silent), ("silent_long", s.long)):
            if onset is not None:
                yield "cleared", record.subject, slot, onset, record.stamp, self._home(record.subject)
        s.silent = s.long = None
        s.arrival, s.feed = max(s.arrival, record.stamp), record.feed

    def _feed_due(self, name: str, clock: int) -> Iterator[Told]:
        feed = self.feeds.get(name)
        if feed is None or feed.last is None or feed.onset is not None:
            return
        whose = [subject for subject, s in self.subjects.items() if s.feed == name]
        due = feed.last + self.terms.feed_silent_after
        if due < clock and len(whose) >= self.terms.feed_min_subjects:
            feed.onset = due
            feed.told = tuple(sorted({region for subject in whose for region in self._home(subject)}))
            yield "opened", name, "feed", due, due, feed.told

    def _silences(self, name: str, before: int) -> Iterator[Told]:
        s, feed = self.subjects[name], self.feeds[self.subjects[name].feed]
        counts_from = s.arrival if feed.back is None else max(s.arrival, feed.back)
        due = counts_from + self.terms.silent_after[name]
        if s.silent is None and due < before and (feed.onset is None or due < feed.onset):
            s.silent = due
            yield "opened", name, "silent", due, due, self._home(name)
        if s.silent is not None and s.long is None and s.silent + self.terms.silent_long_after < before:
            s.long = s.silent + self.terms.silent_long_after
            yield "opened", name, "silent_long", s.long, s.long, self._home(name)

    def _home(self, subject: str) -> tuple[str, ...]:
        region = self.terms.home[subject]
        return () if region is None else (region,)


def told_of(terms: Terms, course: Sequence[Record | Mark]) -> list[list[Told]]:
    """What each item of a course makes, in no order of its own."""
    run = Course(terms)
    return [sorted(run.take(item)) for item in course]
