"""Columns in which some rows are replaced, some emptied and some put behind: what a change of a few records does to a million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fences.packed_ids import PackedIds
from fences.registry import Lists

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Patch:
    """`rows` int64, ascending: those that are replaced or new; `gone`: those that are emptied. `total`: rows there are then."""

    rows: NDArray[np.int64]
    gone: NDArray[np.int64]
    total: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (len(self.rows) or len(self.gone))

    def column(self, column: NDArray[_Scalar], values: NDArray[_Scalar], gap: Any) -> NDArray[_Scalar]:  # noqa: ANN401 - a value of the column
        """The column with these values in `rows`, and `gap` in those that are gone."""
        if self.is_empty and len(column) == self.total:
            return column
        out = np.empty((self.total, *column.shape[1:]), column.dtype)
        out[: len(column)] = column
        out[len(column) :] = gap
        out[self.gone] = gap
        out[self.rows] = values
        return out

    def lists(self, lists: Lists, new: Lists) -> Lists:
        """The lists with those of `new`, one for each of `rows`, and none where they are gone."""
        if self.is_empty:
            return lists
        start, item = self._joined(lists.start, lists.item, new.start, new.item)
        return Lists(start, item)

    def ids(self, ids: PackedIds, new: Sequence[str]) -> PackedIds:
        """The ids with those of `new`, one for each of `rows`, and an empty one where they are gone."""
        if self.is_empty:
            return ids
        more = PackedIds.of(new)
        start, text = self._joined(ids.start, ids.text, more.start, more.text)
        return PackedIds(text, start)

    def _joined(
        self, start: NDArray[np.int64], item: NDArray[_Scalar], new_start: NDArray[np.int64], new_item: NDArray[_Scalar]
    ) -> tuple[NDArray[np.int64], NDArray[_Scalar]]:
        known = len(start) - 1
        touched = np.concatenate([self.rows[self.rows < known], self.gone])
        length = np.zeros(self.total, np.int64)
        length[:known] = np.diff(start)
        size = length[touched]
        at = np.repeat(start[touched] - (np.cumsum(size) - size), size) + np.arange(size.sum())
        kept = np.delete(item, at) if len(at) else item
        length[touched] = 0
        before = np.cumsum(length) - length
        new_size = np.diff(new_start)
        out = np.insert(kept, np.repeat(before[self.rows], new_size), new_item) if len(new_item) else kept
        length[self.rows] = new_size
        return np.concatenate([[0], np.cumsum(length)]).astype(np.int64), out
