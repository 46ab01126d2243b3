"""The step: what a record changes in the state of its subject, one record after another in the order of the rules.

It fixes the order in which the rules act: the deadlines before the record's arrival, its place in the subject's order (J9), the
edges before it (J7), what it says of contact and device (J10-J12), and the judgement of its position (J6, J8). What has to be told
is written down as events. The steady row, calm or in an open breach, touches its subject's row and little else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import Record, compiled, inlined
from fences.fence_set import Fences
from operators.acceptance import Accepted
from operators.contact import at_time, bring_deadlines, clear_flag, hear, is_open, out_of_order, position_lost
from operators.device import device_flags, movement, surely_plausible
from operators.edges import bring_edges, judged_area, last_position, set_next_edge
from operators.events import LATE_FIX, LATE_SLOT, NO_REASON, RETURNED, Events, Occasion, has_room, room_for_events, write
from operators.fix_batch import ABSENT_MS
from operators.judge import BLOCK, BREACH, FINE, NOT_JUDGED, Verdicts, region_at, region_of
from operators.order import CONTACTS, IN_ORDER, JUDGED, LATE, gap_bin, order_of
from operators.slot_machine import slots_from
from operators.standing import end_rules, step_rules
from operators.state import AREA_RULE, CALM, KINDS, NEXT_DUE, NO_POSITION, OPEN, SILENT, STALE, Memory, Pool, State

_EVENTS_OF_A_RECORD = 3 * len(KINDS)


@inlined
def _is_steady(row: Record, verdict: int) -> bool:
    """Whether a verdict leaves slot `area` as it is, whatever the policy: calm and no breach, or open and no fine fix before."""
    if verdict == NOT_JUDGED:
        return True
    if row.area_state == CALM:
        return verdict != BREACH
    return row.area_state == OPEN and verdict != FINE and (verdict != BREACH or not row.area_clearing)


@inlined
def _says_nothing_new(row: Record, tamper: int, separated: int, battery_pct: float, low_pct: float) -> bool:
    """Whether what a device says of itself can neither open nor clear anything: nothing is open, and nothing is wrong."""
    return tamper != 1 and separated != 1 and not battery_pct <= low_pct and row.open_kinds == 0


@compiled
def _late_fix(pool: Pool, events: Events, row: Record, area: Record, occasion: Occasion) -> None:
    """Write down a late fix for its lanes, and where the subject's slots stand."""
    write(pool, events, LATE_FIX, NO_REASON, area, AREA_RULE, occasion)
    if area.state != CALM:
        write(pool, events, LATE_SLOT, area.state, area, AREA_RULE, occasion)
    at = np.int64(row.first_slot)
    while at >= 0:
        slot = pool.slot[at]
        write(pool, events, LATE_SLOT, slot.state, slot, np.int64(slot.rule), occasion)
        at = np.int64(slot.next)


@compiled
def _before_record(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    subject: int,
    time_ms: int,
    placed: bool,
) -> bool:
    """What comes before an in-order record: the edges up to it. False where room ran out."""
    row = memory.row[subject]
    if row.edges_done_ms == ABSENT_MS:
        row.first_ms = time_ms
        row.silent_after_ms = fences.silent_after_ms[subject]
    elif row.edges_done_ms <= time_ms:
        return bring_edges(fences, memory, events, scratch_rule, scratch_verdict, subject, time_ms - 1 if placed else time_ms)
    # His first record; or the clock had brought edges beyond this one: all after it are due anew.
    row.edges_done_ms = time_ms
    set_next_edge(fences, row, subject)
    return True


@compiled
def _edge_at_fix(fences: Fences, pool: Pool, events: Events, row: Record, occasion: Occasion) -> None:
    """An edge at exactly a fix's time is covered by the fix: slots of ended rules end with its position."""
    end_rules(fences.calendar, fences.rule, pool, events, row, fences.subject[occasion.subject].zone, occasion)
    row.edges_done_ms = occasion.time_ms
    set_next_edge(fences, row, occasion.subject)


@inlined
def _seen_at(fences: Fences, row: Record, subject: int, time_ms: int, arrival_ms: int, i: int) -> Occasion:
    """The occasion of a record that gives no position: the last in-order one."""
    found = region_at(fences.shapes, fences.cells, fences.region_rank, row.pos_lon, row.pos_lat)
    home = np.int64(fences.subject[subject].home)
    return Occasion(time_ms, row.pos_lon, row.pos_lat, row.pos_accuracy_m, arrival_ms, i, subject, home, found)


@compiled
def _rare(fences: Fences, memory: Memory, events: Events, fixes: _Fixes, i: int, s: int) -> None:
    """What an in-order record says beside its place: it ends silences and staleness, flags, a position lost or found, a jump.

    Called only where something of it can change; the row still holds the record before.
    """
    row, pool, limits = memory.row[s], memory.pool, fences.limits[0]
    t, x, y, arrival = fixes.time_ms[i], fixes.lon[i], fixes.lat[i], fixes.arrival_ms[i]
    placed = not math.isnan(x)
    occasion = _seen_at(fences, row, s, t, arrival, i)
    if placed:
        found = region_at(fences.shapes, fences.cells, fences.region_rank, x, y)
        occasion = Occasion(t, x, y, fixes.accuracy_m[i], arrival, i, s, occasion.home, found)
    hear(pool, events, row, at_time(occasion, arrival, arrival))
    if is_open(row, STALE):
        clear_flag(pool, events, RETURNED, row, STALE, at_time(occasion, arrival, arrival))
    device_flags(pool, events, row, limits, fixes.tamper[i], fixes.separated[i], fixes.battery_pct[i], occasion)
    if placed:
        if is_open(row, NO_POSITION):
            clear_flag(pool, events, RETURNED, row, NO_POSITION, occasion)
        movement(pool, events, row, limits, occasion)
    else:
        position_lost(pool, events, row, limits.no_position_after_ms, occasion)


@compiled
def _not_in_order(fences: Fences, memory: Memory, events: Events, fixes: _Fixes, order: int, i: int, s: int) -> None:
    """A record that moves no state: it is contact all the same, may show that nothing new comes, and if late goes to the lanes."""
    row, pool = memory.row[s], memory.pool
    arrival = fixes.arrival_ms[i]
    occasion = _seen_at(fences, row, s, arrival, arrival, i)
    hear(pool, events, row, occasion)
    row.arrival_ms = max(row.arrival_ms, arrival)
    pool.head[NEXT_DUE] = min(pool.head[NEXT_DUE], row.arrival_ms + row.silent_after_ms)
    out_of_order(pool, events, row, occasion)
    if order == LATE and not math.isnan(fixes.lon[i]):
        late = Occasion(
            fixes.time_ms[i], fixes.lon[i], fixes.lat[i], fixes.accuracy_m[i], arrival, i, s, occasion.home, np.int64(-1)
        )
        _late_fix(pool, events, row, memory.area[s], late)


@compiled
def _judged(fences: Fences, memory: Memory, events: Events, fixes: _Fixes, verdict: int, i: int, s: int) -> None:
    """Slot `area` takes the verdict of a fix."""
    x, y = fixes.lon[i], fixes.lat[i]
    found = region_at(fences.shapes, fences.cells, fences.region_rank, x, y)
    home = np.int64(fences.subject[s].home)
    occasion = Occasion(fixes.time_ms[i], x, y, fixes.accuracy_m[i], fixes.arrival_ms[i], i, s, home, found)
    judged_area(fences, memory.pool, events, memory.row[s], memory.area[s], verdict, occasion, False)


@compiled
def step_rows(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    rows: NDArray[np.int64],
    subject: NDArray[np.int32],
    fixes: _Fixes,
    verdicts: _Lists,
    feed: int,
    begin: int,
) -> int:
    """Take the rows named in `rows` (int64; rejected ones have subject -1) from place `begin` on, one after another.

    `fixes`: columns (see `_Fixes`), `verdicts`: of slot `area`, and lists of other rules' (see `_Lists`), `feed`: the row of
    `memory.feed` that they came through. Gives the place where it
    stopped: the end, or a record for which a pool or `events` has no room; what comes before that record may have been done.
    """
    pool, limits = memory.pool, fences.limits[0]
    for place in range(begin, len(rows)):
        if (place - begin) % BLOCK == 0:
            for ahead in range(place, min(place + BLOCK, len(rows))):
                if subject[rows[ahead]] >= 0:
                    far = memory.row[subject[rows[ahead]]]
                    events.used[1] += far.last_ms ^ far.in_order_arrival_ms ^ far.first_slot
        i = rows[place]
        s = np.int64(subject[i])
        if s < 0:
            continue
        row = memory.row[s]
        t, x, y, arrival = fixes.time_ms[i], fixes.lon[i], fixes.lat[i], fixes.arrival_ms[i]
        placed = not math.isnan(x)
        h0, h1 = verdicts.hit_start[i], verdicts.hit_start[i + 1]
        room = _EVENTS_OF_A_RECORD + h1 - h0
        if row.first_slot >= 0:
            room += 2 * slots_from(pool, row.first_slot)
        if not has_room(pool, events, room):
            return place
        # Where `silent` is open already, a version with a longer `silent_after_s` does not put off `silent_long`.
        if row.arrival_ms != ABSENT_MS and (
            arrival > max(row.arrival_ms + row.silent_after_ms, row.floor_ms) or is_open(row, SILENT)
        ):
            occasion = last_position(fences.subject, fences.shapes, fences.cells, fences.region_rank, row, s, t)
            bring_deadlines(memory.feed, pool, events, row, limits.silent_long_after_ms, arrival, occasion)
        row.heard_through = feed
        order = order_of(row, t, x, y)
        if order != IN_ORDER:
            memory.counts[order] += 1
            _not_in_order(fences, memory, events, fixes, order, i, s)
            continue
        if (
            t > row.next_edge_ms
            or row.edges_done_ms == ABSENT_MS
            or row.edges_done_ms > t
            or (t == row.next_edge_ms and not placed)
        ):
            done = _before_record(fences, memory, events, scratch_rule, scratch_verdict, s, t, placed)
            if not done or not has_room(pool, events, room):
                return place
            pool.head[NEXT_DUE] = min(pool.head[NEXT_DUE], row.next_edge_ms)
        if not (
            placed
            and _says_nothing_new(row, fixes.tamper[i], fixes.separated[i], fixes.battery_pct[i], limits.battery_low_pct)
            and surely_plausible(row, x, y, t, limits)
        ):
            _rare(fences, memory, events, fixes, i, s)
        row.arrival_ms = max(row.arrival_ms, arrival)
        row.in_order_arrival_ms = arrival
        pool.head[NEXT_DUE] = min(pool.head[NEXT_DUE], row.arrival_ms + row.silent_after_ms)
        if row.last_ms != ABSENT_MS:
            memory.gap[gap_bin(t - row.last_ms)] += 1
        row.last_ms = t
        row.placed = placed
        if not placed:
            memory.counts[CONTACTS] += 1
            continue
        memory.counts[JUDGED] += 1
        row.pos_ms, row.pos_lon, row.pos_lat, row.pos_accuracy_m = t, x, y, fixes.accuracy_m[i]
        if t == row.next_edge_ms:
            _edge_at_fix(fences, pool, events, row, _seen_at(fences, row, s, t, arrival, i))
            pool.head[NEXT_DUE] = min(pool.head[NEXT_DUE], row.next_edge_ms)
        verdict = verdicts.area[i]
        if _is_steady(row, verdict) and (
            row.area_state != OPEN or region_of(fences.shapes, fences.cells, fences.region_rank, x, y) == row.area_found
        ):
            if verdict != NOT_JUDGED:
                row.area_last = verdict
            if verdict == FINE:
                row.fine_ms = t
        else:
            _judged(fences, memory, events, fixes, verdict, i, s)
        if h1 > h0 or row.first_slot >= 0:
            occasion = _seen_at(fences, row, s, t, arrival, i)
            step_rules(
                fences.rule, fences.policy, pool, events, row, verdicts.hit_rule, verdicts.hit_verdict, h0, h1, occasion, False
            )
    return len(rows)


class _Fixes(NamedTuple):
    """The columns that the step reads."""

    time_ms: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    arrival_ms: NDArray[np.int64]
    tamper: NDArray[np.int8]
    separated: NDArray[np.int8]
    battery_pct: NDArray[np.float64]


class _Lists(NamedTuple):
    """A batch's verdicts: of slot `area` by row, and of other rules as lists."""

    area: NDArray[np.int8]
    hit_start: NDArray[np.int64]
    hit_rule: NDArray[np.int32]
    hit_verdict: NDArray[np.int8]


def step(
    fences: Fences,
    state: State,
    verdicts: Verdicts,
    rows: NDArray[np.int64],
    subject: NDArray[np.int32],
    fixes: Accepted,
    feed: int = 0,
) -> Events:
    """Take some rows of a judged batch, in order. The events are good until the state's next step.

    `feed`: the row of the state's feeds that they came through; 0 of none.
    """
    columns = _Fixes(*(getattr(fixes, name) for name in _Fixes._fields))
    lists = _Lists(verdicts.area, verdicts.hit_start, verdicts.hit_rule, verdicts.hit_verdict)

    def go_on(room: Room, place: int) -> int:
        return step_rows(fences, state.memory, room.events, room.rule, room.verdict, rows, subject, columns, lists, feed, place)

    return run_with_room(state, fences, len(rows), go_on)


class Room(NamedTuple):
    """Where the step writes: events, and scratch for the verdicts of one judgement (one for each rule at most)."""

    events: Events
    rule: NDArray[np.int32]
    verdict: NDArray[np.int8]


def run_with_room(state: State, fences: Fences, end: int, go_on: Callable[[Room, int], int]) -> Events:
    """Call `go_on(room, place)` until it gives `end`, making room whenever it stops before."""
    words, rules = state.memory.pool.told.shape[1], len(fences.rule) + 1
    room: Room | None = state.room
    if room is None or room.events.told.shape[1] != words or len(room.rule) < rules:
        room = Room(room_for_events(1024, words), np.zeros(rules, np.int32), np.zeros(rules, np.int8))
    room.events.used[0] = 0
    place = 0
    while True:
        place = go_on(room, place)
        if place == end:
            state.room = room
            return room.events
        larger = room_for_events(2 * len(room.events.event), words)
        used = room.events.used[0]
        larger.event[:used], larger.told[:used], larger.used[0] = room.events.event[:used], room.events.told[:used], used
        room = room._replace(events=larger)
        state.make_room(len(larger.event))
