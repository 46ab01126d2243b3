"""J6, the slot machine: from single judgements to episodes, and the regions that an open episode has told."""

from __future__ import annotations

import numpy as np
from fences.compiled import compiled

from operators.judge import BREACH, FINE
from operators.state import CALM, FREE_TOLD, OPEN, OPEN_EPISODES, PENDING, USED_TOLD

NOTHING, OPENED, MOVED, CLEARED = 0, 1, 2, 3
CHANGES = (None, "opened", "moved", "cleared")


@compiled
def advance(memory, slot, verdict, time_ms, kind, confirm_fixes, confirm_ms, clear_fixes, level):  # type: ignore[no-untyped-def]
    """What one judgement does to a slot: NOTHING, OPENED or CLEARED. An uncertain one changes nothing."""
    if verdict == BREACH:
        if slot.state == OPEN:
            slot.clear_count = 0
            return NOTHING
        if slot.state == CALM:
            slot.state = PENDING
            slot.onset_ms = time_ms
            slot.kind = kind
            slot.count = 0
        slot.count = min(slot.count + 1, 1_000_000)
        if slot.count >= confirm_fixes and time_ms - slot.onset_ms >= confirm_ms:
            slot.state = OPEN
            slot.level = level
            slot.clear_count = 0
            slot.told = _take_told(memory)
            memory.head[OPEN_EPISODES] += 1
            return OPENED
    elif verdict == FINE:
        if slot.state == PENDING:
            slot.state = CALM
        elif slot.state == OPEN:
            slot.clear_count += 1
            if slot.clear_count >= clear_fixes:
                slot.state = CALM
                memory.head[OPEN_EPISODES] -= 1
                return CLEARED
    return NOTHING


@compiled
def _take_told(memory):  # type: ignore[no-untyped-def]
    at = memory.head[FREE_TOLD]
    if at >= 0:
        memory.head[FREE_TOLD] = np.int64(memory.told[at, 0]) - 1
    else:
        at = memory.head[USED_TOLD]
        memory.head[USED_TOLD] += 1
    for w in range(memory.told.shape[1]):
        memory.told[at, w] = np.uint64(0)
    return at


@compiled
def let_go_told(memory, slot):  # type: ignore[no-untyped-def]
    """Give back the row of told regions of an episode that has ended."""
    at = np.int64(slot.told)
    memory.told[at, 0] = np.uint64(memory.head[FREE_TOLD] + 1)
    memory.head[FREE_TOLD] = at
    slot.told = -1


@compiled
def told_set(memory, slot, region):  # type: ignore[no-untyped-def]
    """Note that a region (-1: none) was told."""
    if region >= 0:
        memory.told[slot.told, region >> 6] |= np.uint64(1) << np.uint64(region & 63)


@compiled
def told_has(memory, slot, region):  # type: ignore[no-untyped-def]
    """Whether a region was told."""
    return (memory.told[slot.told, region >> 6] >> np.uint64(region & 63)) & np.uint64(1) != 0
