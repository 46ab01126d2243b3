"""What the clock brings: deadlines and edges of subjects of whom no record comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.activity import NEVER
from fences.compiled import compiled
from fences.fence_set import Fences
from operators.contact import bring_deadlines, deadline, is_open
from operators.edges import bring_edges, last_position
from operators.events import Events, has_room
from operators.fix_batch import ABSENT_MS
from operators.state import NEXT_DUE, SILENT, Memory, State
from operators.step import run_with_room

_DEADLINES = 4


@compiled
def bring_one(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    s: int,
    deadlines_before_ms: int,
    edges_upto_ms: int,
) -> bool:
    """What is due of one subject. False where there was no room."""
    row, pool, long_ms = memory.row[s], memory.pool, fences.limits[0].silent_long_after_ms
    if (row.arrival_ms + row.silent_after_ms < deadlines_before_ms or is_open(row, SILENT)) and deadline(
        memory.feed, pool, row, long_ms
    ) < deadlines_before_ms:
        if not has_room(pool, events, _DEADLINES):
            return False
        occasion = last_position(fences.subject, fences.shapes, fences.cells, fences.region_rank, row, s, np.int64(0))
        bring_deadlines(memory.feed, pool, events, row, long_ms, deadlines_before_ms, occasion)
    return row.next_edge_ms > edges_upto_ms or bring_edges(fences, memory, events, scratch_rule, scratch_verdict, s, edges_upto_ms)


@compiled
def _sweep(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    begin: int,
    deadlines_before_ms: int,
    edges_upto_ms: int,
) -> int:
    for s in range(begin, len(memory.row)):
        if memory.row[s].arrival_ms != ABSENT_MS and not bring_one(
            fences, memory, events, scratch_rule, scratch_verdict, s, deadlines_before_ms, edges_upto_ms
        ):
            return s
    return len(memory.row)


@compiled
def _sweep_some(
    fences: Fences,
    memory: Memory,
    events: Events,
    scratch_rule: NDArray[np.int32],
    scratch_verdict: NDArray[np.int8],
    subjects: NDArray[np.int32],
    begin: int,
    deadlines_before_ms: int,
    edges_upto_ms: int,
) -> int:
    for i in range(begin, len(subjects)):
        s = np.int64(subjects[i])
        if memory.row[s].arrival_ms != ABSENT_MS and not bring_one(
            fences, memory, events, scratch_rule, scratch_verdict, s, deadlines_before_ms, edges_upto_ms
        ):
            return i
    return len(subjects)


@compiled
def _due(memory: Memory, s: int, silent_long_after_ms: int, grace_ms: int, before_ms: int) -> int:
    """When anything can be due of a subject; what is not before an instant need not be exact."""
    row, least = memory.row[s], np.int64(before_ms)
    if row.arrival_ms != ABSENT_MS:
        if row.next_edge_ms < NEVER - grace_ms:
            least = min(least, row.next_edge_ms + grace_ms)
        if row.arrival_ms + row.silent_after_ms < least or is_open(row, SILENT):
            least = min(least, deadline(memory.feed, memory.pool, row, silent_long_after_ms))
    return least


@compiled
def _next_due(memory: Memory, silent_long_after_ms: int, grace_ms: int) -> int:
    """The least instant at which anything can be due."""
    least = NEVER
    for s in range(len(memory.row)):
        least = _due(memory, s, silent_long_after_ms, grace_ms, least)
    return least


def bring_due(fences: Fences, state: State, deadlines_before_ms: int, edges_upto_ms: int) -> Events:
    """Deadlines earlier than one instant, and edges up to and including another, of all subjects heard of."""
    return run_with_room(
        state, fences, len(state.memory.row),
        lambda room, place: _sweep(
            fences, state.memory, room.events, room.rule, room.verdict, place, deadlines_before_ms, edges_upto_ms
        ),
    )  # fmt: skip


@compiled
def _earliest(memory: Memory, subjects: NDArray[np.int32], silent_long_after_ms: int, grace_ms: int) -> int:
    """The least instant at which anything can be due of some subjects."""
    least = NEVER
    for i in range(len(subjects)):
        least = min(least, _due(memory, np.int64(subjects[i]), silent_long_after_ms, grace_ms, least))
    return least


def bring_forward(fences: Fences, state: State, subjects: NDArray[np.int32]) -> None:
    """Other things may be due of some subjects now: the clock looks at them in time."""
    limits = fences.limits[0]
    earliest_ms = _earliest(state.memory, subjects, int(limits["silent_long_after_ms"]), int(limits["edge_grace_ms"]))
    head = state.memory.pool.head
    head[NEXT_DUE] = min(head[NEXT_DUE], np.int64(earliest_ms))


def bring_due_of(fences: Fences, state: State, subjects: NDArray[np.int32], mark_ms: int) -> Events:
    """What a clock mark brings for some subjects alone: deadlines before it, edges after their grace."""
    edges_upto_ms = mark_ms - int(fences.limits[0]["edge_grace_ms"])
    return run_with_room(
        state, fences, len(subjects),
        lambda room, place: _sweep_some(
            fences, state.memory, room.events, room.rule, room.verdict, subjects, place, mark_ms, edges_upto_ms
        ),
    )  # fmt: skip


def bring_mark(fences: Fences, state: State, mark_ms: int) -> Events | None:
    """What a clock mark brings: deadlines at once, edges after their grace. None, and nothing touched, where nothing can be due."""
    if mark_ms < state.memory.pool.head[NEXT_DUE]:
        return None
    grace_ms = int(fences.limits[0]["edge_grace_ms"])
    events = bring_due(fences, state, mark_ms, mark_ms - grace_ms)
    state.memory.pool.head[NEXT_DUE] = np.int64(_next_due(state.memory, int(fences.limits[0]["silent_long_after_ms"]), grace_ms))
    return events
