"""GCJ-02 and BD-09, the datums in which Chinese map services draw, to WGS-84, a column at a time.

GCJ-02 adds a shift of some hundred metres to WGS-84 (formula as in eviltransform and every other open converter; inside a box
around China only). BD-09 turns and stretches GCJ-02 a little further; its constant is 3000 pi / 180. Neither has an inverse in
closed form: the forward formula is iterated, which gains three to five digits a round.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WGS84, GCJ02, BD09 = 0, 1, 2
DATUMS = ("wgs84", "gcj02", "bd09")

_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_KRASOVSKY_A_M = 6378245.0
_KRASOVSKY_E2 = 0.00669342162296594323
_BD = np.pi * 3000.0 / 180.0
_BD_LON, _BD_LAT = 0.0065, 0.006
_ENOUGH_DEG = 1e-10  # 0.01 mm
_ROUNDS = 30

LonLat = NDArray[np.float64]
"""Degrees, shape (n, 2): longitude, latitude."""


def to_wgs84(lonlat: LonLat, datum: int) -> LonLat:
    """Positions of a datum in WGS-84, right to a millimetre."""
    if datum == BD09:
        lonlat = gcj02_from_bd09(lonlat)
    return lonlat if datum == WGS84 else wgs84_from_gcj02(lonlat)


def from_wgs84(lonlat: LonLat, datum: int) -> LonLat:
    """Positions in WGS-84 as the datum shows them."""
    if datum != WGS84:
        lonlat = gcj02_from_wgs84(lonlat)
    return bd09_from_gcj02(lonlat) if datum == BD09 else lonlat


def gcj02_from_wgs84(lonlat: LonLat) -> LonLat:
    """The shift of GCJ-02; outside the box around China nothing is moved."""
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    x, y = lon - 105.0, lat - 35.0
    root = 0.2 * np.sqrt(np.abs(x))
    waves = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + root
    north_m += (waves + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * (2.0 / 3.0)
    north_m += (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * (2.0 / 3.0)
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.5 * root
    east_m += (waves + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * (2.0 / 3.0)
    east_m += (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * (2.0 / 3.0)
    phi = np.radians(lat)
    w = 1.0 - _KRASOVSKY_E2 * np.sin(phi) ** 2
    parallel_m = _KRASOVSKY_A_M / np.sqrt(w) * np.cos(phi)
    meridian_m = _KRASOVSKY_A_M * (1.0 - _KRASOVSKY_E2) / w**1.5
    shift = np.degrees(np.stack([east_m / parallel_m, north_m / meridian_m], axis=1))
    return lonlat + np.where(_in_china(lonlat)[:, None], shift, 0.0)


def bd09_from_gcj02(lonlat: LonLat) -> LonLat:
    """Baidu's turn and stretch."""
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD)
    return np.stack([radius * np.cos(angle) + _BD_LON, radius * np.sin(angle) + _BD_LAT], axis=1)


def wgs84_from_gcj02(lonlat: LonLat) -> LonLat:
    """The positions that GCJ-02 shows at the given ones."""
    return _undo(gcj02_from_wgs84, lonlat, lonlat)


def gcj02_from_bd09(lonlat: LonLat) -> LonLat:
    """The positions that BD-09 shows at the given ones."""
    return _undo(bd09_from_gcj02, lonlat, lonlat - [_BD_LON, _BD_LAT])


def _undo(forward: Callable[[LonLat], LonLat], shown: LonLat, guess: LonLat) -> LonLat:
    """The fixed point of guess + (shown - forward(guess)): the shifts change slowly, so it closes in quickly."""
    for _ in range(_ROUNDS):
        miss = shown - forward(guess)
        guess = guess + miss
        if not np.any(np.abs(miss) > _ENOUGH_DEG):
            break
    return guess


def _in_china(lonlat: LonLat) -> NDArray[np.bool_]:
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    return (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)
