"""Which zones and regions may contain a point: an R-tree, with a grid of cells in front of it.

The R-tree is asked once for each new cell, in bulk, not once for each fix; compiled loops then find the candidates of a cell in an
array. The grid covers the extent of the areas with at most `MAX_CELLS_ASIDE` cells a side: where devices report from cannot make it
grow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rtree import index

from fences.compiled import compiled, pasted

MAX_CELLS_ASIDE = 256
MIN_CELL_DEG = 1.0 / 256.0
MOST_ITEMS = 4_000_000
"""More candidates than this are not collected ahead (16 MB): some are asked for when somebody comes to where they are."""
_COLUMNS = MAX_CELLS_ASIDE + 2
"""A cell's number is its row times this, plus its column. Two more than there are: one for the far border, one for rounding."""


class Cells(NamedTuple):
    """The grid as arrays for compiled loops. Never changed once given out: filling makes a new one.

    `frame` float64[5]: x0, y0, x1, y1 of everything in degrees, and cells a degree. `where` int32, by cell number: the cell's list,
    -1 where it is not known yet; list w is `item[start[w]:start[w + 1]]` (int64, int32), area numbers in ascending order.
    """

    frame: NDArray[np.float64]
    where: NDArray[np.int32]
    start: NDArray[np.int64]
    item: NDArray[np.int32]


@pasted
def cell_key(cells: Cells, x: float, y: float) -> int:
    """Number of the cell of a point; -1 outside of everything."""
    f = cells.frame
    if not (f[0] <= x <= f[2] and f[1] <= y <= f[3]):
        return -1
    return int((y - f[1]) * f[4]) * _COLUMNS + int((x - f[0]) * f[4])


@pasted
def find_cell(cells: Cells, key: int) -> int:
    """Number of a cell's list, -1 where the cell is not known yet."""
    return int(cells.where[key])


@compiled
def _unknown(cells: Cells, x: NDArray[np.float64], y: NDArray[np.float64], out: NDArray[np.int64]) -> int:
    """Write the cells of points that are not known yet to `out`; answers how many. One may stand there twice."""
    n = 0
    last = -1
    for i in range(len(x)):
        key = cell_key(cells, x[i], y[i])
        if key not in (-1, last) and find_cell(cells, key) < 0:
            out[n] = key
            n += 1
            last = key
    return n


_SAVED = ("_areas", "_boxes", "_lists", "cells", "is_complete")


class ZoneIndex:
    """R-tree over the bounding boxes of some areas, with its grid of cells."""

    def __init__(self, areas: NDArray[np.int32], boxes: NDArray[np.float64]) -> None:
        """`areas`: the numbers of the areas to find, ascending; `boxes` float64[n, 4]: their x0, y0, x1, y1 in degrees."""
        self._areas = areas
        self._boxes = boxes
        self._lock = threading.Lock()
        self._lists: dict[bytes, int] = {}
        frame = np.array([1.0, 1.0, 0.0, 0.0, 1.0])
        self._tree: index.Index | None = None
        self.is_complete = not len(areas)
        """Whether every cell is known already."""
        if len(areas):
            frame[:2], frame[2:4] = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
            side = max(frame[2] - frame[0], frame[3] - frame[1])
            frame[4] = 1.0 / max(MIN_CELL_DEG, side / MAX_CELLS_ASIDE)
            self._tree = self._grown()
        rows = int(max(0.0, frame[3] - frame[1]) * frame[4]) + 2
        self.cells = Cells(frame, np.full(rows * _COLUMNS, -1, np.int32), np.zeros(1, np.int64), np.empty(0, np.int32))

    def __getstate__(self) -> dict[str, Any]:
        """For another process: all but the tree, which is made anew there should a cell be asked for that is not known."""
        return {name: getattr(self, name) for name in _SAVED}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """As it was there."""
        for name in _SAVED:
            setattr(self, name, saved[name])
        self._lock = threading.Lock()
        self._tree = None

    def complete(self) -> None:
        """Ask for every cell now, so that nobody needs the tree later; unless the answer would be very long."""
        keys = np.arange(len(self.cells.where))
        for some in np.array_split(keys, max(1, len(keys) // 4096)):
            with self._lock:
                self._fill(some)
            if len(self.cells.item) > MOST_ITEMS:
                return
        self.is_complete = True

    def _grown(self) -> index.Index:
        return index.Index(self._stream(self._boxes), interleaved=True)

    @staticmethod
    def _stream(boxes: NDArray[np.float64]) -> Iterator[tuple[int, tuple[float, ...], None]]:
        for i, box in enumerate(boxes.tolist()):
            yield i, tuple(box), None

    def cells_for(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Cells:
        """A grid in which the cell of every given point (float64[n], degrees; NaN is no point) is known."""
        cells = self.cells
        if self.is_complete:
            return cells
        missing = np.empty(len(x), np.int64)
        n = _unknown(cells, x, y, missing)
        if n:
            with self._lock:
                cells = self._fill(np.unique(missing[:n]))
        return cells

    def _fill(self, keys: NDArray[np.int64]) -> Cells:
        old = self.cells
        keys = keys[old.where[keys] < 0]  # another thread may have been first
        if not len(keys):
            return old
        if self._tree is None:
            self._tree = self._grown()
        counts, found = self._ask(self._tree, keys)
        where, start, item = old.where.copy(), [old.start], [old.item]
        known, lists = int(old.start[-1]), len(old.start) - 1
        for key, candidates in zip(keys.tolist(), np.split(found, np.cumsum(counts)[:-1]), strict=True):
            # Cells with the same candidates share a list: the lists of a map are few, and stay in the processor's nearest cache.
            number = self._lists.setdefault(candidates.tobytes(), len(self._lists))
            where[key] = number
            if number == lists:
                lists += 1
                known += len(candidates)
                start.append(np.array([known]))
                item.append(candidates)
        self.cells = Cells(old.frame, where, np.concatenate(start), np.concatenate(item))
        return self.cells

    def _ask(self, tree: index.Index, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Candidates of some cells: how many each, and their area numbers, ascending in each."""
        f = self.cells.frame
        low = np.column_stack([f[0] + (keys % _COLUMNS) / f[4], f[1] + (keys // _COLUMNS) / f[4]])
        grace = 1e-6 / f[4]  # a cell number may be rounded up at a border
        ids, counts = tree.intersection_v(low - grace, low + 1.0 / f[4] + grace)  # type: ignore[no-untyped-call]  # rtree has no types for it
        counts = np.asarray(counts, np.int64)
        found = self._areas[np.asarray(ids, np.int64)]
        cell = np.repeat(np.arange(len(keys)), counts)
        return counts, found[np.lexsort((found, cell))].astype(np.int32)
