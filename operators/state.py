"""What is remembered of each subject: his last record and position, and his slots. Structured arrays, one a shard.

The bytes of the arrays are the snapshot. Slot number s < n is slot `area` of subject row s; higher ones are slots of rules, handed
out when a rule is first broken and taken back when all is fine again, linked from the subject's row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import record_type
from operators.fix_batch import ABSENT_MS

ROW = record_type(
    [
        ("last_ms", "i8"), ("pos_ms", "i8"), ("pos_lon", "f8"), ("pos_lat", "f8"), ("pos_accuracy_m", "f8"),
        ("arrival_ms", "i8"), ("first_slot", "i4"), ("area_state", "u1"), ("placed", "u1"), ("area_clearing", "u1"), ("spare", "u1"),
        ("area_found", "i8"),
    ],
)  # fmt: skip
"""One subject, one cache line: time of his last in-order record (`ABSENT_MS`: none yet) and whether it had a position (`placed`);
his last position, its time and accuracy (NaN: missing); his last arrival; his first rule slot (-1: none); of slot `area`
what the steady row asks: its state, whether it is on its way to a clear, and the region that it was last told about (-1: none)."""

SLOT = record_type(
    [
        ("onset_ms", "i8"), ("rule", "i4"), ("next", "i4"), ("told", "i4"), ("state", "u1"), ("kind", "u1"), ("level", "u1"),
        ("spare", "u1"), ("count", "i4"), ("clear_count", "i4"),
    ],
)  # fmt: skip
"""One slot (J6): `told` is the row of `State.told` with the regions that its open episode has told, -1 for none."""

CALM, PENDING, OPEN = 0, 1, 2
"""States of a slot."""
LEFT_AREA, OVERSTAY, ENTERED_FORBIDDEN, ABSENT_FROM = 0, 1, 2, 3
KINDS = ("left_area", "overstay", "entered_forbidden", "absent")

USED_SLOTS, FREE_SLOT, USED_TOLD, FREE_TOLD, OPEN_EPISODES = range(5)
"""Places of `State.head`: how much of a pool was ever used, the head of its free list (-1: empty); episodes open now."""

GAP_BINS = 64 * 128


class Memory(NamedTuple):
    """The state as arrays for the compiled step.

    `row` ROW[n], `slot` SLOT, `told` uint64[k, words] (a bit a region; of a free row the first word is the next free one),
    `head` int64[5], `count` int64 (see `operators.step`), `gap` int64[GAP_BINS] (histogram of gaps between in-order records).
    """

    row: NDArray[np.void]
    slot: NDArray[np.void]
    told: NDArray[np.uint64]
    head: NDArray[np.int64]
    count: NDArray[np.int64]
    gap: NDArray[np.int64]


class State:
    """The memory of one shard; grows when asked to."""

    def __init__(self, subjects: int, regions: int) -> None:
        """An empty memory of `subjects` rows for a map of `regions` regions."""
        row = np.zeros(subjects, ROW)
        row["last_ms"] = row["pos_ms"] = row["arrival_ms"] = ABSENT_MS
        row["first_slot"] = -1
        slot = np.zeros(subjects + 256, SLOT)
        slot["rule"] = slot["next"] = slot["told"] = -1
        self.memory = Memory(
            row, slot, np.zeros((256, max(1, (regions + 63) // 64)), np.uint64), np.array([subjects, -1, 0, -1, 0], np.int64),
            np.zeros(8, np.int64), np.zeros(GAP_BINS, np.int64),
        )  # fmt: skip

    def make_room(self, rows: int) -> None:
        """Enlarge the pools of slots and of told regions, so that `rows` more of each can be handed out."""
        m = self.memory
        short = int(m.head[USED_SLOTS]) + rows - len(m.slot)
        if short > 0:
            more = np.zeros(max(short, len(m.slot) // 4), SLOT)
            more["rule"] = more["next"] = more["told"] = -1
            m = m._replace(slot=np.concatenate([m.slot, more]))
        short = int(m.head[USED_TOLD]) + rows - len(m.told)
        if short > 0:
            m = m._replace(told=np.concatenate([m.told, np.zeros((max(short, len(m.told)), m.told.shape[1]), np.uint64)]))
        self.memory = m
