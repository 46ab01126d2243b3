"""GCJ-02 and BD-09, the datums in which Chinese map services draw, to WGS-84.

The forward formula of GCJ-02 is the one published by reverse engineering (eviltransform); its inverse has no closed form and is
iterated. BD-09 is GCJ-02 turned and stretched a little; of its two published constants 3000 pi / 180 is the right one.
"""

from __future__ import annotations

import math

KRASOVSKY_A = 6378245.0
KRASOVSKY_E2 = 0.00669342162296594323
BD = math.pi * 3000.0 / 180.0
CHINA = (72.004, 137.8347, 0.8293, 55.8271)


def to_wgs84(datum: str, lon: float, lat: float) -> tuple[float, float]:
    """A point of the datum in WGS-84 degrees."""
    if datum == "bd09":
        lon, lat = gcj02_from_bd09(lon, lat)
    return (lon, lat) if datum == "wgs84" else wgs84_from_gcj02(lon, lat)


def gcj02_from_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """The point as GCJ-02 shows it; outside the box around China nothing is moved."""
    west, east, south, north = CHINA
    if not (west <= lon <= east and south <= lat <= north):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    waves = 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    d_lat += (waves + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    d_lat += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    d_lon += (waves + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    d_lon += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    phi = math.radians(lat)
    w = 1.0 - KRASOVSKY_E2 * math.sin(phi) ** 2
    meridian = KRASOVSKY_A * (1.0 - KRASOVSKY_E2) / w**1.5
    parallel = KRASOVSKY_A / math.sqrt(w) * math.cos(phi)
    return lon + math.degrees(d_lon / parallel), lat + math.degrees(d_lat / meridian)


def wgs84_from_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """The point whose GCJ-02 image is the given one, by fixed-point iteration (the shift changes slowly)."""
    x, y = lon, lat
    for _ in range(30):
        shown_x, shown_y = gcj02_from_wgs84(x, y)
        x, y = x + lon - shown_x, y + lat - shown_y
    return x, y


def gcj02_from_bd09(lon: float, lat: float) -> tuple[float, float]:
    """Undo Baidu's turn; its published inverse is one step, so it is iterated too."""
    x, y = lon - 0.0065, lat - 0.006
    for _ in range(30):
        shown_x, shown_y = bd09_from_gcj02(x, y)
        x, y = x + lon - shown_x, y + lat - shown_y
    return x, y


def bd09_from_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Baidu's turn of a GCJ-02 point."""
    z = math.hypot(lon, lat) + 0.00002 * math.sin(lat * BD)
    theta = math.atan2(lat, lon) + 0.000003 * math.cos(lon * BD)
    return z * math.cos(theta) + 0.0065, z * math.sin(theta) + 0.006
