"""Which zones and regions may contain a point: an R-tree, with a cache of grid cells in front of it.

The R-tree is asked once for each new cell, in bulk, not once for each fix; compiled loops then find the candidates of a cell in a
hash table. A cell that lies outside everything is known without being remembered, so a device that reports from anywhere cannot
make the cache grow beyond the extent of the areas.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from fences.compiled import compiled, inlined
from numpy.typing import NDArray
from rtree import index

MAX_CELLS_ASIDE = 256
MIN_CELL_DEG = 1.0 / 256.0


class Cells(NamedTuple):
    """The cache as arrays for compiled loops. Never changed once given out: filling makes a new one.

    `frame` float64[5]: x0, y0, x1, y1 of everything in degrees, and cells a degree. `key` int64 (a power of two long, -1 free) and
    `where` int32 are the hash table; cell list w is `item[start[w]:start[w + 1]]`, area numbers in ascending order.
    """

    frame: NDArray[np.float64]
    key: NDArray[np.int64]
    where: NDArray[np.int32]
    start: NDArray[np.int64]
    item: NDArray[np.int32]


@inlined
def cell_key(cells: Cells, x: float, y: float) -> int:
    """Number of the cell of a point; -1 outside of everything."""
    f = cells.frame
    if not (f[0] <= x <= f[2] and f[1] <= y <= f[3]):
        return -1
    return np.int64((y - f[1]) * f[4]) * np.int64(1 << 20) + np.int64((x - f[0]) * f[4])


@inlined
def find_cell(cells: Cells, key: int) -> int:
    """Index of a cell's list, -1 where the cell is not known yet."""
    mask = len(cells.key) - 1
    at = (key * np.int64(-7046029254386353131)) >> 40 & mask
    while cells.key[at] != -1:
        if cells.key[at] == key:
            return np.int64(cells.where[at])
        at = (at + 1) & mask
    return -1


@compiled
def _unknown(cells: Cells, x: NDArray[np.float64], y: NDArray[np.float64], out: NDArray[np.int64]) -> int:
    n = 0
    last = np.int64(-1)
    for i in range(len(x)):
        key = cell_key(cells, x[i], y[i])
        if key not in (-1, last) and find_cell(cells, key) < 0:
            out[n] = key
            n += 1
            last = key
    return n


@compiled
def _enter(cells: Cells, keys: NDArray[np.int64], first: int) -> None:
    mask = len(cells.key) - 1
    for i in range(len(keys)):
        at = (keys[i] * np.int64(-7046029254386353131)) >> 40 & mask
        while cells.key[at] != -1:
            at = (at + 1) & mask
        cells.key[at] = keys[i]
        cells.where[at] = first + i


class ZoneIndex:
    """R-tree over the bounding boxes of some areas, with its cache of cells."""

    def __init__(self, areas: NDArray[np.int32], boxes: NDArray[np.float64]) -> None:
        """`areas`: the numbers of the areas to find, ascending; `boxes` float64[n, 4]: their x0, y0, x1, y1 in degrees."""
        self._areas = areas
        self._lock = threading.Lock()
        frame = np.array([1.0, 1.0, 0.0, 0.0, 1.0])
        self._tree: index.Index | None = None
        if len(areas):
            frame[:2], frame[2:4] = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
            side = max(frame[2] - frame[0], frame[3] - frame[1])
            frame[4] = 1.0 / max(MIN_CELL_DEG, side / MAX_CELLS_ASIDE)
            self._tree = index.Index(self._stream(boxes), interleaved=True)
        self.cells = Cells(frame, np.full(1024, -1, np.int64), np.zeros(1024, np.int32), np.zeros(1, np.int64), np.empty(0, np.int32))

    @staticmethod
    def _stream(boxes: NDArray[np.float64]) -> Iterator[tuple[int, tuple[float, ...], None]]:
        for i, box in enumerate(boxes.tolist()):
            yield i, tuple(box), None

    def cells_for(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Cells:
        """A cache in which the cell of every given point (float64[n], degrees; NaN is no point) is known."""
        cells = self.cells
        if self._tree is None:
            return cells
        missing = np.empty(len(x), np.int64)
        n = _unknown(cells, x, y, missing)
        if n:
            with self._lock:
                cells = self._fill(np.unique(missing[:n]))
        return cells

    def _fill(self, keys: NDArray[np.int64]) -> Cells:
        old = self.cells
        keys = np.array([k for k in keys.tolist() if find_cell(old, k) < 0], np.int64)  # another thread may have been first
        if not len(keys):
            return old
        counts, found = self._ask(keys)
        known = len(old.start) - 1
        start = np.concatenate([old.start, old.start[-1] + np.cumsum(counts)])
        size = 1 << max(10, math.ceil(math.log2(4 * (known + len(keys)))))
        cells = Cells(old.frame, np.full(size, -1, np.int64), np.zeros(size, np.int32), start, np.concatenate([old.item, found]))
        all_keys = np.empty(known, np.int64)
        used = old.key != -1
        all_keys[old.where[used]] = old.key[used]
        _enter(cells, np.concatenate([all_keys, keys]), 0)
        self.cells = cells
        return cells

    def _ask(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Candidates of some cells: how many each, and their area numbers, ascending in each."""
        assert self._tree is not None
        f = self.cells.frame
        low = np.column_stack([f[0] + (keys % (1 << 20)) / f[4], f[1] + (keys >> 20) / f[4]])
        grace = 1e-6 / f[4]  # a cell number may be rounded up at a border
        ids, counts = self._tree.intersection_v(low - grace, low + 1.0 / f[4] + grace)
        counts = np.asarray(counts, np.int64)
        found = self._areas[np.asarray(ids, np.int64)]
        cell = np.repeat(np.arange(len(keys)), counts)
        return counts, found[np.lexsort((found, cell))].astype(np.int32)
