"""J7, a new registry version: what lies before its instant comes first, under the old one; then the instant is an edge.

Vectorised where it concerns every subject, compiled where it concerns those with something open. Alerts come out in this order:
deadlines and edges under the old version, ends of what the new one no longer has, judgements under the new one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fences.activity import is_active
from fences.compiled import Record, compiled
from fences.fence_set import Fences, FenceSet
from operators.alert import Alert
from operators.contact import clear_flag, is_open
from operators.due import bring_due
from operators.edges import bring_edge, last_position, set_next_edge
from operators.events import RULE_ENDED, Events, has_room, let_go_told
from operators.fix_batch import ABSENT_MS
from operators.judge import binds_profile
from operators.raise_alerts import Telling
from operators.slot_machine import slots_from
from operators.standing import close, end_area, end_rules, unlink
from operators.state import AREA_RULE, FIRST_FLAG, KINDS, NEXT_DUE, NO_VERDICT, OPEN, OPEN_EPISODES, Memory, State, empty_rows
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
def _prints(fences: Fences, memory: Memory, rule_print: NDArray[np.uint64], mark_ms: int, out: NDArray[np.uint64]) -> None:
    for s in range(len(memory.row)):
        row = memory.row[s]
        if row.arrival_ms != ABSENT_MS:
            instant = _instant(row, mark_ms)
            out[s] = _print(fences, rule_print, s, instant if row.edges_done_ms >= instant else instant - 1)


@compiled
def _end_gone(
    fences: Fences,
    memory: Memory,
    events: Events,
    subjects_gone: NDArray[np.bool_],
    rules_gone: NDArray[np.bool_],
    mark_ms: int,
    begin: int,
) -> int:
    """Under the old version: end every open slot of subjects who are gone, and the slots of rules that are gone."""
    pool = memory.pool
    for s in range(begin, len(memory.row)):
        row = memory.row[s]
        if row.arrival_ms == ABSENT_MS:
            continue
        if not has_room(pool, events, _SPARE + slots_from(pool, row.first_slot)):
            return s
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
    return len(memory.row)


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
    before: NDArray[np.uint64],
    mark_ms: int,
    begin: int,
) -> int:
    """Under the new version: end what no longer lives, judge those for whom it is an edge, set deadlines and edges anew."""
    pool = memory.pool
    for s in range(begin, len(memory.row)):
        row = memory.row[s]
        if row.arrival_ms == ABSENT_MS:
            continue
        instant = _instant(row, mark_ms)
        if not has_room(pool, events, _SPARE + slots_from(pool, row.first_slot)):
            return s
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
        if before[s] != after:
            if not bring_edge(fences, memory, events, scratch_rule, scratch_verdict, s, instant):
                return s
            before[s] = after
        row.floor_ms = mark_ms
        row.edges_done_ms = max(row.edges_done_ms, instant)
        set_next_edge(fences, row, s)
    return len(memory.row)


def change_version(state: State, old: FenceSet, new: FenceSet, mark_ms: int) -> Iterator[Alert]:
    """Let a new registry version take effect at a mark in line with the records.

    Gives the alerts of it, and renumbers the state.
    """
    fences = _fences_for(old, state)
    yield from Telling(old, fences, state).alerts(bring_due(fences, state, mark_ms, mark_ms - 1))
    prints = np.zeros(len(state.memory.row), np.uint64)
    _prints(fences, state.memory, old.rule_prints(), mark_ms, prints)
    subject_to, rule_to, changed = _numbers(old, new)
    gone, ended = subject_to < 0, rule_to < 0
    events = run_with_room(
        state, fences, len(state.memory.row),
        lambda room, place: _end_gone(fences, state.memory, room.events, gone, ended, mark_ms, place),
    )  # fmt: skip
    yield from Telling(old, fences, state).alerts(events)
    state.late.forget_subjects({old.registry.subject_ids[s] for s in np.nonzero(gone)[0].tolist()})
    state.late.forget_slots({f"rule:{rule}" for rule in changed})
    renumber(state, len(new.registry.subject_ids), subject_to, rule_to)
    state.name_regions(new.registry.area_ids[: new.region_count])
    before = np.zeros(len(new.registry.subject_ids), np.uint64)
    before[subject_to[~gone]] = prints[~gone]
    fences = _fences_for(new, state)
    events = run_with_room(
        state, fences, len(state.memory.row),
        lambda room, place: _enter(
            fences, state.memory, room.events, room.rule, room.verdict, new.rule_prints(), before, mark_ms, place
        ),
    )  # fmt: skip
    yield from Telling(new, fences, state).alerts(events)
    state.memory.pool.head[NEXT_DUE] = 0


def _fences_for(fence_set: FenceSet, state: State) -> Fences:
    """The arrays, with the cells of every last position known."""
    row = state.memory.row
    return fence_set.fences_for(np.ascontiguousarray(row["pos_lon"]), np.ascontiguousarray(row["pos_lat"]))


def _numbers(old: FenceSet, new: FenceSet) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """New numbers of the old subjects and rules, -1 of those who are gone.

    A rule that changes its effect is gone, too (its id last).
    """
    places = {name: i for i, name in enumerate(new.registry.subject_ids)}
    subject_to = np.array([places.get(name, -1) for name in old.registry.subject_ids], np.int64)
    rule_to = np.full(len(old.registry.rule_ids), -1, np.int64)
    changed = []
    for i, name in enumerate(old.registry.rule_ids):
        place = new.rule_number(name)
        if place is not None:
            if old.registry.rule_effect[i] == new.registry.rule_effect[place]:
                rule_to[i] = place
            else:
                changed.append(name)
    return subject_to, rule_to, changed


def renumber(state: State, subjects: int, subject_to: NDArray[np.int64], rule_to: NDArray[np.int64]) -> None:
    """Give rows and slots their new numbers; rows of subjects who are gone (-1) are dropped, slots of rules that are gone too."""
    m = state.memory
    row, area = empty_rows(subjects)
    stays = np.nonzero(subject_to >= 0)[0]
    row[subject_to[stays]], area[subject_to[stays]] = m.row[stays], m.area[stays]
    held = m.pool.slot["rule"] >= 0
    m.pool.slot["rule"][held] = rule_to[m.pool.slot["rule"][held]]
    state.memory = m._replace(row=row, area=area)


@compiled
def _settle(fences: Fences, memory: Memory) -> None:
    for s in range(len(memory.row)):
        row = memory.row[s]
        if row.arrival_ms == ABSENT_MS:
            continue
        before, at = np.int64(-1), np.int64(row.first_slot)
        while at >= 0:
            slot = memory.pool.slot[at]
            following = np.int64(slot.next)
            if slot.rule < 0:
                if slot.state == OPEN:
                    memory.pool.head[OPEN_EPISODES] -= 1
                    let_go_told(memory.pool, slot)
                unlink(memory.pool, row, before, at)
            else:
                before = at
            at = following
        row.area_found = -1
        row.silent_after_ms = fences.silent_after_ms[s]
        set_next_edge(fences, row, s)


def settle(fences: Fences, state: State) -> None:
    """Make a state that was just renumbered, without its old version at hand, one of this fence set: slots without a rule go."""
    _settle(fences, state.memory)
    state.memory.pool.head[NEXT_DUE] = 0
