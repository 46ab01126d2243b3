"""J10, contact: `silent`, `silent_long`, `stale` and `no_position`.

And the slots that are no rule's, which open and clear at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.activity import NEVER
from fences.compiled import Record, compiled, inlined
from operators.events import RETURNED, Events, Occasion, tell_cleared, tell_opened
from operators.fix_batch import ABSENT_MS
from operators.slot_machine import give_slot_back, take_slot
from operators.state import (
    BATTERY_CRITICAL,
    BATTERY_LOW,
    FIRST_FLAG,
    IMPLAUSIBLE,
    NO_POSITION,
    OPEN,
    OPEN_EPISODES,
    SILENT,
    SILENT_LONG,
    STALE,
    Pool,
)  # fmt: skip

RED, YELLOW, INFO = 0, 1, 2
BOTH_SILENCES = (1 << (SILENT - FIRST_FLAG)) | (1 << (SILENT_LONG - FIRST_FLAG))


@inlined
def is_open(row: Record, kind: int) -> bool:
    """Whether a slot that is no rule's is open."""
    return row.open_kinds >> (kind - FIRST_FLAG) & 1 != 0


@compiled
def _level(kind: int) -> int:
    if kind == BATTERY_LOW:
        return INFO
    return YELLOW if kind in (SILENT, NO_POSITION, STALE, IMPLAUSIBLE, BATTERY_CRITICAL) else RED


@compiled
def open_flag(pool: Pool, events: Events, row: Record, kind: int, occasion: Occasion) -> None:
    """Open an episode of a slot that is no rule's: onset and time are one."""
    at = take_slot(pool, -kind)
    slot = pool.slot[at]
    slot.onset_ms, slot.kind, slot.level, slot.state = occasion.time_ms, kind, _level(kind), OPEN
    slot.next = row.first_flag
    row.first_flag = at
    row.open_kinds |= 1 << (kind - FIRST_FLAG)
    pool.head[OPEN_EPISODES] += 1
    tell_opened(pool, events, slot, -kind, occasion)


@compiled
def clear_flag(pool: Pool, events: Events, reason: int, row: Record, kind: int, occasion: Occasion) -> None:
    """Clear the open episode of a slot that is no rule's."""
    before, at = np.int64(-1), np.int64(row.first_flag)
    while pool.slot[at].rule != -kind:
        before, at = at, np.int64(pool.slot[at].next)
    tell_cleared(pool, events, reason, pool.slot[at], -kind, occasion)
    if before < 0:
        row.first_flag = pool.slot[at].next
    else:
        pool.slot[before].next = pool.slot[at].next
    give_slot_back(pool, at)
    row.open_kinds ^= 1 << (kind - FIRST_FLAG)
    pool.head[OPEN_EPISODES] -= 1


@compiled
def deadline(feeds: NDArray[np.void], pool: Pool, row: Record, silent_long_after_ms: int) -> int:
    """When the next silence is due if nothing arrives; `NEVER` where both are open, he was never heard of, or his source is silent.

    `feeds` FEED: while a source is silent no `silent` opens of those last heard through it; afterwards it counts from its return.
    """
    if row.arrival_ms == ABSENT_MS or is_open(row, SILENT_LONG):
        return NEVER
    if is_open(row, SILENT):
        at = np.int64(row.first_flag)
        while pool.slot[at].rule != -SILENT:
            at = np.int64(pool.slot[at].next)
        return max(pool.slot[at].onset_ms + silent_long_after_ms, row.floor_ms)
    feed = feeds[row.heard_through]
    due_ms = max(max(row.arrival_ms, feed.returned_ms) + row.silent_after_ms, row.floor_ms)
    return due_ms if due_ms < feed.held_from_ms else NEVER


@compiled
def bring_deadlines(
    feeds: NDArray[np.void],
    pool: Pool,
    events: Events,
    row: Record,
    silent_long_after_ms: int,
    before_ms: int,
    occasion: Occasion,
) -> None:
    """Open what nothing arrived for, at deadlines earlier than an instant; `occasion` gives the last position."""
    due_ms = deadline(feeds, pool, row, silent_long_after_ms)
    while due_ms < before_ms:
        kind = SILENT_LONG if is_open(row, SILENT) else SILENT
        open_flag(pool, events, row, kind, at_time(occasion, due_ms, ABSENT_MS))
        due_ms = deadline(feeds, pool, row, silent_long_after_ms)


@inlined
def at_time(occasion: Occasion, time_ms: int, received_ms: int) -> Occasion:
    """The same position at another time."""
    return Occasion(
        time_ms, occasion.lon, occasion.lat, occasion.accuracy_m, received_ms, occasion.row, occasion.subject, occasion.home,
        occasion.found,
    )  # fmt: skip


@compiled
def hear(pool: Pool, events: Events, row: Record, occasion: Occasion) -> None:
    """A record has arrived: it clears both silences."""
    for kind in (SILENT, SILENT_LONG):
        if is_open(row, kind):
            clear_flag(pool, events, RETURNED, row, kind, occasion)


@compiled
def out_of_order(pool: Pool, events: Events, row: Record, occasion: Occasion) -> None:
    """`stale`: a late, doubled or contradictory record, long after the last in-order one arrived."""
    if not is_open(row, STALE) and occasion.time_ms - row.in_order_arrival_ms >= row.silent_after_ms:
        open_flag(pool, events, row, STALE, occasion)


@compiled
def position_lost(pool: Pool, events: Events, row: Record, no_position_after_ms: int, occasion: Occasion) -> None:
    """`no_position`: an in-order record without one, long after the last one with (or the first record)."""
    since_ms = row.first_ms if row.pos_ms == ABSENT_MS else row.pos_ms
    if not is_open(row, NO_POSITION) and occasion.time_ms - since_ms >= no_position_after_ms:
        open_flag(pool, events, row, NO_POSITION, occasion)
