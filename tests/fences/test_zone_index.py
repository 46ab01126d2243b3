"""The zone index finds, for any point, every area that covers it; its cache may be filled in any order."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fences.zone_index import MAX_CELLS_ASIDE, Cells, ZoneIndex, cell_key, find_cell

Boxes = NDArray[np.float64]


def boxes_of(rng: np.random.Generator, count: int, place: tuple[float, float], spread: float, size: float) -> Boxes:
    """Boxes of up to `size` degrees around a place."""
    low = np.array(place) + rng.normal(size=(count, 2)) * spread
    high = low + rng.random((count, 2)) * size
    return np.clip(np.column_stack([low, high]), [-180, -90, -180, -90], [180, 90, 180, 90])


def candidates(cells: Cells, x: float, y: float) -> list[int]:
    """The areas that the index names for a point whose cell is known."""
    key = cell_key(cells, x, y)
    if key < 0:
        return []
    cell = find_cell(cells, key)
    assert cell >= 0, "the cell of a point that was asked for is not known"
    found: list[int] = cells.item[cells.start[cell] : cells.start[cell + 1]].tolist()
    return found


def inside(boxes: Boxes, areas: NDArray[np.int32], x: float, y: float) -> set[int]:
    """The areas whose box holds the point, boundary included."""
    held = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
    return set(areas[held].tolist())


def points_at(rng: np.random.Generator, boxes: Boxes, cells: Cells, some: int) -> Boxes:
    """Corners of boxes, corners of cells, and one unit beside these; points anywhere."""
    f = cells.frame
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:], boxes[:, [0, 3]]])
    corners = corners[rng.integers(0, len(corners), some)]
    cell = f[:2] + rng.integers(0, MAX_CELLS_ASIDE + 1, (some, 2)) / f[4]
    edge = np.concatenate([corners, cell])
    near = [np.nextafter(edge, edge + way) for way in ((1, 1), (-1, -1))]
    anywhere = f[:2] + rng.random((some, 2)) * (f[2:4] - f[:2]) * 1.1
    return np.ascontiguousarray(np.concatenate([edge, *near, anywhere]))


@pytest.mark.jitless
@pytest.mark.parametrize(
    ("place", "spread", "size"),
    [
        ((121.0, 31.0), 0.5, 0.2),
        ((0.0, 0.0), 40.0, 30.0),
        ((179.9, -89.9), 1.0, 1.0),
        ((13.4, 52.5), 1e-5, 1e-6),
        ((-75.0, 4.0), 3.0, 0.0),
    ],
)
def test_every_box_that_holds_the_point_is_named(place: tuple[float, float], spread: float, size: float) -> None:
    """At borders of boxes and cells, of a town and of the world, boxes without a width too; in ascending order."""
    rng = np.random.default_rng(4)
    boxes = boxes_of(rng, 60, place, spread, size)
    areas = np.sort(rng.choice(1000, 60, replace=False)).astype(np.int32)
    index = ZoneIndex(areas, boxes)
    points = points_at(rng, boxes, index.cells, 60)
    cells = index.cells_for(points[:, 0].copy(), points[:, 1].copy())
    for x, y in points.tolist():
        named = candidates(cells, x, y)
        assert named == sorted(set(named))
        assert inside(boxes, areas, x, y) <= set(named)


@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_the_cache_does_not_depend_on_the_order_of_asking(seed: int, parts: int) -> None:
    """Asked for all points at once or in parts, twice or once: the same candidates."""
    rng = np.random.default_rng(seed)
    boxes = boxes_of(rng, 20, (121.0, 31.0), 0.3, 0.4)
    areas = np.arange(20, dtype=np.int32)
    at_once, in_parts = ZoneIndex(areas, boxes), ZoneIndex(areas, boxes)
    points = points_at(rng, boxes, at_once.cells, 40)
    cells = at_once.cells_for(points[:, 0].copy(), points[:, 1].copy())
    for part in np.array_split(points[rng.permutation(len(points))], parts):
        for _ in range(2):
            in_parts.cells_for(part[:, 0].copy(), part[:, 1].copy())
    for x, y in points.tolist():
        assert candidates(cells, x, y) == candidates(in_parts.cells, x, y)


def test_a_cache_once_given_out_stays_as_it_is() -> None:
    """A batch that is being judged may go on with its arrays while others ask for more cells."""
    rng = np.random.default_rng(6)
    boxes = boxes_of(rng, 30, (121.0, 31.0), 0.5, 0.3)
    index = ZoneIndex(np.arange(30, dtype=np.int32), boxes)
    first = index.cells_for(np.array([121.0]), np.array([31.0]))
    copies = {name: np.copy(getattr(first, name)) for name in Cells._fields}
    for _ in range(5):
        x, y = rng.uniform(119, 123, 500), rng.uniform(29, 33, 500)
        index.cells_for(x, y)
    for name, copy in copies.items():
        assert np.array_equal(getattr(first, name), copy)
    assert len(index.cells.start) > len(first.start)


def test_threads_that_fill_at_once_lose_nothing() -> None:
    """Several workers ask for overlapping cells at the same time: each gets arrays in which its own cells are known."""
    rng = np.random.default_rng(9)
    boxes = boxes_of(rng, 100, (121.0, 31.0), 1.0, 0.5)
    areas = np.arange(100, dtype=np.int32)
    index = ZoneIndex(areas, boxes)
    failures: list[str] = []

    def ask(seed: int) -> None:
        own = np.random.default_rng(seed)
        for _ in range(30):
            x, y = own.uniform(119, 123, 50), own.uniform(29, 33, 50)
            cells = index.cells_for(x, y)
            for px, py in zip(x.tolist(), y.tolist(), strict=True):
                if not inside(boxes, areas, px, py) <= set(candidates(cells, px, py)):
                    failures.append(f"{px} {py}")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.jitless
def test_points_outside_of_everything_are_not_remembered() -> None:
    """Devices that report from anywhere do not make the cache grow; a missing position is no point."""
    index = ZoneIndex(np.array([3], np.int32), np.array([[121.0, 31.0, 121.5, 31.5]]))
    x = np.array([np.nan, -180.0, 180.0, 120.999999, 121.500001, 0.0])
    y = np.array([np.nan, 31.2, 31.2, 31.2, 31.2, np.nan])
    cells = index.cells_for(x, y)
    assert len(cells.start) == 1
    assert [candidates(cells, px, py) for px, py in zip(x.tolist(), y.tolist(), strict=True)] == [[]] * 6


@pytest.mark.jitless
def test_the_far_corner_belongs_to_the_index() -> None:
    """The largest coordinates of all boxes are inside."""
    index = ZoneIndex(np.array([3], np.int32), np.array([[121.0, 31.0, 121.5, 31.5]]))
    assert candidates(index.cells_for(np.array([121.5]), np.array([31.5])), 121.5, 31.5) == [3]


def test_an_index_of_nothing_answers_nothing() -> None:
    """A registry without regions and zones."""
    index = ZoneIndex(np.empty(0, np.int32), np.empty((0, 4)))
    cells = index.cells_for(np.array([121.0, np.nan]), np.array([31.0, np.nan]))
    assert candidates(cells, 121.0, 31.0) == []
