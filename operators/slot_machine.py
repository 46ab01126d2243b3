"""J6, the slot machine: from single judgements to episodes; and the pool that rules' slots come from."""

from __future__ import annotations

import numpy as np

from fences.compiled import Record, compiled
from operators.events import CLEARED, NOTHING, OPENED
from operators.judge import BREACH, FINE
from operators.state import CALM, FREE_SLOT, NO_VERDICT, OPEN, OPEN_EPISODES, PENDING, USED_SLOTS, Pool

_ENOUGH = 1_000_000


@compiled
def advance(
    pool: Pool,
    slot: Record,
    verdict: int,
    time_ms: int,
    kind: int,
    confirm_fixes: int,
    confirm_ms: int,
    clear_fixes: int,
    level: int,
) -> int:
    """What one judgement does to a slot: NOTHING, OPENED or CLEARED. An uncertain one changes nothing."""
    slot.last = verdict
    if verdict == BREACH:
        if slot.state == OPEN:
            slot.clear_count = 0
            return NOTHING
        if slot.state == CALM:
            slot.state = PENDING
            slot.onset_ms = time_ms
            slot.kind = kind
            slot.count = 0
        slot.count = min(slot.count + 1, _ENOUGH)
        if slot.count >= confirm_fixes and time_ms - slot.onset_ms >= confirm_ms:
            slot.state = OPEN
            slot.level = level
            slot.clear_count = 0
            pool.head[OPEN_EPISODES] += 1
            return OPENED
    elif verdict == FINE:
        if slot.state == PENDING:
            slot.state = CALM
        elif slot.state == OPEN:
            slot.clear_count += 1
            if slot.clear_count >= clear_fixes:
                slot.state = CALM
                pool.head[OPEN_EPISODES] -= 1
                return CLEARED
    return NOTHING


@compiled
def take_slot(pool: Pool, rule: int) -> int:
    """A calm slot from the pool."""
    at = pool.head[FREE_SLOT]
    if at >= 0:
        pool.head[FREE_SLOT] = pool.slot[at].next
    else:
        at = pool.head[USED_SLOTS]
        pool.head[USED_SLOTS] += 1
    slot = pool.slot[at]
    slot.rule = rule
    slot.state = CALM
    slot.last = NO_VERDICT
    slot.next = -1
    return np.int64(at)


@compiled
def give_slot_back(pool: Pool, at: int) -> None:
    """Return a slot to the pool."""
    pool.slot[at].rule = -1
    pool.slot[at].state = CALM
    pool.slot[at].next = pool.head[FREE_SLOT]
    pool.head[FREE_SLOT] = at


@compiled
def slots_from(pool: Pool, first: int) -> int:
    """How many slots a list holds."""
    n = 0
    while first >= 0:
        n += 1
        first = pool.slot[first].next
    return n
