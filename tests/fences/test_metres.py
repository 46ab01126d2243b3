"""Metres by the local metric, held to the geodesic."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fences.metres import (
    METRES_PER_DEGREE_LAT_MIN,
    METRES_PER_DEGREE_LON_MIN_AT_EQUATOR,
    WGS84,
    between_m,
    geodesic_m,
    scale_at,
)

latitudes = st.floats(-70, 70)
longitudes = st.floats(-180, 180)


@pytest.mark.jitless
@given(lon=longitudes, lat=latitudes, azimuth=st.floats(0, 360), metres=st.floats(0.01, 200_000))
@settings(max_examples=300, deadline=None)
def test_between_points_up_to_200_km_apart(lon: float, lat: float, azimuth: float, metres: float) -> None:
    """A thousandth of what the contract grants, outside the polar caps, across the antimeridian too."""
    there_lon, there_lat, _ = WGS84.fwd(lon, lat, azimuth, metres)
    assume(abs(there_lat) <= 70)
    assert between_m(lon, lat, there_lon, there_lat) == pytest.approx(metres, rel=5e-4, abs=1e-6)
    assert geodesic_m(lon, lat, there_lon, there_lat) == pytest.approx(metres, rel=1e-9, abs=1e-6)


@given(lat=st.floats(-89, 89))
def test_the_scale_at_a_latitude(lat: float) -> None:
    """Metres a degree east and north, as the geodesic of a ten-thousandth of a degree says."""
    east, north = scale_at(lat)
    assert east == pytest.approx(geodesic_m(10, lat, 10.0001, lat) * 1e4, rel=1e-5)
    assert north == pytest.approx(geodesic_m(10, lat - 5e-5, 10, lat + 5e-5) * 1e4, rel=1e-5)


@given(lat=st.floats(-90, 90))
def test_the_least_metres_of_a_degree_are_the_least(lat: float) -> None:
    """What the promises of a raster are built on: nowhere is a degree shorter."""
    east, north = scale_at(lat)
    assert north >= METRES_PER_DEGREE_LAT_MIN
    assert east >= METRES_PER_DEGREE_LON_MIN_AT_EQUATOR * math.cos(math.radians(lat)) - 1e-9


def test_the_antimeridian_is_no_wall() -> None:
    """From 179.999 E to 179.999 W it is 223 m at the equator."""
    assert between_m(179.999, 0.0, -179.999, 0.0) == pytest.approx(222.64, rel=1e-4)
    assert between_m(-180.0, 31.0, 180.0, 31.0) == 0.0
