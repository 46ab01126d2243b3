"""The zone index names every area that may contain a point, however the points come."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fences.zone_index import MAX_CELLS_ASIDE, ZoneIndex, cell_key, find_cell

LEAST, MOST = np.array([-179.0, -85.0]), np.array([170.0, 80.0])


def boxes_of(rng: np.random.Generator, n: int, widest_deg: float) -> NDArray[np.float64]:
    """Boxes anywhere: x0, y0, x1, y1 in degrees, float64[n, 4]."""
    low = rng.uniform(LEAST, MOST, (n, 2))
    return np.column_stack([low, low + rng.uniform(0.0, widest_deg, (n, 2))])


def candidates(index: ZoneIndex, xy: NDArray[np.float64]) -> list[list[int]]:
    """What the index names for each point."""
    cells = index.cells_for(xy[:, 0], xy[:, 1])
    keys = [cell_key(cells, x, y) for x, y in xy.tolist()]
    lists = [find_cell(cells, key) for key in keys if key >= 0]
    assert min(lists, default=0) >= 0
    at = iter(lists)
    return [cells.item[cells.start[k] : cells.start[k + 1]].tolist() if key >= 0 and (k := next(at)) >= 0 else [] for key in keys]


@pytest.mark.jitless
@pytest.mark.parametrize("widest_deg", [0.001, 0.5, 8.0])
def test_every_area_that_contains_a_point_is_named(widest_deg: float) -> None:
    """Corners of boxes, points anywhere, points that come again: no box that holds one is missing, and numbers ascend."""
    rng = np.random.default_rng(5)
    boxes = boxes_of(rng, 150, widest_deg)
    numbers = np.arange(150, dtype=np.int32) * 3
    index = ZoneIndex(numbers, boxes)
    for _ in range(3):
        xy = np.concatenate([boxes[:, :2], boxes[:, 2:], rng.uniform(LEAST - 1, MOST + 9, (200, 2)), [[np.nan, np.nan]]])
        for (x, y), named in zip(xy.tolist(), candidates(index, xy), strict=True):
            holding = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
            assert set(numbers[holding].tolist()) <= set(named)
            assert named == sorted(set(named))


def test_a_cell_is_asked_for_once() -> None:
    """Cells that are known stay as they are: the same points again change nothing, not even the arrays."""
    rng = np.random.default_rng(6)
    index = ZoneIndex(np.arange(20, dtype=np.int32), boxes_of(rng, 20, 2.0))
    xy = rng.uniform(LEAST, MOST, (500, 2))
    first = index.cells_for(xy[:, 0], xy[:, 1])
    assert index.cells_for(xy[:, 0], xy[:, 1]) is first
    before = first.where.copy()
    other = rng.uniform(LEAST, MOST, (500, 2))
    assert index.cells_for(other[:, 0], other[:, 1]) is not first
    np.testing.assert_array_equal(first.where, before, "a grid that was given out must not change")


def test_the_grid_does_not_grow_with_the_points() -> None:
    """Points anywhere on earth, areas over half of it: never more cells than the grid has."""
    rng = np.random.default_rng(7)
    index = ZoneIndex(np.arange(20, dtype=np.int32), boxes_of(rng, 20, 8.0))
    cells = index.cells_for(rng.uniform(-180, 180, 20_000), rng.uniform(-90, 90, 20_000))
    assert len(cells.start) <= (MAX_CELLS_ASIDE + 2) ** 2
    assert len(cells.where) <= (MAX_CELLS_ASIDE + 2) ** 2


def test_without_areas_no_point_has_a_cell() -> None:
    """A registry without zones and regions has an empty index."""
    index = ZoneIndex(np.empty(0, np.int32), np.empty((0, 4)))
    assert candidates(index, np.array([[0.0, 0.0], [1.0, 1.0], [121.0, 31.0]])) == [[], [], []]
