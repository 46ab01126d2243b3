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
    only after it; `next_ms`: when the first record behind it arrived.
    """

    facts: Facts
    origin: str
    records: list[RecordFacts] = []
    records_seen: int = 0
    alerts: list[AlertFacts] = []
    later: list[RecordFacts] = []
    next_ms: int | None = None
    notes: list[str] = []


class Story:
    """Takes a subject's records and marks in line; ends at the first of his records that arrived after the instant."""

    def __init__(self, shard: Shard, subject: str, at_ms: int) -> None:
        self.shard = shard
        self.subject = subject
        self.at_ms = at_ms
        self.ended = False
        self.alerts: list[Alert] = []
        self.seen = 0
        self.next_ms: int | None = None
        self.later: list[RecordFacts] = []
        self._last: deque[Callable[[], RecordFacts]] = deque(maxlen=KEPT)

    def mark(self, mark: Mark) -> None:
        """A mark in line with his records; a registry version of after the instant ends the story."""
        if isinstance(mark, RegistryMark) and mark.time_ms > self.at_ms:
            self.ended = True
        if not self.ended:
            self._tell(self.shard.take(mark).alerts)

    def close(self, mark: Mark) -> None:
        """The clock of the instant itself: what is due by then is brought."""
        self._tell(self.shard.take(mark).alerts)

    def record(self, batch: JudgedBatch, i: int) -> None:
        """Row i of a judged batch is his."""
        arrival_ms, time_ms = _instant(batch.fixes.arrival_ms[i]), _instant(batch.fixes.time_ms[i])
        if arrival_ms is not None and arrival_ms > self.at_ms:
            self.ended = True
            self.next_ms = arrival_ms if self.next_ms is None else self.next_ms
        if self.ended:
            if time_ms is not None and time_ms <= self.at_ms:
                self.later.append(_record(batch, i, "not known yet"))
            return
        self.seen += 1
        if batch.fixes.reason[i]:
            self._last.append(partial(_record, batch, i, f"rejected: {REASONS[batch.fixes.reason[i] - 1]}"))
            return
        counts = self.shard.state.memory.counts
        before = counts.copy()
        one = replace(batch, rows=np.array([i], np.int64), rejected=None, ignored=None, dead_letters=(), heard=None)
        self._tell(self.shard.take(one).alerts)
        became = WORDS[int(np.nonzero(counts != before)[0][0])]
        self._last.append(partial(_record, batch, i, became))

    def told(self, origin: str, notes: list[str]) -> Explanation:
        """The whole, as of the instant."""
        return Explanation(
            facts=self.shard.facts(self.subject, self.at_ms),
            origin=origin,
            records=[record() for record in self._last],
            records_seen=self.seen,
            alerts=[alert_facts(alert) for alert in self.alerts],
            later=self.later,
            next_ms=self.next_ms,
            notes=notes,
        )

    def _tell(self, alerts: list[Alert]) -> None:
        self.alerts += [alert for alert in alerts if alert.subject == self.subject]


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
