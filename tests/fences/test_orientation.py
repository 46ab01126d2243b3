"""On which side of a line a point lies: never another answer than GEOS's, and the exact one wherever GEOS has it."""

from __future__ import annotations

import math
import os
from fractions import Fraction

import pytest
import shapely
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fences.orientation import _orientation_slow, orientation

MORE = int(os.environ.get("FENCEWATCH_EXAMPLES", "0"))
NEAR = ("x", "y", "up", "down", "left", "right")
Line = tuple[float, float, float, float]

degrees = st.one_of(
    st.floats(-180, 180, allow_subnormal=False),
    st.integers(-720, 720).map(lambda n: n / 4),
    st.integers(-(10**7), 10**7).map(lambda n: 121.05 + n * 1e-12),
    st.integers(-1000, 1000).map(lambda n: n * 1e-17),
).filter(lambda value: value == 0 or abs(value) > 1e-100)


def exact(x1: float, y1: float, x2: float, y2: float, px: float, py: float) -> int:
    """The sign in rational numbers."""
    turn = (Fraction(x1) - Fraction(px)) * (Fraction(y2) - Fraction(py)) - (Fraction(y1) - Fraction(py)) * (
        Fraction(x2) - Fraction(px)
    )
    return (turn > 0) - (turn < 0)


def beside(x: float, y: float, how: str) -> tuple[float, float]:
    """The point, or one unit in the last place off."""
    return {
        "x": (x, y),
        "y": (math.nextafter(x, math.inf), math.nextafter(y, -math.inf)),
        "up": (x, math.nextafter(y, math.inf)),
        "down": (x, math.nextafter(y, -math.inf)),
        "left": (math.nextafter(x, -math.inf), y),
        "right": (math.nextafter(x, math.inf), y),
    }[how]


def is_plain(point: tuple[float, float]) -> bool:
    """Whether no coordinate is so small that a product may vanish: then GEOS tells no side."""
    return all(value == 0 or abs(value) > 1e-100 for value in point)


def is_nearly_on(x1: float, y1: float, x2: float, y2: float, px: float, py: float) -> bool:
    """Whether the turn is so small beside its two products that 104 bits may round it away."""
    left = (Fraction(x2) - Fraction(x1)) * (Fraction(py) - Fraction(y2))
    right = (Fraction(y2) - Fraction(y1)) * (Fraction(px) - Fraction(x2))
    return abs(left - right) <= (abs(left) + abs(right)) * Fraction(1, 2**100)


@pytest.mark.jitless
@given(line=st.tuples(degrees, degrees, degrees, degrees), part=st.floats(0, 1), how=st.sampled_from(NEAR))
@example(line=(0.35000000000000003, 0.1, -0.25, 0.25), part=0.0, how="left")
@settings(max_examples=max(400, MORE), deadline=None)
def test_a_point_near_a_line_lies_on_the_exact_side(line: Line, part: float, how: str) -> None:
    """Points of the line and one unit beside it: the sign of the exact turn, but where 104 bits cannot tell."""
    x1, y1, x2, y2 = line
    point = beside(x1 + part * (x2 - x1), y1 + part * (y2 - y1), how)
    assume(is_plain(point))
    side, true_side = orientation(*line, *point), exact(*line, *point)
    assert side == true_side or is_nearly_on(*line, *point)
    slow = _orientation_slow(*line, *point)
    assert slow == true_side or is_nearly_on(*line, *point)


@given(line=st.tuples(degrees, degrees, degrees, degrees), part=st.floats(0, 1), how=st.sampled_from(NEAR))
@settings(max_examples=max(400, MORE), deadline=None)
def test_the_side_is_the_one_that_geos_takes(line: Line, part: float, how: str) -> None:
    """What lies west of the line covers the point exactly where ours says left or on it, as GEOS decides."""
    x1, y1, x2, y2 = line
    px, py = beside(x1 + part * (x2 - x1), y1 + part * (y2 - y1), how)
    assume(is_plain((px, py)) and min(y1, y2) < py < max(y1, y2) and px < max(x1, x2))
    # West of the line, between level sides through its ends: of its border only the line comes near the point.
    far = min(x1, x2) - 500.0
    west = shapely.Polygon([(x1, y1), (x2, y2), (far, y2), (far, y1)])
    side = orientation(x1, y1, x2, y2, px, py) * (1 if y2 > y1 else -1)
    assert bool(shapely.covers(west, shapely.Point(px, py))) == (side >= 0)


@pytest.mark.jitless
@pytest.mark.parametrize(
    ("line", "point", "side"),
    [
        ((0.0, 0.0, 1.0, 0.0), (0.5, 1.0), 1),
        ((0.0, 0.0, 1.0, 0.0), (0.5, -1.0), -1),
        ((0.0, 0.0, 1.0, 0.0), (7.0, 0.0), 0),
        ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0), 0),
        ((0.1, 0.1, 0.3, 0.3), (0.2, 0.2), 0),
        ((0.0, 0.0, 1e-200, 1e-200), (1e-200, 0.0), 0),
        ((121.0, 31.0, 121.0, 32.0), (math.nextafter(121.0, 0), 31.5), 1),
    ],
)
def test_known_sides(line: Line, point: tuple[float, float], side: int) -> None:
    """Left is 1, right -1, on the line 0; products that vanish (1e-400) tell no side, as in GEOS."""
    assert orientation(*line, *point) == side
