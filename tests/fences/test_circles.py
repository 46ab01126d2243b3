"""A circle and the polygon that stands for it are everywhere within 0.1 % of the radius of each other."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from fences import circles

GEOD = Geod(ellps="WGS84")


def one(lon: float, lat: float, radius_m: float) -> shapely.Polygon | None:
    """The polygon of one circle."""
    shape = circles.polygons(np.array([lon]), np.array([lat]), np.array([radius_m]))[0]
    assert shape is None or isinstance(shape, shapely.Polygon)
    return shape


@given(st.floats(-160, 160), st.floats(-85, 85), st.floats(1, 300_000))
def test_the_border_is_within_a_thousandth_of_the_radius(lon: float, lat: float, radius_m: float) -> None:
    """Measured along the geodesic at 16 points of every edge."""
    shape = one(lon, lat, radius_m)
    if shape is None:
        distance_to_pole = GEOD.inv(lon, lat, lon, np.copysign(90.0, lat))[2]
        assert radius_m * 1.001 > distance_to_pole or abs(lon) > 100
        return
    ring = shapely.get_coordinates(shape.exterior)
    steps = np.linspace(0, 1, 16, endpoint=False)[:, None, None]
    points = (ring[:-1] + steps * (ring[1:] - ring[:-1])).reshape(-1, 2)
    centre = np.broadcast_to([lon, lat], points.shape)
    distance = GEOD.inv(centre[:, 0], centre[:, 1], points[:, 0], points[:, 1])[2]
    assert np.abs(distance / radius_m - 1).max() < 0.001
    assert shape.is_valid
    assert shape.exterior.is_ccw


@pytest.mark.parametrize(
    ("lon", "lat", "radius_m", "why"),
    [
        (10.0, 89.9, 20_000.0, circles.OVER_POLE),
        (10.0, -89.9, 11_169.0, circles.OVER_POLE),
        (0.0, 0.0, 11_000_000.0, circles.OVER_POLE),
        (179.99, 10.0, 5_000.0, circles.CROSSES_ANTIMERIDIAN),
        (-180.0, 10.0, 5.0, circles.CROSSES_ANTIMERIDIAN),
        (121.0, 31.0, 1e-10, circles.TOO_SMALL),
    ],
)
def test_a_circle_that_cannot_be_drawn_is_refused_with_the_reason(lon: float, lat: float, radius_m: float, why: str) -> None:
    """Over a pole, across the antimeridian, smaller than degrees can tell."""
    assert one(lon, lat, radius_m) is None
    assert circles.refusal(lon, lat, radius_m) == why


def test_many_circles_are_each_as_if_alone() -> None:
    """More than are made at once, some of them refused."""
    rng = np.random.default_rng(5)
    lon, lat, radius_m = rng.uniform(-180, 180, 5000), rng.uniform(-89, 89, 5000), rng.uniform(10, 50_000, 5000)
    shapes = circles.polygons(lon, lat, radius_m)
    some = [0, 17, 4095, 4096, 4999]
    assert [shapes[i] for i in some] == [one(lon[i], lat[i], radius_m[i]) for i in some]
    assert 0 < sum(shape is None for shape in shapes) < 200
