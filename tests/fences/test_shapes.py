"""Areas answer as shapely does whether they cover a point, and as pyproj does how far their border is."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from fences.metres import geodesic_m
from fences.shapes import EDGE, OUTSIDE, SURE_M, Shapes, border_within_m, cell_code, covers, nearest_border_point, surely_farther_m
from tests.fences.hard_shapes import PLACES, Xy, compiled_shapes, covered, hard_points, shape, star
from tests.reference.earth import edges_of, metres_to_edges

MORE = int(os.environ.get("FENCEWATCH_EXAMPLES", "0"))


def shapely_covers(one: BaseGeometry, xy: Xy) -> NDArray[np.bool_]:
    """What our test must equal: `covers` of the shape as it is, not prepared."""
    return np.asarray(shapely.covers(one, shapely.points(xy)))


def assert_equal_to_shapely(one: BaseGeometry, shapes: Shapes, k: int, xy: Xy) -> None:
    """Every point is covered by both or by neither."""
    expected = shapely_covers(one, xy)
    wrong = np.flatnonzero(covered(shapes, k, xy) != expected)
    assert len(wrong) == 0, (one.wkt, xy[wrong[0]].tolist(), f"shapely says {expected[wrong[0]]}")


@pytest.mark.parametrize("place", PLACES)
def test_covers_equals_shapely_at_every_size_and_place(place: str) -> None:
    """Vertices, points of edges, cell corners, each with its neighbours one unit in the last place off: as shapely has it."""
    rng = np.random.default_rng(11)
    for _ in range(max(40, MORE)):
        one = shape(rng, *PLACES[place])
        shapes = compiled_shapes(one)
        assert_equal_to_shapely(one, shapes, 0, hard_points(rng, one, shapes, 0))


@given(seed=st.integers(0, 2**32 - 1), place=st.sampled_from(sorted(PLACES)))
@settings(max_examples=max(50, MORE), deadline=None)
def test_covers_equals_shapely_for_any_seed(seed: int, place: str) -> None:
    """The same for seeds that nobody chose."""
    rng = np.random.default_rng(seed)
    one = shape(rng, *PLACES[place])
    shapes = compiled_shapes(one)
    assert_equal_to_shapely(one, shapes, 0, hard_points(rng, one, shapes, 0, 60))


@pytest.mark.jitless
def test_many_areas_do_not_mix() -> None:
    """Each of many areas in one table, large beside small, answers for itself; also with the JIT off."""
    rng = np.random.default_rng(5)
    many = [shape(rng, *PLACES[place]) for place in ("town", "land", "town", "origin", "few ulps", "half the earth", "town")]
    shapes = compiled_shapes(*many)
    for k, one in enumerate(many):
        assert_equal_to_shapely(one, shapes, k, hard_points(rng, one, shapes, k, 4))


@pytest.mark.jitless
@pytest.mark.parametrize(
    ("what", "one", "points"),
    [
        ("its corner", box(121, 31, 122, 32), {(121.0, 31.0): True, (122.0, 32.0): True}),
        ("a side", box(121, 31, 122, 32), {(121.5, 32.0): True, (121.5, math.nextafter(32, 33)): False}),
        ("a hole's side", box(0, 0, 4, 4) - box(1, 1, 3, 3), {(1.0, 2.0): True, (2.0, 2.0): False, (0.5, 2.0): True}),
        ("a hole's corner", box(0, 0, 4, 4) - box(1, 1, 3, 3), {(3.0, 3.0): True, (math.nextafter(3, 0), 2.0): False}),
        ("an island in it", shapely.union(box(0, 0, 9, 9) - box(1, 1, 8, 8), box(4, 4, 5, 5)), {(4.5, 5): True, (3, 4): False}),
        ("parts that touch", MultiPolygon([box(0, 0, 1, 1), box(1, 1, 2, 2)]), {(1.0, 1.0): True, (0.5, 1.5): False}),
        ("the date line", box(170, 60, 180, 65), {(180.0, 62.0): True, (-180.0, 62.0): False, (180.0, 65.0): True}),
        ("the pole", box(-180, 80, 180, 90), {(0.0, 90.0): True, (-180.0, 85.0): True, (180.0, 80.0): True}),
        ("nothing but zero", box(-1, -1, 1, 1), {(0.0, 0.0): True, (-0.0, 5e-324): True, (1.0, -5e-324): True}),
        ("beside zero", Polygon([(0, 51), (0.5, 51), (0.5, 52), (0, 51)]), {(-5e-324, 51.0): False, (0.0, 51.0): True}),
        ("no number", box(0, 0, 1, 1), {(math.nan, math.nan): False, (math.nan, 0.5): False}),
    ],
)
def test_covers_where_it_is_known(what: str, one: BaseGeometry, points: dict[tuple[float, float], bool]) -> None:
    """A boundary belongs to its area, that of a hole too; what lies beside it does not."""
    shapes = compiled_shapes(one)
    for (x, y), expected in points.items():
        assert bool(covers(shapes, 0, x, y)) is expected, (what, x, y)


@pytest.mark.jitless
@pytest.mark.parametrize(("cos", "sin"), [(1, 0), (0, 1), (-1, 0), (0, -1)])
@pytest.mark.parametrize("tiny", [5e-324, -5e-324, 1e-300, -1e-310, 1e-100, -1e-99])
def test_beside_the_axes_as_geos_rounds_it(tiny: float, cos: int, sin: int) -> None:
    """Products of such differences vanish, and GEOS finds the point on the edge: upright, level and slanted edges through zero."""

    def turned(x: float, y: float) -> tuple[float, float]:
        return x * cos - y * sin, x * sin + y * cos

    one = Polygon([turned(x, y) for x, y in ((-1, -1), (1, -1), (1, 1), (0.5, 2), (0, 1), (0, 0), (-1, 0), (-1, -1))])
    shapes = compiled_shapes(one)
    for x, y in ((tiny, 0.5), (0.5, tiny), (tiny, tiny), (tiny, 1.0), (-0.5, tiny), (0.25, 1.5), (tiny, -0.5), (-1.0, tiny)):
        point = turned(x, y)
        assert bool(covers(shapes, 0, *point)) == bool(shapely.covers(one, shapely.Point(point))), point


@pytest.mark.jitless
def test_a_point_beside_a_long_edge_is_judged_as_geos_rounds_it() -> None:
    """GEOS rounds the products of an exact difference to 104 bits: a point 1e-17 beside this edge lies on it, and so for us."""
    one = Polygon([(0.35000000000000003, 0.1), (-0.25, 0.25), (-0.25, -0.3), (0.35000000000000003, 0.1)])
    point = (0.35, 0.10000000000000002)
    assert shapely.covers(one, shapely.Point(point))
    assert covers(compiled_shapes(one), 0, *point)


def sure_m(shapes: Shapes, k: int, x: float, y: float) -> float:
    """What the raster (outside it: the bounding box) promises: the border of the area is not nearer than this."""
    code = cell_code(shapes, k, x, y)
    if code == EDGE:
        return 0.0
    return float(SURE_M[code - 1]) if 0 < code < OUTSIDE else float(surely_farther_m(shapes, k, x, y, math.cos(math.radians(y))))


def cells_and_beyond(rng: np.random.Generator, shapes: Shapes, k: int, some: int) -> Xy:
    """Corners of cells (a promise is tightest there), points inside and far outside of the raster."""
    area = shapes.area[k]
    low, span = np.array([area.grid_x, area.grid_y]), np.array([area.nx / area.per_x, area.ny / area.per_y])
    corners = low + rng.integers(0, [area.nx + 1, area.ny + 1], (some, 2)) / np.array([area.per_x, area.per_y])
    corners = corners + rng.choice([-1e-12, 1e-12], corners.shape)
    beyond = low + span * (rng.random((some, 2)) * 5.0 - 2.0)
    anywhere = np.column_stack([rng.uniform(-180, 180, some // 4), rng.uniform(-90, 90, some // 4)])
    points: Xy = np.concatenate([corners, beyond, anywhere])
    return points[(np.abs(points[:, 0]) <= 180.0) & (np.abs(points[:, 1]) <= 90.0)]


WIDE = {
    "two sides of the date line": MultiPolygon([box(170, 60, 180, 65), box(-180, 65, -170, 70)]),
    "nearly around": Polygon([(-170, 40), (179.9, 40), (179.9, 55), (0, 47), (-170, 55), (-170, 40)]),
    "around, with a hole": box(-180, 20, 180, 70) - box(-179.5, 30, 179, 60),
    "many corners around": Polygon(
        [(x, 10.0 + (i % 2)) for i, x in enumerate(np.linspace(-175, 179.95, 2500))] + [(179.95, -20), (-175, -20)]
    ),
    "a polar cap": box(-180, 80, 180, 90),
    "beside the pole": box(-20, 88, 20, 89.99),
    "a tall one": box(-30, -80, 60, 80),
}


@pytest.mark.parametrize("place", [*WIDE, "town", "land", "metre", "equator", "date line, east", "north pole", "half the earth"])
def test_a_cell_promises_no_more_than_is_true(place: str) -> None:
    """Where the raster says "surely farther" or "surely deeper", pyproj finds no border point nearer, the other way round too."""
    rng = np.random.default_rng(3)
    for _ in range(1 if place in WIDE else 12):
        one = WIDE[place] if place in WIDE else shape(rng, *PLACES[place])
        shapes, edges = compiled_shapes(one), edges_of(one)
        for x, y in cells_and_beyond(rng, shapes, 0, 6 if len(edges) > 1000 else 40).tolist():
            promised = sure_m(shapes, 0, x, y)
            if promised > 0.0:
                assert promised <= metres_to_edges(x, y, edges) * (1 + 1e-9) + 1e-6, (one.wkt[:200], x, y)


def test_promises_are_worth_having() -> None:
    """Of the cells of an ordinary area most promise something: else nothing would be left out, and the test above idle."""
    rng = np.random.default_rng(8)
    promised = []
    for _ in range(10):
        one = star(rng, 121.05, 31.35, 0.05, 90)
        shapes = compiled_shapes(one)
        promised += [sure_m(shapes, 0, x, y) > 30.0 for x, y in cells_and_beyond(rng, shapes, 0, 100).tolist()]
    assert np.mean(promised) > 0.6


def near_points(
    rng: np.random.Generator, one: BaseGeometry, lat: float, most_deg: float, some: int = 6
) -> list[tuple[float, float]]:
    """Points at all distances up to about `most_deg` degrees (of latitude) from corners of a shape."""
    corners = shapely.get_coordinates(one)[rng.integers(0, shapely.get_num_coordinates(one), some)]
    away = rng.normal(size=(some, 2)) * most_deg * 10.0 ** -rng.uniform(0, 5, (some, 1))
    away[:, 0] /= max(0.05, math.cos(math.radians(lat)))
    return [(x, y) for x, y in (corners + away).tolist() if abs(x) <= 180 and abs(y) <= 90]


def stretched_star(rng: np.random.Generator, lon: float, lat: float) -> BaseGeometry:
    """A star of some hundred metres to 10 degrees that looks alike at every latitude."""
    while True:
        one = star(rng, lon, lat, 10 ** rng.uniform(-3, 1), int(rng.integers(3, 30)))
        wide = shapely.transform(one, lambda xy: np.column_stack([lon + (xy[:, 0] - lon) / math.cos(math.radians(lat)), xy[:, 1]]))
        if wide.is_valid and not wide.is_empty and wide.bounds[0] >= -180 and wide.bounds[2] <= 180:
            return wide


@pytest.mark.parametrize("lat", [0, 31.3, -45, 60, 70, 80, -85, 87])
def test_a_threshold_is_right_to_half_a_percent(lat: float) -> None:
    """Up to 20 km, more than any tolerance with any accuracy, the border is found within 0.5 % of where pyproj has it."""
    rng = np.random.default_rng(17)
    seen = 0
    for _ in range(150):
        one = stretched_star(rng, rng.uniform(-150, 150), lat)
        shapes, edges = compiled_shapes(one), edges_of(one)
        for x, y in near_points(rng, one, lat, 0.15):
            true_m = metres_to_edges(x, y, edges)
            if 1e-3 < true_m < 20_000:
                seen += 1
                assert border_within_m(shapes, 0, x, y, true_m * 1.005) == pytest.approx(true_m, rel=0.005)
                assert border_within_m(shapes, 0, x, y, true_m * 0.994) > true_m * 0.994
    assert seen > 300


@pytest.mark.parametrize("lat", [0, 31.3, -45, 60, 70, -80])
def test_a_told_distance_is_right_to_half_a_percent(lat: float) -> None:
    """Along the geodesic to the nearest border point: 0.5 % up to 200 km; that point lies on the border."""
    rng = np.random.default_rng(23)
    seen = 0
    for _ in range(150):
        one = stretched_star(rng, rng.uniform(-150, 150), lat)
        shapes, edges = compiled_shapes(one), edges_of(one)
        for x, y in near_points(rng, one, lat, 1.5):
            true_m = metres_to_edges(x, y, edges)
            if 1e-3 < true_m < 200_000:
                seen += 1
                there = nearest_border_point(shapes, 0, x, y)
                assert geodesic_m(x, y, there[0], there[1]) == pytest.approx(true_m, rel=0.005)
                assert metres_to_edges(there[0], there[1], edges) < 1e-3
    assert seen > 300


@pytest.mark.parametrize("lat", [0, 31.3, -45, 60])
def test_a_distance_far_away_is_right_to_three_percent(lat: float) -> None:
    """Beyond 200 km, where a line of a map is no geodesic any more."""
    rng = np.random.default_rng(29)
    seen = 0
    for _ in range(200):
        one = stretched_star(rng, rng.uniform(-150, 150), lat)
        shapes, edges = compiled_shapes(one), edges_of(one)
        for x, y in near_points(rng, one, lat, 25.0):
            true_m = metres_to_edges(x, y, edges)
            if true_m > 200_000 and abs(y) < 70:
                seen += 1
                there = nearest_border_point(shapes, 0, x, y)
                assert geodesic_m(x, y, there[0], there[1]) == pytest.approx(true_m, rel=0.03)
    assert seen > 100


@pytest.mark.parametrize(("x", "metres"), [(179.9, 4362), (179.99, 436.2), (179.9999, 4.362), (-169.99, 436.2)])
def test_the_border_on_the_other_side_of_the_date_line_is_near(x: float, metres: float) -> None:
    """Who stands just west of the line is some metres from an area that begins just east of it, also where it has a part west."""
    shapes = compiled_shapes(WIDE["two sides of the date line"], box(-180, 65, -170, 70))
    for k in (0, 1):
        assert sure_m(shapes, k, x, 67.0) <= metres
        assert border_within_m(shapes, k, x, 67.0, 2 * metres) == pytest.approx(metres, rel=1e-3)


@pytest.mark.jitless
def test_a_border_beyond_the_limit_is_not_found() -> None:
    """What lies surely farther than asked is infinitely far; a border on the very point is at no distance."""
    shapes = compiled_shapes(box(121, 31, 121.01, 31.01))
    assert border_within_m(shapes, 0, 121.005, 31.2, 1000.0) == math.inf
    assert border_within_m(shapes, 0, 121.005, 31.01, 0.0) == 0.0
    assert border_within_m(shapes, 0, 121.005, 31.005, 600.0) == pytest.approx(476.9, rel=0.005)
    assert border_within_m(shapes, 0, 121.012, 31.012, 600.0) == pytest.approx(
        geodesic_m(121.012, 31.012, 121.01, 31.01), rel=0.005
    )
    x, y, metres = nearest_border_point(shapes, 0, 121.012, 31.012)
    assert (x, y, metres) == pytest.approx((121.01, 31.01, 292.9), rel=0.005)
