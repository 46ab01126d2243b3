"""One subject's records through the real step, one by one up to an instant, with what became of each."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np

from operators.acceptance import REASONS
from operators.alert import Alert
from operators.distance import opening_m
from operators.explanation import WORD_OF_VERDICT
from operators.facts import Facts
from operators.fix_batch import ABSENT_MS
from operators.judge import NOT_JUDGED
from operators.order import CONFLICTS, CONTACTS, DUPLICATES, JUDGED, LATE
from operators.raise_alerts import slot_name
from operators.state import AREA_RULE
from pipeline.episodes import Shard
from pipeline.items import JudgedBatch, Mark, RegistryMark
from pipeline.totals import Totals

KEPT = 10
"""Records that are shown: the last ones."""
WORDS = {JUDGED: "judged", CONTACTS: "contact", LATE: "late", DUPLICATES: "duplicate", CONFLICTS: "conflict"}


class RecordFacts(msgspec.Struct, frozen=True):
    """A record, and what became of it: `judged`, `contact` (no position), `late`, `duplicate`, `conflict` or `rejected: reason`.

    `verdicts` by slot, where the judge says other than fine (of slot `area` always); `distance_m` to the nearest area allowed then.
    """

    time_ms: int | None
    arrival_ms: int | None
    became: str
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    verdicts: dict[str, str] = {}
    distance_m: float | None = None


class AlertFacts(msgspec.Struct, frozen=True):
    """An alert about the subject."""

    time_ms: int
    change: str
    slot: str
    kind: str
    level: str
    rule: str | None
    onset_ms: int
    reason: str | None
    late: bool
    regions: list[str]
    id: str


class Explanation(msgspec.Struct, frozen=True):
    """The answer. `origin`: `files`, `streams` (judged again) or `daemon` (what it knows now, without records and alerts).

    `records`: the last ones that had arrived by then, of `records_seen`. `later`: those of a time up to the instant that arrived
    only after it, and `later_alerts` the alerts of such a time that were told only then; `next_ms`: when the first record behind
    the instant arrived.
    """

    facts: Facts
    origin: str
    records: list[RecordFacts] = []
    records_seen: int = 0
    alerts: list[AlertFacts] = []
    later: list[RecordFacts] = []
    later_alerts: list[AlertFacts] = []
    next_ms: int | None = None
    notes: list[str] = []


class Story:
    """Takes a subject's records and marks in line. What was known at the instant ends with the first record that arrived after it.

    From there on a copy of the state stands still, and the story goes on: late records may tell something of before.
    """

    def __init__(self, shard: Shard, subject: str, at_ms: int) -> None:
        self.shard = shard
        self.subject = subject
        self.at_ms = at_ms
        self.seen = 0
        self._then: Shard | None = None
        self._alerts: list[Alert] = []
        self._later_alerts: list[Alert] = []
        self.next_ms: int | None = None
        self.later: list[RecordFacts] = []
        self._last: deque[Callable[[], RecordFacts]] = deque(maxlen=KEPT)

    def mark(self, mark: Mark) -> None:
        """A mark in line with his records; a registry version of after the instant ends what was known."""
        if isinstance(mark, RegistryMark) and mark.time_ms > self.at_ms:
            self._end()
        self._tell(self.shard.take(mark).alerts)

    def close(self, mark: Mark) -> None:
        """The clock of the instant itself: what is due by then is brought."""
        then = self.shard if self._then is None else self._then
        self._alerts += self._his(then.take(mark).alerts)
        self._then = then

    @property
    def ended(self) -> bool:
        """Whether something came that was not known at the instant."""
        return self._then is not None

    def record(self, batch: JudgedBatch, i: int) -> None:
        """Row i of a judged batch is his."""
        arrival_ms, time_ms = _instant(batch.fixes.arrival_ms[i]), _instant(batch.fixes.time_ms[i])
        if arrival_ms is not None and arrival_ms > self.at_ms:
            self._end()
            self.next_ms = arrival_ms if self.next_ms is None else self.next_ms
        became = self._became(batch, i)
        if not self.ended:
            self.seen += 1
            self._last.append(partial(_record, batch, i, became))
        elif time_ms is not None and time_ms <= self.at_ms:
            self.later.append(_record(batch, i, became))

    def _became(self, batch: JudgedBatch, i: int) -> str:
        if batch.fixes.reason[i]:
            return f"rejected: {REASONS[batch.fixes.reason[i] - 1]}"
        counts = self.shard.state.memory.counts
        before = counts.copy()
        one = replace(batch, rows=np.array([i], np.int64), rejected=None, ignored=None, dead_letters=(), heard=None)
        self._tell(self.shard.take(one).alerts)
        return WORDS[int(np.nonzero(counts != before)[0][0])]

    def _end(self) -> None:
        if self._then is None:
            feeds = list(self.shard.feeds.silent())
            self._then = Shard(self.shard.fence_set, Totals(), self.shard.snapshot(), feeds=feeds)

    def told(self, origin: str, notes: list[str]) -> Explanation:
        """The whole, as of the instant: once it is closed."""
        then = self.shard if self._then is None else self._then
        known = {alert.id for alert in self._alerts}
        return Explanation(
            facts=then.facts(self.subject, self.at_ms),
            origin=origin,
            records=[record() for record in self._last],
            records_seen=self.seen,
            alerts=[alert_facts(alert) for alert in self._alerts],
            later=self.later,
            later_alerts=[alert_facts(a) for a in self._later_alerts if a.time_ms <= self.at_ms and a.id not in known],
            next_ms=self.next_ms,
            notes=notes,
        )

    def _tell(self, alerts: list[Alert]) -> None:
        told = self._his(alerts)
        if self.ended:
            self._later_alerts += told
        else:
            self._alerts += told

    def _his(self, alerts: list[Alert]) -> list[Alert]:
        return [alert for alert in alerts if alert.subject == self.subject]


def alert_facts(alert: Alert) -> AlertFacts:
    """What of an alert is told."""
    return AlertFacts(
        alert.time_ms, alert.change, alert.slot, alert.kind, alert.level, alert.rule, alert.onset_ms, alert.reason, alert.late,
        list(alert.regions), alert.id,
    )  # fmt: skip


def _record(batch: JudgedBatch, i: int, became: str) -> RecordFacts:
    fixes, verdicts = batch.fixes, batch.verdicts
    found: dict[str, str] = {}
    distance_m = None
    subject, time_ms, lon, lat = int(batch.subject[i]), int(fixes.time_ms[i]), float(fixes.lon[i]), float(fixes.lat[i])
    if subject >= 0 and not math.isnan(lon):
        if verdicts.area[i] != NOT_JUDGED:
            found["area"] = WORD_OF_VERDICT[int(verdicts.area[i])]
            distance_m = opening_m(verdicts.fences, subject, AREA_RULE, time_ms, lon, lat)
        for hit in range(int(verdicts.hit_start[i]), int(verdicts.hit_start[i + 1])):
            found[slot_name(batch.fence_set, int(verdicts.hit_rule[hit]))] = WORD_OF_VERDICT[int(verdicts.hit_verdict[hit])]
    return RecordFacts(
        time_ms=_instant(fixes.time_ms[i]),
        arrival_ms=_instant(fixes.arrival_ms[i]),
        became=became,
        lon=_number(lon),
        lat=_number(lat),
        accuracy_m=_number(float(fixes.accuracy_m[i])),
        verdicts=found,
        distance_m=distance_m,
    )


def _instant(value: np.int64) -> int | None:
    return None if value == ABSENT_MS else int(value)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
