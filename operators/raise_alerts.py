"""From the step's events to alerts: names, ids, distances and regions; and late fixes to their lanes. Few rows, plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from fences.fence_set import Fences, FenceSet
from fences.registry import FORBID
from operators.alert import LEVELS, Alert, Change, alert_id, episode_id
from operators.distance import opening_m, openings_m
from operators.edges import area_policy
from operators.events import CLEARED, LATE_FIX, LATE_SLOT, MOVED, OPENED, REASONS, RULE_ENDED, Events
from operators.fix_batch import ABSENT_MS
from operators.judge import BREACH, FINE, NOT_JUDGED, UNCERTAIN, Verdicts, region_at
from operators.late import Lanes
from operators.standing import rule_is_active
from operators.state import ABSENT_FROM, AREA_RULE, ENTERED_FORBIDDEN, KINDS, LEFT_AREA, PENDING, State

_CHANGE: dict[int, Change] = {OPENED: "opened", MOVED: "moved", CLEARED: "cleared"}
_WORDS = {FINE: "fine", UNCERTAIN: "uncertain", BREACH: "breach"}
_FIELDS = (
    "what", "subject", "rule", "time_ms", "onset_ms", "received_ms", "lon", "lat", "accuracy_m", "found", "kind", "level",
    "reason", "row",
)  # fmt: skip


class _Event(NamedTuple):
    """One event out of the columns."""

    what: int
    subject: int
    rule: int
    time_ms: int
    onset_ms: int
    received_ms: int
    lon: float
    lat: float
    accuracy_m: float
    found: int
    kind: int
    level: int
    reason: int
    row: int
    told: list[int]


def slot_name(fence_set: FenceSet, rule: int) -> str:
    """Name of a slot by the number that stands for it in events."""
    if rule >= 0:
        return f"rule:{fence_set.registry.rule_ids[rule]}"
    return "area" if rule == AREA_RULE else KINDS[-rule]


class Telling:
    """Makes alerts of the events of one fence set and state."""

    def __init__(self, fence_set: FenceSet, fences: Fences, state: State, version: str | None = None) -> None:
        """`version`: what stands on the alerts, where it is not the fence set's."""
        self._fence_set, self._fences, self._state = fence_set, fences, state
        self._version = version or fence_set.version

    def alerts(self, events: Events, verdicts: Verdicts | None = None) -> Iterator[Alert]:
        """The alerts of some events, in their order; `verdicts` of the batch that brought them, where late fixes are in it."""
        used = int(events.used[0])
        # Lists, a column at a time: a number out of an array, one by one, costs more than all the rest of an alert.
        columns = [events.event[name][:used].tolist() for name in _FIELDS]
        found = [_Event(*values) for values in zip(*columns, events.told[:used].tolist(), strict=True)]
        distance_m = self._distances(found)
        late = self._state.late
        for place, event in enumerate(found):
            if event.what == LATE_FIX:
                standing = []
                for other in found[place + 1 :]:
                    if other.what != LATE_SLOT:
                        break
                    standing.append(other)
                if verdicts is not None:
                    yield from self._late(event, standing, verdicts)
            elif event.what != LATE_SLOT:
                if event.kind <= ABSENT_FROM and event.what != MOVED:
                    key = (self._fence_set.registry.subject_ids[event.subject], slot_name(self._fence_set, event.rule))
                    if event.what == OPENED:
                        late.opened(key, event.onset_ms)
                    else:
                        late.cleared(key, event.time_ms)
                yield self._alert(event, distance_m.get(place))

    def _distances(self, found: list[_Event]) -> dict[int, float | None]:
        """`distance_m` of those events that tell one, by place."""
        places = [i for i, event in enumerate(found) if event.what == OPENED and event.kind <= ABSENT_FROM]
        if not places:
            return {}
        columns = zip(
            *[(found[i].subject, found[i].rule, found[i].time_ms, found[i].lon, found[i].lat) for i in places], strict=True
        )
        return dict(zip(places, openings_m(self._fences, *columns), strict=True))

    def _alert(self, event: _Event, distance_m: float | None) -> Alert:
        registry = self._fence_set.registry
        subject, slot = registry.subject_ids[event.subject], slot_name(self._fence_set, event.rule)
        found, change = self._fence_set.region_id(event.found), _CHANGE[event.what]
        return Alert(
            id=alert_id(subject, slot, event.onset_ms, change, str(found) if event.what == MOVED else None),
            change=change,
            time_ms=event.time_ms,
            subject=subject,
            slot=slot,
            kind=KINDS[event.kind],
            level=LEVELS[event.level],
            episode=episode_id(subject, slot, event.onset_ms),
            rule=registry.rule_ids[event.rule] if event.rule >= 0 else None,
            onset_ms=event.onset_ms,
            reason=REASONS[event.reason],
            lon=_number(event.lon),
            lat=_number(event.lat),
            accuracy_m=_number(event.accuracy_m),
            distance_m=distance_m,
            home_region=self._fence_set.region_id(int(registry.subject_home[event.subject])),
            found_region=found,
            rules_version=self._version,
            late=False,
            received_ms=None
            if event.received_ms == ABSENT_MS or (event.reason == RULE_ENDED and event.row < 0)
            else event.received_ms,
            regions=self._regions(event.told),
        )

    def _regions(self, told: list[int]) -> tuple[str, ...]:
        """Ids of the regions told (a bit each), sorted."""
        out = []
        for w, word in enumerate(told):
            left = word
            while left:
                out.append(self._state.region_ids[64 * w + left.bit_length() - 1])
                left &= ~(1 << left.bit_length() - 1)
        return tuple(sorted(out))

    def _late(self, fix: _Event, standing: list[_Event], verdicts: Verdicts) -> Iterator[Alert]:
        """J9: a late fix in the lanes of the slots whose rules were active at its time."""
        registry, fences, late = self._fence_set.registry, self._fences, self._state.late
        subject = registry.subject_ids[fix.subject]
        lanes = late.lanes.setdefault(subject, Lanes())
        max_age_ms = int(fences.limits[0]["max_position_age_ms"])
        pending = {event.rule: event.onset_ms for event in standing if event.reason == PENDING}
        for rule, verdict in self._judged(fix, lanes, verdicts).items():
            slot = slot_name(self._fence_set, rule)
            confirm_fixes, confirm_ms, level = self._terms(fix, rule)
            lane = lanes.of(slot, max_age_ms, partial(self._was_active, fix.subject, rule))
            evidence = lane.take(_WORDS[verdict], fix.time_ms, confirm_fixes, confirm_ms, max_age_ms)
            if evidence is not None and late.is_new((subject, slot), evidence, pending.get(rule)):
                yield from self._evidence(fix, rule, level, *evidence)
        lanes.see(fix.time_ms, max_age_ms)

    def _was_active(self, subject: int, rule: int, time_ms: int) -> bool:
        return rule == AREA_RULE or bool(
            rule_is_active(self._fences.calendar, self._fences.rule, rule, self._fences.subject[subject].zone, time_ms)
        )

    def _judged(self, fix: _Event, lanes: Lanes, verdicts: Verdicts) -> dict[int, int]:
        """Verdicts of a late fix by rule: slot `area`, rules that are broken, and rules that have a lane and are fine."""
        judged: dict[int, int] = {}
        area = int(verdicts.area[fix.row])
        if area != NOT_JUDGED:
            judged[AREA_RULE] = area
        h0, h1 = int(verdicts.hit_start[fix.row]), int(verdicts.hit_start[fix.row + 1])
        hits = dict(zip(verdicts.hit_rule[h0:h1].tolist(), verdicts.hit_verdict[h0:h1].tolist(), strict=True))
        judged.update({rule: verdict for rule, verdict in hits.items() if verdict == BREACH})
        for slot in lanes.slots:
            rule = self._fence_set.rule_number(slot.removeprefix("rule:")) if slot.startswith("rule:") else None
            if rule is not None and rule not in judged and self._was_active(fix.subject, rule, fix.time_ms):
                judged[rule] = hits.get(rule, FINE)
        return judged

    def _terms(self, fix: _Event, rule: int) -> tuple[int, int, int]:
        if rule == AREA_RULE:
            f = self._fences
            confirm_fixes, confirm_ms, _, level = area_policy(
                f.subject, f.profile, f.binding, f.policy, f.calendar, fix.subject, fix.time_ms
            )
            return int(confirm_fixes), int(confirm_ms), int(level)
        policy = self._fences.policy[self._fences.rule[rule]["policy"]]
        return int(policy["confirm_fixes"]), int(policy["confirm_ms"]), int(policy["level"])

    def _evidence(self, fix: _Event, rule: int, level: int, onset_ms: int, time_ms: int) -> Iterator[Alert]:
        """Opened and cleared at once."""
        registry = self._fence_set.registry
        subject, slot = registry.subject_ids[fix.subject], slot_name(self._fence_set, rule)
        home = self._fence_set.region_id(int(registry.subject_home[fix.subject]))
        found = self._fence_set.region_id(
            int(region_at(self._fences.shapes, self._fences.cells, self._fences.region_rank, fix.lon, fix.lat))
        )
        kind = LEFT_AREA if rule == AREA_RULE else ENTERED_FORBIDDEN if self._fences.rule[rule]["effect"] == FORBID else ABSENT_FROM
        for change in ("opened", "cleared"):
            opened = change == "opened"
            yield Alert(
                id=alert_id(subject, slot, onset_ms, change),
                change=change,
                time_ms=time_ms,
                subject=subject,
                slot=slot,
                kind=KINDS[kind],
                level=LEVELS[level],
                episode=episode_id(subject, slot, onset_ms),
                rule=registry.rule_ids[rule] if rule >= 0 else None,
                onset_ms=onset_ms,
                reason=None if opened else "returned",
                lon=fix.lon,
                lat=fix.lat,
                accuracy_m=_number(fix.accuracy_m),
                distance_m=opening_m(self._fences, fix.subject, rule, fix.time_ms, fix.lon, fix.lat) if opened else None,
                home_region=home,
                found_region=found,
                rules_version=self._version,
                late=True,
                received_ms=fix.received_ms,
                regions=tuple(sorted({region for region in (home, found) if region is not None})),
            )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
