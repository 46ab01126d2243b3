"""Which forbidden areas nobody can ever be judged to be in: those nowhere as deep as a usual position is uncertain.

J3 (docs/contract.md) asks for a depth of `accuracy_factor * accuracy_m`; `USUAL_ACCURACY_M` is how uncertain a position is indoors.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from fences.metres import scale_at
from fences.registry import EFFECTS, Lists

USUAL_ACCURACY_M = 30.0
_FORBID = EFFECTS.index("forbid")


def too_shallow(
    shapes: NDArray[np.object_], rule_effect: NDArray[np.uint8], rule_areas: Lists, accuracy_factor: NDArray[np.float64]
) -> list[tuple[int, int, float]]:
    """Rule, area (both rows) and the metres it would need, for every forbidden area that is nowhere so deep; None passes."""
    owner = np.repeat(np.arange(len(rule_effect)), np.diff(rule_areas.start))
    needed_m = USUAL_ACCURACY_M * accuracy_factor[owner]
    item = np.flatnonzero((rule_effect[owner] == _FORBID) & (needed_m > 0))
    pairs, pair_of = np.unique(np.stack([rule_areas.item[item], needed_m[item]]), axis=1, return_inverse=True)
    shallow = np.array([_nowhere_deeper(shapes[int(area)], float(depth)) for area, depth in pairs.T], np.bool_)
    return [
        (int(owner[i]), int(rule_areas.item[i]), float(needed_m[i]))
        for i in (item[shallow[pair_of.reshape(-1)]] if len(item) else item).tolist()
    ]


def _nowhere_deeper(shape: shapely.Geometry | None, depth_m: float) -> bool:
    """Whether no point of a shape is so far from its border."""
    if shape is None:
        return False
    west, south, _, north = shapely.bounds(shape)
    metres = np.array(scale_at(float(south + north) / 2))
    local = shapely.transform(shape, lambda lonlat: (lonlat - [west, south]) * metres)
    if shapely.area(local) >= depth_m * shapely.length(local):
        return False  # Every area is at least area / length of border deep somewhere, so this one is deep enough.
    return bool(shapely.is_empty(shapely.buffer(local, -depth_m)))
