"""J7, a new registry version: what lies before its instant comes first, under the old one; then the instant is an edge.

Two parts. The first is for everybody at once and cheap: deadlines and edges before the instant, under the old version. The second
is for the subjects concerned, some at a time, under both versions: ends of what the new one no longer has, judgements under it. A
subject's second part may wait while others get theirs and records come in between, if only it comes before any record of his own:
what becomes of him depends on nobody else (J13). So a change that concerns a million people holds up no batch.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from fences.activity import is_active
from fences.compiled import Record, compiled
from fences.difference import Difference
from fences.fence_set import Fences, FenceSet
from operators.alert import Alert
from operators.contact import clear_flag, is_open
from operators.due import bring_due_of, bring_forward, bring_one
from operators.edges import bring_edge, bring_edges, last_position, set_next_edge
from operators.events import RULE_ENDED, Events, has_room
from operators.fix_batch import ABSENT_MS
from operators.judge import binds_profile
from operators.raise_alerts import Telling
from operators.renumbering import renumber
from operators.slot_machine import slots_from
from operators.standing import close, end_area, end_rules, unlink
from operators.state import AREA_RULE, FIRST_FLAG, KINDS, NEXT_DUE, NO_VERDICT, Memory, State, empty_rows
from operators.step import run_with_room

_SPARE = 2 * len(KINDS)


@compiled
def _instant(row: Record, mark_ms: int) -> int:
    """The instant of the mark; for a subject with a later record, that record's time."""
    return max(mark_ms, row.last_ms)


@compiled
def _print(fences: Fences, rule_print: NDArray[np.uint64], subject: int, time_ms: int) -> np.uint64:
    """A print of what makes a version an edge where it differs: the subject's active rules, their shapes, their policy."""
    bound = fences.subject[subject]
    profile = fences.profile[bound.profile]
    total = np.uint64(0)
    own = bound.allow + bound.forbid + bound.require
    before = np.int64(-1)
    for k in range(own + profile.allow + profile.forbid + profile.require):
        b = fences.binding[bound.at + k if k < own else profile.at + k - own]
        if b.rule != before and is_active(fences.calendar, b.from_ms, b.until_ms, b.schedule, bound.zone, time_ms):
            total += rule_print[b.rule]
        before = b.rule
    for k in range(fences.shared_start[bound.profile], fences.shared_start[bound.profile + 1]):
        rule = fences.shared_rule[k]
        r = fences.rule[rule]
        if is_active(fences.calendar, r.from_ms, r.until_ms, r.schedule, bound.zone, time_ms):
            total += rule_print[rule]
    return total + rule_print[len(rule_print) - 1] if bound.has_allow else total


@compiled
def _prints(
    fences: Fences,
    memory: Memory,
    rule_print: NDArray[np.uint64],
    subjects: NDArray[np.int32],
    mark_ms: int,
    out: NDArray[np.uint64],
) -> None:
    for i in range(len(subjects)):
        s = np.int64(subjects[i])
        row = memory.row[s]
        instant = _instant(row, mark_ms)
        out[i] = _print(fences, rule_print, s, instant if row.edges_done_ms >= instant else instant - 1)


@compiled
def _end_gone(
    fences: Fences,
    memory: Memory,
    events: Events,
    subjects_gone: NDArray[np.bool_],
    rules_gone: NDArray[np.bool_],
    subjects: NDArray[np.int32],
    mark_ms: int,
    begin: int,
) -> int:
    """Under the old version: end every open slot of subjects who are gone, and the slots of rules that are gone."""
    pool = memory.pool
    for i in range(begin, len(subjects)):
        s = np.int64(subjects[i])
        row = memory.row[s]
        if not has_room(pool, events, _SPARE + slots_from(pool, row.first_slot)):
            return i
        occasion = last_position(fences.subject, fences.shapes, fences.cells, fences.region_rank, row, s, _instant(row, mark_ms))
        before, at = np.int64(-1), np.int64(row.first_slot)
        while at >= 0:
            slot = pool.slot[at]
            following = np.int64(slot.next)
            if subjects_gone[s] or rules_gone[slot.rule]:
                close(pool, events, slot, np.int64(slot.rule), occasion)
                unlink(pool, row, before, at)
            else:
                before = at
            at = following
        if subjects_gone[s]:
            close(pool, events, memory.area[s], AREA_RULE, occasion)
            for kind in range(FIRST_FLAG, len(KINDS)):
                if is_open(row, kind):
                    clear_flag(pool, events, RULE_ENDED, row, kind, occasion)
    return len(subjects)


@compiled
def _binds(fences: Fences, subject: int, rule: int) -> bool:
    bound = fences.subject[subject]
    for k in range(bound.allow + bound.forbid + bound.require):
        if fences.binding[bound.at + k].rule == rule:
            return True
    return binds_profile(fences, rule, bound.profile)


@compiled
def _enter(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    rule_print: NDArray[np.uint64],
    subjects: NDArray[np.int32],
    before: NDArray[np.uint64],
    mark_ms: int,
    begin: int,
) -> int:
    """Under the new version: end what no longer lives, judge those for whom it is an edge, set deadlines and edges anew."""
    pool = memory.pool
    for i in range(begin, len(subjects)):
        s = np.int64(subjects[i])
        row = memory.row[s]
        instant = _instant(row, mark_ms)
        if not has_room(pool, events, _SPARE + slots_from(pool, row.first_slot)):
            return i
        occasion = last_position(fences.subject, fences.shapes, fences.cells, fences.region_rank, row, s, instant)
        prior, at = np.int64(-1), np.int64(row.first_slot)
        while at >= 0:
            slot = pool.slot[at]
            following = np.int64(slot.next)
            if _binds(fences, s, np.int64(slot.rule)):
                prior = at
            else:
                close(pool, events, slot, np.int64(slot.rule), occasion)
                unlink(pool, row, prior, at)
            at = following
        end_rules(fences.calendar, fences.rule, pool, events, row, fences.subject[s].zone, occasion)
        if not fences.subject[s].has_allow and row.area_last != NO_VERDICT:
            end_area(pool, events, row, memory.area[s], occasion)
        row.silent_after_ms = fences.silent_after_ms[s]
        row.area_found = -1
        after = _print(fences, rule_print, s, instant)
        if before[i] != after:
            if not bring_edge(fences, memory, events, scratch_rule, scratch_verdict, s, instant):
                return i
            before[i] = after
        row.floor_ms = mark_ms
        row.edges_done_ms = max(row.edges_done_ms, instant)
        set_next_edge(fences, row, s)
    return len(subjects)


@compiled
def _before(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    waiting: NDArray[np.bool_],
    at_mark: NDArray[np.int32],
    mark_ms: int,
    begin: int,
) -> int:
    """Under the old version, what lies before the mark, for all.

    Those whom nothing of the new version concerns are done by it, but for an edge at the mark itself: they are entered in `at_mark`
    (behind its first place, which counts them).
    """
    for s in range(begin, len(memory.row)):
        row = memory.row[s]
        if row.arrival_ms == ABSENT_MS:
            continue
        if not bring_one(fences, memory, events, scratch_rule, scratch_verdict, s, mark_ms, mark_ms - 1):
            return s
        if not waiting[s]:
            row.floor_ms = mark_ms
            if row.next_edge_ms <= mark_ms:
                at_mark[0] += 1
                at_mark[at_mark[0]] = s
    return len(memory.row)


@compiled
def _edges_at_mark(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    subjects: NDArray[np.int32],
    mark_ms: int,
    begin: int,
) -> int:
    """For those whom nothing of the new version concerns the instant is one like any other: an edge at it comes now."""
    for i in range(begin, len(subjects)):
        if not bring_edges(fences, memory, events, scratch_rule, scratch_verdict, np.int64(subjects[i]), mark_ms):
            return i
    return len(subjects)


class VersionChange:
    """A new version takes effect: `begin` for everybody, then `take` and `take_some` until nobody is `waiting`.

    All give alerts, and must be followed to their end. Only those who were heard of before the change wait: nothing is known of
    the others that could become another.
    """

    def __init__(self, state: State, old: FenceSet, new: FenceSet, mark_ms: int, differs: Difference) -> None:
        self._state, self._old, self._new, self._mark_ms, self._differs = state, old, new, mark_ms, differs
        self._waiting = np.zeros(0, np.bool_)
        self._in_turn = np.zeros(0, np.int32)
        self._bits = state.memory.pool.region_bit
        self._clock_ms: int | None = None

    @property
    def waiting(self) -> int:
        """How many subjects have not had their part yet."""
        return len(self._in_turn)

    def begin(self) -> Iterator[Alert]:
        """What lies before the instant, under the old version. Where numbers change, the whole of it: no part can wait then."""
        state, old, new, differs = self._state, self._old, self._new, self._differs
        if differs.subject_to is None:
            state.grow(len(new.registry.subject_ids))
            self._bits = state.memory.pool.region_bit
        arrival = state.memory.row["arrival_ms"]
        concerned = np.arange(len(arrival), dtype=np.int32) if differs.concerned is None else differs.concerned
        self._in_turn = concerned[arrival[concerned] != ABSENT_MS]
        self._waiting = np.zeros(len(arrival), np.bool_)
        self._waiting[self._in_turn] = True
        at_mark = np.zeros(len(arrival) + 1, np.int32)
        fences = _fences_for(old, state)
        events = run_with_room(
            state, fences, len(arrival),
            lambda room, place: _before(
                fences, state.memory, room.events, room.rule, room.verdict, self._waiting, at_mark, self._mark_ms, place
            ),
        )  # fmt: skip
        yield from Telling(old, fences, state).alerts(events)
        if differs.other_effect:
            state.late.forget_slots({f"rule:{rule}" for rule in differs.other_effect})
        if differs.subject_to is not None and differs.rule_to is not None:
            yield from self._renumbered(differs.subject_to, differs.rule_to)
            self._in_turn = self._in_turn[:0]
            state.memory.pool.head[NEXT_DUE] = 0
            return
        if state.name_regions(new.registry.area_ids[: new.region_count]):
            state.memory.row["area_found"] = -1
        yield from self._at_mark(at_mark[1 : 1 + at_mark[0]])

    def _at_mark(self, subjects: NDArray[np.int32]) -> Iterator[Alert]:
        state, fences = self._state, _fences_for(self._new, self._state)
        events = run_with_room(
            state, fences, len(subjects),
            lambda room, place: _edges_at_mark(
                fences, state.memory, room.events, room.rule, room.verdict, subjects, self._mark_ms, place
            ),
        )  # fmt: skip
        yield from Telling(self._new, fences, state).alerts(events)
        bring_forward(fences, state, subjects)

    def take(self, subjects: NDArray[np.int32]) -> Iterator[Alert]:
        """The part of those of some subjects (numbers, -1 is none) who wait: before any record of theirs is taken."""
        found = np.unique(subjects[subjects >= 0])
        found = found[self._waiting[found]]
        if len(found):
            yield from self._concerned(found)

    def mark(self, mark_ms: int) -> Iterator[Alert]:
        """A clock mark while some wait: what it makes due comes to the others now, to those who wait behind their part."""
        self._clock_ms = mark_ms
        others = np.flatnonzero(~self._waiting).astype(np.int32)
        yield from self._bring(others[others < self._state.subjects])

    def take_some(self, most: int) -> Iterator[Alert]:
        """The part of at most so many of those who wait; of all the others once nobody waits, they may be forgotten."""
        some, self._in_turn = self._in_turn[:most], self._in_turn[most:]
        yield from self._concerned(some[self._waiting[some]])

    def _concerned(self, subjects: NDArray[np.int32]) -> Iterator[Alert]:
        state, pool = self._state, self._state.memory.pool
        state.memory = state.memory._replace(pool=pool._replace(region_bit=self._bits))
        prints = yield from self._under_old(subjects)
        state.memory = state.memory._replace(pool=state.memory.pool._replace(region_bit=pool.region_bit))
        gone = self._differs.gone_subjects[subjects]
        if gone.any():
            row, area = empty_rows(int(gone.sum()))
            state.memory.row[subjects[gone]], state.memory.area[subjects[gone]] = row, area
        yield from self._under_new(subjects[~gone], prints[~gone])
        self._waiting[subjects] = False
        yield from self._bring(subjects[~gone])
        bring_forward(_fences_for(self._new, state), state, subjects[~gone])

    def _bring(self, subjects: NDArray[np.int32]) -> Iterator[Alert]:
        """What the last clock mark has made due of some subjects, under the new version."""
        if self._clock_ms is not None:
            fences = _fences_for(self._new, self._state)
            yield from Telling(self._new, fences, self._state).alerts(bring_due_of(fences, self._state, subjects, self._clock_ms))

    def _renumbered(self, subject_to: NDArray[np.int64], rule_to: NDArray[np.int64]) -> Iterator[Alert]:
        state, new = self._state, self._new
        subjects = np.nonzero(state.memory.row["arrival_ms"] != ABSENT_MS)[0].astype(np.int32)
        prints = yield from self._under_old(subjects)
        renumber(state, len(new.registry.subject_ids), subject_to, rule_to)
        state.name_regions(new.registry.area_ids[: new.region_count])
        stays = subject_to[subjects] >= 0
        yield from self._under_new(subject_to[subjects[stays]].astype(np.int32), prints[stays])

    def _under_old(self, subjects: NDArray[np.int32]) -> Generator[Alert, None, NDArray[np.uint64]]:
        state, old, differs = self._state, self._old, self._differs
        fences = _fences_for(old, state)
        prints = np.zeros(len(subjects), np.uint64)
        _prints(fences, state.memory, old.rule_prints(), subjects, self._mark_ms, prints)
        events = run_with_room(
            state, fences, len(subjects),
            lambda room, place: _end_gone(
                fences, state.memory, room.events, differs.gone_subjects, differs.gone_rules, subjects, self._mark_ms, place
            ),
        )  # fmt: skip
        for alert in Telling(old, fences, state).alerts(events):
            yield self._at_home(alert)
        gone = subjects[differs.gone_subjects[subjects]].tolist()
        if gone:
            state.late.forget_subjects({old.registry.subject_ids[s] for s in gone})
        return prints

    def _at_home(self, alert: Alert) -> Alert:
        """What ends with a rule is told to the home region that its subject has now; of one who is gone, to that he had."""
        subject = self._new.subject_number(alert.subject)
        if subject is None:
            return alert
        home = self._new.region_id(int(self._new.registry.subject_home[subject]))
        regions = alert.regions if home is None else tuple(sorted({*alert.regions, home}))
        return replace(alert, home_region=home, regions=regions)

    def _under_new(self, subjects: NDArray[np.int32], before: NDArray[np.uint64]) -> Iterator[Alert]:
        state, new = self._state, self._new
        fences, mark_ms = _fences_for(new, state), self._mark_ms
        events = run_with_room(
            state, fences, len(subjects),
            lambda room, place: _enter(
                fences, state.memory, room.events, room.rule, room.verdict, new.rule_prints(), subjects, before, mark_ms, place
            ),
        )  # fmt: skip
        yield from Telling(new, fences, state).alerts(events)


def _fences_for(fence_set: FenceSet, state: State) -> Fences:
    """The arrays, with the cells of every last position known."""
    row = state.memory.row
    if fence_set.zone_index.is_complete:
        return fence_set.fences
    return fence_set.fences_for(np.ascontiguousarray(row["pos_lon"]), np.ascontiguousarray(row["pos_lat"]))
