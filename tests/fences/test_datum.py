"""GCJ-02 against published pairs, both datums by round trip and against the reference that was written apart from this."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fences.datum import BD09, GCJ02, WGS84, bd09_from_gcj02, from_wgs84, gcj02_from_wgs84, to_wgs84
from fences.metres import WGS84 as ELLIPSOID
from tests.reference import datum as reference

EVILTRANSFORM = [
    ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),  # Shanghai
    ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),  # Shenzhen
    ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),  # Beijing
]
"""WGS-84 and GCJ-02 (latitude, longitude), the vectors that eviltransform publishes with its tests."""


def metres(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Metres between positions, pair by pair."""
    return np.asarray(ELLIPSOID.inv(a[:, 0], a[:, 1], b[:, 0], b[:, 1])[2])


@pytest.mark.parametrize(("wgs", "gcj"), EVILTRANSFORM)
def test_gcj02_equals_the_published_vectors(wgs: tuple[float, float], gcj: tuple[float, float]) -> None:
    """Forward to the last digits, backward to a millimetre."""
    plain, shown = np.array([wgs[::-1]]), np.array([gcj[::-1]])
    assert metres(gcj02_from_wgs84(plain), shown)[0] < 0.01
    assert metres(to_wgs84(shown, GCJ02), plain)[0] < 0.01


@given(st.floats(73.5, 135), st.floats(2, 54), st.sampled_from([GCJ02, BD09]))
def test_there_and_back_is_where_one_was(lon: float, lat: float, datum: int) -> None:
    """Both ways, to a millimetre."""
    here = np.array([[lon, lat]])
    assert metres(to_wgs84(from_wgs84(here, datum), datum), here)[0] < 0.001
    assert metres(from_wgs84(to_wgs84(here, datum), datum), here)[0] < 0.001


@pytest.mark.parametrize("name", ["gcj02", "bd09"])
def test_the_columns_equal_the_reference(name: str) -> None:
    """A thousand positions at once and one by one."""
    rng = np.random.default_rng(8)
    lonlat = np.stack([rng.uniform(73, 135, 1000), rng.uniform(2, 54, 1000)], axis=1)
    expected = np.array([reference.to_wgs84(name, *position) for position in lonlat.tolist()])
    assert metres(to_wgs84(lonlat, {"gcj02": GCJ02, "bd09": BD09}[name]), expected).max() < 0.001


def test_the_shifts_have_the_sizes_that_are_known() -> None:
    """Near Shanghai GCJ-02 is 466-482 m off, BD-09 1.12-1.16 km; outside China GCJ-02 is not off at all."""
    rng = np.random.default_rng(3)
    here = np.stack([rng.uniform(121.0, 121.4, 500), rng.uniform(31.3, 31.5, 500)], axis=1)
    gcj, bd = metres(from_wgs84(here, GCJ02), here), metres(from_wgs84(here, BD09), here)
    assert 400 < gcj.min() < gcj.max() < 550
    assert 1050 < bd.min() < bd.max() < 1250
    london = np.array([[-0.1, 51.5]])
    assert (from_wgs84(london, GCJ02) == london).all()
    assert (to_wgs84(london, GCJ02) == london).all()
    assert (to_wgs84(here, WGS84) == here).all()


def test_bd09_turns_with_the_right_constant() -> None:
    """3000 pi / 180, not pi: the constant moves a point by metres."""
    gcj = np.array([[116.404, 39.915]])
    assert metres(bd09_from_gcj02(gcj), np.array([reference.bd09_from_gcj02(116.404, 39.915)]))[0] < 1e-6
    x, y = bd09_from_gcj02(gcj)[0]
    assert (x, y) == pytest.approx((116.41036949371029, 39.92133699351022), abs=1e-9)
