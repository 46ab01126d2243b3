"""From an id to its number by two arrays, where a dictionary of a million texts would be too much to hand over or to build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fences.packed_ids import PackedIds
from fences.patch import Patch
from fences.prints import prints_between, prints_of


@dataclass(frozen=True, slots=True)
class IdIndex:
    """Some ids by their prints: `prints` uint64[n] ascending, `numbers` int32[n] beside them. An empty id is none."""

    ids: PackedIds
    prints: NDArray[np.uint64]
    numbers: NDArray[np.int32]

    @classmethod
    def of(cls, ids: Sequence[str]) -> IdIndex:
        """The index of ids that are there once each."""
        packed = PackedIds.of(ids)
        filled = np.flatnonzero(np.diff(packed.start))
        prints = prints_between(packed.text, packed.start[filled], packed.start[filled + 1])[:, 0]
        order = np.argsort(prints, kind="stable")
        return cls(packed, prints[order], filled[order].astype(np.int32))

    def patched(self, ids: PackedIds, patch: Patch) -> IdIndex:
        """The index of these ids, which differ from those of before by a patch: rows that are replaced keep their ids."""
        new = patch.rows[patch.rows >= len(self.ids)]
        gone = np.zeros(len(self.ids), np.bool_)
        gone[patch.gone] = True
        stays = ~gone[self.numbers]
        prints = prints_between(ids.text, ids.start[new], ids.start[new + 1])[:, 0]
        order = np.argsort(prints, kind="stable")
        kept = self.prints[stays]
        at = np.searchsorted(kept, prints[order])
        return IdIndex(ids, np.insert(kept, at, prints[order]), np.insert(self.numbers[stays], at, new[order].astype(np.int32)))

    def find(self, id_: str) -> int | None:
        """The number of an id, None where there is none."""
        print_ = prints_of([id_.encode()])[0, 0]
        first, end = (int(np.searchsorted(self.prints, print_, side)) for side in ("left", "right"))
        return next((number for number in self.numbers[first:end].tolist() if self.ids[number] == id_), None)
