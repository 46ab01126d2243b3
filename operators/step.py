"""The step: what a record changes in the state of its subject, one record after another in the order of the rules.

It fixes the order in which the rules act (J9 before all, then J6 for slot `area` and for each rule's slot, then the regions), and
writes down what has to be told. The steady row, calm or in an open breach, touches the subject's row and little else.
"""

from __future__ import annotations

import math

import numpy as np
from fences.compiled import compiled, inlined, record_type
from numpy.typing import NDArray

from fences.fence_set import Fences
from fences.registry import FORBID
from operators.judge import BLOCK, BREACH, FINE, NOT_JUDGED, Verdicts, is_active, region_of
from operators.order import CONFLICTS, CONTACTS, DUPLICATES, IN_ORDER, JUDGED, LATE, gap_bin, order_of
from operators.slot_machine import CLEARED, MOVED, NOTHING, OPENED, advance, let_go_told, told_has, told_set
from operators.state import CALM, ENTERED_FORBIDDEN, ABSENT_FROM, FREE_SLOT, FREE_TOLD, LEFT_AREA, OPEN, USED_SLOTS, USED_TOLD, State

EVENT = record_type(
    [
        ("onset_ms", "i8"), ("row", "i4"), ("subject", "i4"), ("rule", "i4"), ("found", "i4"), ("what", "u1"), ("kind", "u1"),
        ("level", "u1"), ("spare", "u1"),
    ],
)  # fmt: skip
"""Something to tell: row of the batch, subject row, rule (-1: slot `area`), region found (-1: none), OPENED, MOVED or CLEARED."""


@compiled
def _slots_of(memory, first):  # type: ignore[no-untyped-def]
    n = 0
    while first >= 0:
        n += 1
        first = memory.slot[first].next
    return n


@compiled
def _take_slot(memory, subject, rule):  # type: ignore[no-untyped-def]
    """A slot for a rule, at the head of the subject's list."""
    at = memory.head[FREE_SLOT]
    if at >= 0:
        memory.head[FREE_SLOT] = memory.slot[at].next
    else:
        at = memory.head[USED_SLOTS]
        memory.head[USED_SLOTS] += 1
    slot = memory.slot[at]
    slot.rule = rule
    slot.state = CALM
    slot.next = memory.row[subject].first_slot
    memory.row[subject].first_slot = at
    return at


@compiled
def _write(events, told_now, used, memory, what, row, subject, slot, rule, found):  # type: ignore[no-untyped-def]
    """Write down an event, with the regions told so far."""
    event = events[used]
    event.onset_ms, event.row, event.subject, event.rule, event.found = slot.onset_ms, row, subject, rule, found
    event.what, event.kind, event.level = what, slot.kind, slot.level
    for w in range(told_now.shape[1]):
        told_now[used, w] = memory.told[slot.told, w]
    return used + 1


@compiled
def _regions(fences, memory, events, told_now, used, what, was_open, row, subject, at, rule, x, y):  # type: ignore[no-untyped-def]
    """Who has to be told of what a judgement did to a slot: opened, cleared, or found in a region not told yet (moved)."""
    slot = memory.slot[at]
    if what == OPENED:
        found = region_of(fences, x, y)
        told_set(memory, slot, fences.subject[subject].home)
        told_set(memory, slot, found)
        return _write(events, told_now, used, memory, OPENED, row, subject, slot, rule, found)
    if what == CLEARED:
        used = _write(events, told_now, used, memory, CLEARED, row, subject, slot, rule, region_of(fences, x, y))
        let_go_told(memory, slot)
        return used
    if was_open and slot.state == OPEN:
        found = region_of(fences, x, y)
        if found >= 0 and not told_has(memory, slot, found):
            told_set(memory, slot, found)
            return _write(events, told_now, used, memory, MOVED, row, subject, slot, rule, found)
    return used


@compiled
def _area_policy(fences, subject, time_ms):  # type: ignore[no-untyped-def]
    """J5: confirmation, clearing and level of slot `area`: the largest, and the gravest, over the active allow rules."""
    confirm_fixes, confirm_ms, clear_fixes, level = 0, np.int64(0), 0, 255
    bound = fences.subject[subject]
    profile = fences.profile[bound.profile]
    for k in range(bound.allow + profile.allow):
        binding = fences.binding[bound.at + k if k < bound.allow else profile.at + k - bound.allow]
        if is_active(binding.from_ms, binding.until_ms, binding.schedule, time_ms):
            policy = fences.policy[binding.policy]
            confirm_fixes = max(confirm_fixes, policy.confirm_fixes)
            confirm_ms = max(confirm_ms, policy.confirm_ms)
            clear_fixes = max(clear_fixes, policy.clear_fixes)
            level = min(level, policy.level)
    if level == 255:
        policy = fences.policy[len(fences.policy) - 3]
        return policy.confirm_fixes, policy.confirm_ms, policy.clear_fixes, policy.level
    return confirm_fixes, confirm_ms, clear_fixes, level


@inlined
def _is_steady(row, verdict):  # type: ignore[no-untyped-def]
    """Whether a verdict leaves slot `area` as it is, whatever the policy: calm and no breach, or open and no fine fix before."""
    if verdict == NOT_JUDGED:
        return True
    if row.area_state == CALM:
        return verdict != BREACH
    return row.area_state == OPEN and verdict != FINE and (verdict != BREACH or not row.area_clearing)


@compiled
def _step_area(fences, memory, events, told_now, used, verdict, row, subject, time_ms, x, y):  # type: ignore[no-untyped-def]
    slot = memory.slot[subject]
    was_open = slot.state == OPEN
    what = NOTHING
    if verdict != NOT_JUDGED:
        confirm_fixes, confirm_ms, clear_fixes, level = _area_policy(fences, subject, time_ms)
        what = advance(memory, slot, verdict, time_ms, LEFT_AREA, confirm_fixes, confirm_ms, clear_fixes, level)
    used = _regions(fences, memory, events, told_now, used, what, was_open, row, subject, subject, -1, x, y)
    mine = memory.row[subject]
    mine.area_state = slot.state
    mine.area_clearing = slot.state == OPEN and slot.clear_count > 0
    mine.area_found = region_of(fences, x, y)
    return used


@compiled
def _step_rule(fences, memory, events, told_now, used, at, verdict, row, subject, time_ms, x, y):  # type: ignore[no-untyped-def]
    slot = memory.slot[at]
    state = slot.state
    rule = slot.rule
    what = NOTHING
    if state == OPEN and verdict == BREACH:
        slot.clear_count = 0
    else:
        policy = fences.policy[fences.rule[rule].policy]
        kind = ENTERED_FORBIDDEN if fences.rule[rule].effect == FORBID else ABSENT_FROM
        what = advance(
            memory, slot, verdict, time_ms, kind, policy.confirm_fixes, policy.confirm_ms, policy.clear_fixes, policy.level,
        )  # fmt: skip
    return _regions(fences, memory, events, told_now, used, what, state == OPEN, row, subject, at, rule, x, y)


@compiled
def _step_rules(fences, memory, events, told_now, used, hit_rule, hit_verdict, h0, h1, row, subject, time_ms, x, y):  # type: ignore[no-untyped-def]
    """The slots that the subject holds, then the rules that were broken and had none; slots that are calm are given back."""
    before = np.int64(-1)
    at = np.int64(memory.row[subject].first_slot)
    while at >= 0:
        verdict = FINE
        for h in range(h0, h1):
            if hit_rule[h] == memory.slot[at].rule:
                verdict = hit_verdict[h]
        used = _step_rule(fences, memory, events, told_now, used, at, verdict, row, subject, time_ms, x, y)
        following = np.int64(memory.slot[at].next)
        if memory.slot[at].state == CALM:
            if before < 0:
                memory.row[subject].first_slot = following
            else:
                memory.slot[before].next = following
            memory.slot[at].next = memory.head[FREE_SLOT]
            memory.slot[at].rule = -1
            memory.head[FREE_SLOT] = at
        else:
            before = at
        at = following
    for h in range(h0, h1):
        if hit_verdict[h] == BREACH:
            at = np.int64(memory.row[subject].first_slot)
            while at >= 0 and memory.slot[at].rule != hit_rule[h]:
                at = np.int64(memory.slot[at].next)
            if at < 0:
                at = _take_slot(memory, subject, hit_rule[h])
                used = _step_rule(fences, memory, events, told_now, used, at, BREACH, row, subject, time_ms, x, y)
    return used


@compiled
def step_rows(fences, memory, rows, subject, time_ms, lon, lat, accuracy_m, arrival_ms, area_verdict, hit_start, hit_rule, hit_verdict, begin, events, told_now, used_at):  # type: ignore[no-untyped-def]
    """Take the rows named in `rows` (int64, rejected ones left out by subject -1) from place `begin` on, one after another.

    Fills `events` and `told_now`; `used_at[0]` is how many (`[1]` is scratch). Gives the place where it stopped: the end, or where a pool or `events`
    has no room for the next row.
    """
    used = used_at[0]
    for place in range(begin, len(rows)):
        if (place - begin) % BLOCK == 0:
            for ahead in range(place, min(place + BLOCK, len(rows))):
                if subject[rows[ahead]] >= 0:
                    used_at[1] += memory.row[subject[rows[ahead]]].last_ms
        i = rows[place]
        s = subject[i]
        if s < 0:
            continue
        row = memory.row[s]
        t, x, y = time_ms[i], lon[i], lat[i]
        h0, h1 = hit_start[i], hit_start[i + 1]
        room = 2 + h1 - h0
        if row.first_slot >= 0:
            room += _slots_of(memory, row.first_slot)
        if used + room > len(events) or memory.head[USED_SLOTS] + room > len(memory.slot) or memory.head[USED_TOLD] + room > len(memory.told):
            used_at[0] = used
            return place
        row.arrival_ms = max(row.arrival_ms, arrival_ms[i])
        order = order_of(row, t, x, y)
        if order != IN_ORDER:
            memory.count[order] += 1
            continue
        if row.last_ms > 0:
            memory.gap[gap_bin(t - row.last_ms)] += 1
        row.last_ms = t
        if math.isnan(x):
            row.placed = 0
            memory.count[CONTACTS] += 1
            continue
        memory.count[JUDGED] += 1
        row.placed = 1
        row.pos_ms, row.pos_lon, row.pos_lat, row.pos_accuracy_m = t, x, y, accuracy_m[i]
        verdict = area_verdict[i]
        if not _is_steady(row, verdict) or (row.area_state == OPEN and region_of(fences, x, y) != row.area_found):
            used = _step_area(fences, memory, events, told_now, used, verdict, i, s, t, x, y)
        if h1 > h0 or row.first_slot >= 0:
            used = _step_rules(fences, memory, events, told_now, used, hit_rule, hit_verdict, h0, h1, i, s, t, x, y)
    used_at[0] = used
    return len(rows)


def step(
    fences: Fences, state: State, verdicts: Verdicts, rows: NDArray[np.int64], subject: NDArray[np.int32],
    time_ms: NDArray[np.int64], lon: NDArray[np.float64], lat: NDArray[np.float64], accuracy_m: NDArray[np.float64],
    arrival_ms: NDArray[np.int64],
) -> tuple[NDArray[np.void], NDArray[np.uint64]]:  # fmt: skip
    """Take some rows of a judged batch, in order; gives the events EVENT[k] and the regions told, uint64[k, words]."""
    words = state.memory.told.shape[1]
    events = np.zeros(1024, EVENT)
    told_now = np.zeros((1024, words), np.uint64)
    used = np.zeros(2, np.int64)
    place = 0
    while True:
        place = step_rows(
            fences, state.memory, rows, subject, time_ms, lon, lat, accuracy_m, arrival_ms, verdicts.area, verdicts.hit_start, verdicts.hit_rule,
            verdicts.hit_verdict, place, events, told_now, used,
        )  # fmt: skip
        if place == len(rows):
            return events[: used[0]], told_now[: used[0]]
        events = np.concatenate([events, np.zeros_like(events)])
        told_now = np.concatenate([told_now, np.zeros_like(told_now)])
        state.make_room(len(events))
