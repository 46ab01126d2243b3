"""J5, J7 and J8: the instants at which the active rules of a subject change, and the judgement at them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.activity import NEVER, Calendar, is_active, next_change
from fences.compiled import Record, compiled
from fences.fence_set import Fences
from fences.shapes import Shapes
from fences.zone_index import Cells
from operators.events import Events, Occasion, has_room
from operators.fix_batch import ABSENT_MS
from operators.judge import BREACH, FINE, NOT_JUDGED, judge_area_alone, judge_position, region_at
from operators.slot_machine import slots_from
from operators.standing import end_rules, step_area, step_rules
from operators.state import CALM, LEFT_AREA, OVERSTAY, Memory, Pool

_SPARE = 8


@compiled
def next_edge(
    subjects: NDArray[np.void],
    profiles: NDArray[np.void],
    bindings: NDArray[np.void],
    rules: NDArray[np.void],
    timed_start: NDArray[np.int64],
    timed_rule: NDArray[np.int32],
    calendar: Calendar,
    subject: int,
    after_ms: int,
) -> int:
    """When the active rules of a subject may change next, after an instant; never later than they do. `NEVER` where never."""
    bound = subjects[subject]
    profile = profiles[bound.profile]
    best = NEVER
    own = bound.allow + bound.forbid + bound.require
    before = np.int64(-1)
    for k in range(own + profile.allow + profile.forbid + profile.require):
        b = bindings[bound.at + k if k < own else profile.at + k - own]
        if b.rule != before:  # the areas of a rule stand together
            best = min(best, next_change(calendar, b.from_ms, b.until_ms, b.schedule, bound.zone, after_ms))
        before = np.int64(b.rule)
    for k in range(timed_start[bound.profile], timed_start[bound.profile + 1]):
        r = rules[timed_rule[k]]
        best = min(best, next_change(calendar, r.from_ms, r.until_ms, r.schedule, bound.zone, after_ms))
    return best


@compiled
def _changes(calendar: Calendar, r: Record, zone: int, time_ms: int) -> bool:
    now = is_active(calendar, r.from_ms, r.until_ms, r.schedule, zone, time_ms)
    return now != is_active(calendar, r.from_ms, r.until_ms, r.schedule, zone, time_ms - 1)


@compiled
def is_edge(
    subjects: NDArray[np.void],
    profiles: NDArray[np.void],
    bindings: NDArray[np.void],
    rules: NDArray[np.void],
    timed_start: NDArray[np.int64],
    timed_rule: NDArray[np.int32],
    calendar: Calendar,
    subject: int,
    time_ms: int,
) -> bool:
    """Whether the set of active rules at an instant differs from just before."""
    bound = subjects[subject]
    profile = profiles[bound.profile]
    own = bound.allow + bound.forbid + bound.require
    before = np.int64(-1)
    for k in range(own + profile.allow + profile.forbid + profile.require):
        b = bindings[bound.at + k if k < own else profile.at + k - own]
        if b.rule != before and _changes(calendar, b, bound.zone, time_ms):
            return True
        before = np.int64(b.rule)
    for k in range(timed_start[bound.profile], timed_start[bound.profile + 1]):
        if _changes(calendar, rules[timed_rule[k]], bound.zone, time_ms):
            return True
    return False


@compiled
def set_next_edge(fences: Fences, row: Record, subject: int) -> None:
    """Seek the next edge after those that were brought."""
    row.next_edge_ms = next_edge(
        fences.subject, fences.profile, fences.binding, fences.rule, fences.timed_start, fences.timed_rule, fences.calendar,
        subject,
        row.edges_done_ms,
    )  # fmt: skip


@compiled
def area_policy(
    subjects: NDArray[np.void],
    profiles: NDArray[np.void],
    bindings: NDArray[np.void],
    policies: NDArray[np.void],
    calendar: Calendar,
    subject: int,
    time_ms: int,
) -> tuple[int, int, int, int]:
    """J5: confirmation, clearing and level of slot `area`: the largest, and the gravest, over the active allow rules."""
    confirm_fixes, confirm_ms, clear_fixes, level = np.int64(0), np.int64(0), np.int64(0), np.int64(255)
    bound = subjects[subject]
    profile = profiles[bound.profile]
    for k in range(bound.allow + profile.allow):
        b = bindings[bound.at + k if k < bound.allow else profile.at + k - bound.allow]
        if is_active(calendar, b.from_ms, b.until_ms, b.schedule, bound.zone, time_ms):
            policy = policies[b.policy]
            confirm_fixes, confirm_ms = max(confirm_fixes, np.int64(policy.confirm_fixes)), max(confirm_ms, policy.confirm_ms)
            clear_fixes, level = max(clear_fixes, np.int64(policy.clear_fixes)), min(level, np.int64(policy.level))
    if level == 255:
        policy = policies[len(policies) - 3]
        return np.int64(policy.confirm_fixes), policy.confirm_ms, np.int64(policy.clear_fixes), np.int64(policy.level)
    return confirm_fixes, confirm_ms, clear_fixes, level


@compiled
def judged_area(
    fences: Fences, pool: Pool, events: Events, row: Record, slot: Record, verdict: int, occasion: Occasion, at_edge: bool
) -> None:
    """Slot `area` takes a verdict; its kind is fixed at the onset.

    J8: `overstay` where the allow rules that were active at his last fine fix would have made this judgement fine.
    """
    kind = LEFT_AREA
    if verdict == BREACH and slot.state == CALM and row.fine_ms != ABSENT_MS:
        then = judge_area_alone(fences, occasion.subject, row.fine_ms, occasion.lon, occasion.lat, occasion.accuracy_m)
        kind = OVERSTAY if then == FINE else LEFT_AREA
    confirm_fixes, confirm_ms, clear_fixes, level = area_policy(
        fences.subject, fences.profile, fences.binding, fences.policy, fences.calendar, occasion.subject, occasion.time_ms
    )
    step_area(pool, events, row, slot, verdict, kind, confirm_fixes, confirm_ms, clear_fixes, level, occasion, at_edge)


@compiled
def last_position(
    subjects: NDArray[np.void],
    shapes: Shapes,
    cells: Cells,
    region_rank: NDArray[np.int32],
    row: Record,
    subject: int,
    time_ms: int,
) -> Occasion:
    """The occasion of an edge or a deadline: no record, the last in-order position."""
    found = region_at(shapes, cells, region_rank, row.pos_lon, row.pos_lat)
    home = np.int64(subjects[subject].home)
    return Occasion(time_ms, row.pos_lon, row.pos_lat, row.pos_accuracy_m, ABSENT_MS, np.int64(-1), subject, home, found)


@compiled
def bring_edge(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    subject: int,
    time_ms: int,
) -> bool:
    """Judge a subject at an edge, where his last position is young enough; slots of ended rules end whatever its age.

    False where there was no room, and nothing was done.
    """
    row, pool = memory.row[subject], memory.pool
    zone = fences.subject[subject].zone
    occasion = last_position(fences.subject, fences.shapes, fences.cells, fences.region_rank, row, subject, time_ms)
    young = row.pos_ms != ABSENT_MS and time_ms - row.pos_ms <= fences.limits[0].max_position_age_ms
    hits, verdict = np.int64(0), NOT_JUDGED
    if young:
        verdict, hits = judge_position(
            fences, subject, time_ms, row.pos_lon, row.pos_lat, row.pos_accuracy_m, scratch_rule, scratch_verdict
        )
    if not has_room(pool, events, slots_from(pool, row.first_slot) + hits + _SPARE):
        return False
    end_rules(fences.calendar, fences.rule, pool, events, row, zone, occasion)
    if young:
        # A verdict that the last judgement already had changes nothing: one position counts once.
        if verdict != NOT_JUDGED and verdict != row.area_last:  # noqa: PLR1714 - of two types
            judged_area(fences, pool, events, row, memory.area[subject], verdict, occasion, True)
        step_rules(fences.rule, fences.policy, pool, events, row, scratch_rule, scratch_verdict, np.int64(0), hits, occasion, True)
        row.edge_judged_ms = time_ms
    return True


@compiled
def bring_edges(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    subject: int,
    upto_ms: int,
) -> bool:
    """The edges not brought yet, up to and including an instant, in order. False where room ran out before one of them."""
    row = memory.row[subject]
    while row.next_edge_ms <= upto_ms:
        edge_ms = np.int64(row.next_edge_ms)
        real = is_edge(
            fences.subject, fences.profile, fences.binding, fences.rule, fences.timed_start, fences.timed_rule, fences.calendar,
            subject, edge_ms,
        )  # fmt: skip
        if real and not bring_edge(fences, memory, events, scratch_rule, scratch_verdict, subject, edge_ms):
            return False
        row.edges_done_ms = edge_ms
        set_next_edge(fences, row, subject)
    row.edges_done_ms = max(row.edges_done_ms, upto_ms)
    return True
