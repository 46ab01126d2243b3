"""What the step writes down to be told: an event a row, with the position it gives and the regions told so far.

Here stand also the regions of an alert (section 4 of the contract): whom an opening, a move and a clear go to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import Record, compiled, record_type
from operators.state import FREE_TOLD, USED_SLOTS, USED_TOLD, Pool

EVENT = record_type(
    [
        ("time_ms", "i8"), ("onset_ms", "i8"), ("received_ms", "i8"), ("lon", "f8"), ("lat", "f8"), ("accuracy_m", "f8"),
        ("row", "i4"), ("subject", "i4"), ("rule", "i4"), ("found", "i4"), ("what", "u1"), ("kind", "u1"), ("level", "u1"),
        ("reason", "u1"),
    ],
)  # fmt: skip
"""Something to tell of a subject row: `rule` (AREA_RULE, a rule's number, or minus a kind), region found (-1: none), row of
the batch
(-1: an edge or a deadline brought it), `received_ms` (`ABSENT_MS` likewise), position (NaN: none), one of the codes below."""

NOTHING, OPENED, MOVED, CLEARED, LATE_FIX, LATE_SLOT = range(6)
"""`what`. LATE_FIX marks a late fix for the lanes (`operators.late`).

The LATE_SLOTs behind it say where the subject's slots stand.
"""
NO_REASON, RETURNED, RULE_ENDED = range(3)
REASONS = (None, "returned", "rule_ended")


class Events(NamedTuple):
    """`event` EVENT[k], `told` uint64[k, words], `used` int64[2]: how many; scratch."""

    event: NDArray[np.void]
    told: NDArray[np.uint64]
    used: NDArray[np.int64]


class Occasion(NamedTuple):
    """What brings a judgement: its time, the position it gives, the arrival and row of the record (`ABSENT_MS` and -1: none).

    `subject`, his `home` region and the region `found` at the position (-1: none) go with it.
    """

    time_ms: int
    lon: float
    lat: float
    accuracy_m: float
    received_ms: int
    row: int
    subject: int
    home: int
    found: int


def room_for_events(rows: int, words: int) -> Events:
    """Empty events; `words` of told regions."""
    return Events(np.zeros(rows, EVENT), np.zeros((rows, words), np.uint64), np.zeros(2, np.int64))


@compiled
def has_room(pool: Pool, events: Events, needed: int) -> bool:
    """Whether so many events, slots and told regions can be had."""
    return (
        events.used[0] + needed <= len(events.event)
        and pool.head[USED_SLOTS] + needed <= len(pool.slot)
        and pool.head[USED_TOLD] + needed <= len(pool.told)
    )


@compiled
def _take_told(pool: Pool) -> int:
    at = pool.head[FREE_TOLD]
    if at >= 0:
        pool.head[FREE_TOLD] = np.int64(pool.told[at, 0]) - 1
    else:
        at = pool.head[USED_TOLD]
        pool.head[USED_TOLD] += 1
    for w in range(pool.told.shape[1]):
        pool.told[at, w] = np.uint64(0)
    return at


@compiled
def let_go_told(pool: Pool, slot: Record) -> None:
    """Give back the row of told regions of an episode that has ended."""
    at = np.int64(slot.told)
    pool.told[at, 0] = np.uint64(pool.head[FREE_TOLD] + 1)
    pool.head[FREE_TOLD] = at
    slot.told = -1


@compiled
def _tell(pool: Pool, slot: Record, region: int) -> bool:
    """Note that a region (-1: none) was told; whether that is new."""
    if region < 0:
        return False
    bit = pool.region_bit[region]
    mask = np.uint64(1) << np.uint64(bit & 63)
    new = pool.told[slot.told, bit >> 6] & mask == np.uint64(0)
    pool.told[slot.told, bit >> 6] |= mask
    return new


@compiled
def write(pool: Pool, events: Events, what: int, reason: int, slot: Record, rule: int, occasion: Occasion) -> None:
    """Write down one event, with the regions that its slot has told."""
    used = events.used[0]
    event = events.event[used]
    event.time_ms, event.onset_ms, event.received_ms = occasion.time_ms, slot.onset_ms, occasion.received_ms
    event.lon, event.lat, event.accuracy_m = occasion.lon, occasion.lat, occasion.accuracy_m
    event.row, event.subject, event.rule, event.found = occasion.row, occasion.subject, rule, occasion.found
    event.what, event.kind, event.level, event.reason = what, slot.kind, slot.level, reason
    for w in range(events.told.shape[1]):
        events.told[used, w] = pool.told[slot.told, w] if slot.told >= 0 else np.uint64(0)
    events.used[0] = used + 1


@compiled
def tell_opened(pool: Pool, events: Events, slot: Record, rule: int, occasion: Occasion) -> None:
    """An opening goes to home region and found region."""
    slot.told = _take_told(pool)
    _tell(pool, slot, occasion.home)
    _tell(pool, slot, occasion.found)
    write(pool, events, OPENED, NO_REASON, slot, rule, occasion)


@compiled
def tell_moved(pool: Pool, events: Events, slot: Record, rule: int, occasion: Occasion) -> None:
    """A fix in a region not told yet, while an episode stays open, goes to all regions told so far and the new one."""
    if _tell(pool, slot, occasion.found):
        write(pool, events, MOVED, NO_REASON, slot, rule, occasion)


@compiled
def tell_cleared(pool: Pool, events: Events, reason: int, slot: Record, rule: int, occasion: Occasion) -> None:
    """A clear goes to every region that its episode has told, and home."""
    _tell(pool, slot, occasion.home)
    write(pool, events, CLEARED, reason, slot, rule, occasion)
    let_go_told(pool, slot)
