"""What is remembered of each subject: his last record and position, and his slots. Structured arrays, one set a shard.

The bytes of the arrays are the snapshot. Slot `area` of subject row s is `area[s]`; slots of rules, and of the kinds that are no
rule's (silence, battery, ...), come from one pool: taken when a rule is first broken, given back when all is fine again, linked
from the subject's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.activity import NEVER
from fences.compiled import record_type
from fences.large_pages import in_large_pages
from operators.fix_batch import ABSENT_MS
from operators.late import LateEvidence

ROW = record_type(
    [
        ("last_ms", "i8"), ("pos_ms", "i8"), ("pos_lon", "f8"), ("pos_lat", "f8"), ("arrival_ms", "i8"), ("next_edge_ms", "i8"),
        ("silent_after_ms", "i8"), ("area_state", "u1"), ("area_last", "u1"), ("area_clearing", "u1"), ("placed", "u1"),
        ("open_kinds", "u2"), ("heard_through", "u2"),
        ("pos_accuracy_m", "f8"), ("in_order_arrival_ms", "i8"), ("fine_ms", "i8"), ("edge_judged_ms", "i8"),
        ("edges_done_ms", "i8"),
        ("first_ms", "i8"), ("floor_ms", "i8"), ("first_slot", "i4"), ("first_flag", "i4"), ("area_found", "i4"), ("spare_2", "i4"),
    ],
)  # fmt: skip
"""One subject in two cache lines, the first for the steady row.

Time of his last in-order record (`ABSENT_MS`: none yet) and whether it had a position (`placed`); his last position, its time and
accuracy (NaN: missing); his last arrival and that of the last in-order record; time of the first record. `next_edge_ms`: when his
active rules may change next; every edge up to `edges_done_ms` was brought, at `edge_judged_ms` he was judged last by one. Of slot
`area`: its state, its last verdict, whether it is on its way to a clear, the region last seen while open, the time of the last fine
fix. `open_kinds`: a bit for each open slot that is no rule's. `floor_ms`: no deadline lies before it (a new registry version).
`heard_through`: the row of `Memory.feed` of the source that gave his last record."""

SLOT = record_type(
    [
        ("onset_ms", "i8"), ("rule", "i4"), ("next", "i4"), ("told", "i4"), ("state", "u1"), ("kind", "u1"), ("level", "u1"),
        ("last", "u1"), ("count", "i4"), ("clear_count", "i4"),
    ],
)  # fmt: skip
"""One slot (J6): `last` is its last verdict.

`told` the row of `Pool.told` with the regions its open episode has told (-1: none).
"""

FEED = record_type([("held_from_ms", "i8"), ("returned_ms", "i8")])
"""A source as deadlines see it.

No `silent` opens from `held_from_ms` on (`NEVER`: it is not held), and they count from `returned_ms` at the earliest (`ABSENT_MS`:
it never was away). What else is known of a source: `operators.feeds`.
"""

CALM, PENDING, OPEN = 0, 1, 2
"""States of a slot."""
KINDS = (
    "left_area", "overstay", "entered_forbidden", "absent", "silent", "silent_long", "no_position", "stale", "implausible",
    "tamper",
    "separated", "battery_low", "battery_critical",
)  # fmt: skip
(
    LEFT_AREA, OVERSTAY, ENTERED_FORBIDDEN, ABSENT_FROM, SILENT, SILENT_LONG, NO_POSITION, STALE, IMPLAUSIBLE, TAMPER, SEPARATED,
    BATTERY_LOW, BATTERY_CRITICAL,
) = range(len(KINDS))  # fmt: skip
FIRST_FLAG = SILENT
"""From this kind on, a kind is a slot of its own name; its number in `SLOT.rule` is minus the kind."""
AREA_RULE = -1
NO_VERDICT = 255

USED_SLOTS, FREE_SLOT, USED_TOLD, FREE_TOLD, OPEN_EPISODES, NEXT_DUE = range(6)
"""Places of `Pool.head`: how much of a pool was ever used, the head of its free list (-1: empty); episodes open now; nothing is
due before `NEXT_DUE` (UTC ms)."""

GAP_BINS = 64 * 128


class Pool(NamedTuple):
    """What slots and told regions are taken from.

    `slot` SLOT; `told` uint64[k, words], a bit a region (of a free row the first word is the next free one); `region_bit`
    int32: the
    bit of each region of the registry in force; `head` int64[6].
    """

    slot: NDArray[np.void]
    told: NDArray[np.uint64]
    region_bit: NDArray[np.int32]
    head: NDArray[np.int64]


class Memory(NamedTuple):
    """The state as arrays for the compiled step.

    `row` ROW[n], `area` SLOT[n], the pool of other slots, `counts` int64[8] by the places of `operators.order`; `gap`
    int64[GAP_BINS], a histogram of gaps between in-order records. `feed` FEED: row 0 stands for no source, that of a replay.
    """

    row: NDArray[np.void]
    area: NDArray[np.void]
    pool: Pool
    counts: NDArray[np.int64]
    gap: NDArray[np.int64]
    feed: NDArray[np.void]


def empty_rows(n: int) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """ROW[n] and SLOT[n] (slots `area`) of subjects never heard of."""
    row, area = in_large_pages(np.zeros(n, ROW)), in_large_pages(np.zeros(n, SLOT))
    for name in (
        "last_ms",
        "pos_ms",
        "arrival_ms",
        "in_order_arrival_ms",
        "fine_ms",
        "edge_judged_ms",
        "edges_done_ms",
        "first_ms",
    ):
        row[name] = ABSENT_MS
    row["floor_ms"] = ABSENT_MS
    row["next_edge_ms"] = NEVER
    row["pos_lon"] = row["pos_lat"] = row["pos_accuracy_m"] = np.nan
    row["first_slot"] = row["first_flag"] = row["area_found"] = -1
    row["area_last"] = NO_VERDICT
    area["rule"] = area["next"] = area["told"] = -1
    return row, area


def empty_feeds(n: int) -> NDArray[np.void]:
    """FEED[n] of sources that were never away."""
    feed = np.zeros(n, FEED)
    feed["held_from_ms"], feed["returned_ms"] = NEVER, ABSENT_MS
    return feed


class State:
    """The memory of one shard; its pools grow when asked to.

    `subjects` is how many rows are somebody's; behind them there may be spare ones. `region_ids` names the bits of `Pool.told`: a
    region keeps its bit over registry versions, also one that is gone. `late` holds the lanes of late fixes and what they must not
    repeat. `room` is the step's room for what has to be told.
    """

    def __init__(self, subjects: int, regions: Sequence[str]) -> None:
        """An empty memory of `subjects` rows for a map of these regions."""
        row, area = empty_rows(subjects)
        self.subjects = subjects
        self.region_ids = list(regions)
        self.late = LateEvidence()
        self.room: Any = None
        told = np.zeros((256, max(1, (len(regions) + 63) // 64)), np.uint64)
        pool = Pool(_slots(256), told, np.arange(len(regions), dtype=np.int32), np.array([0, -1, 0, -1, 0, 0], np.int64))
        self.memory = Memory(row, area, pool, np.zeros(8, np.int64), np.zeros(GAP_BINS, np.int64), empty_feeds(1))

    def make_room(self, rows: int) -> None:
        """Enlarge the pools of slots and of told regions, so that `rows` more of each can be handed out."""
        pool = self.memory.pool
        short = int(pool.head[USED_SLOTS]) + rows - len(pool.slot)
        if short > 0:
            pool = pool._replace(slot=np.concatenate([pool.slot, _slots(max(short, len(pool.slot)))]))
        short = int(pool.head[USED_TOLD]) + rows - len(pool.told)
        if short > 0:
            more = np.zeros((max(short, len(pool.told)), pool.told.shape[1]), np.uint64)
            pool = pool._replace(told=np.concatenate([pool.told, more]))
        self.memory = self.memory._replace(pool=pool)

    def grow(self, subjects: int) -> None:
        """Room for so many subjects. More is made than asked for: to copy all rows takes as long as to judge some batches."""
        self.subjects = max(self.subjects, subjects)
        m = self.memory
        if self.subjects > len(m.row):
            row, area = empty_rows(self.subjects - len(m.row) + max(1024, self.subjects // 16))
            self.memory = m._replace(row=np.concatenate([m.row, row]), area=np.concatenate([m.area, area]))

    def name_regions(self, regions: Sequence[str]) -> bool:
        """The regions of another registry: each gets the bit it had, a new one the next. Whether any has another number now."""
        known = {name: bit for bit, name in enumerate(self.region_ids)}
        bits = np.array([known.setdefault(name, len(known)) for name in regions], np.int32)
        moved = not np.array_equal(bits, self.memory.pool.region_bit)
        self.region_ids = list(known)
        told = self.memory.pool.told
        short = max(1, (len(known) + 63) // 64) - told.shape[1]
        if short > 0:
            told = np.concatenate([told, np.zeros((len(told), short), np.uint64)], axis=1)
        self.memory = self.memory._replace(pool=self.memory.pool._replace(told=told, region_bit=bits))
        return moved


def _slots(n: int) -> NDArray[np.void]:
    slot = np.zeros(n, SLOT)
    slot["rule"] = slot["next"] = slot["told"] = -1
    return slot
