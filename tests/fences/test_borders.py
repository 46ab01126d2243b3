"""Slivers between neighbouring regions: found where they are, with their size, and nothing else is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fences.borders import Sliver, slivers, tolerance_needed_m
from fences.load import load_registry
from tests.fences.good_registry import REGIONS, feature, good_registry, write


def found(directory: Path, *rings: list[list[list[float]]]) -> list[Sliver]:
    """The slivers between regions called region-0, region-1 and so on."""
    texts = good_registry()
    features = [feature(f"region-{i}", shape, timezone="Asia/Shanghai") for i, shape in enumerate(rings)]
    while len(features) < 6:
        i = len(features)
        features.append(feature(f"region-{i}", [rectangle(i, 40, i + 0.5, 41)], timezone="UTC"))
    texts[REGIONS] = json.dumps({"type": "FeatureCollection", "features": features})
    return slivers(load_registry(write(texts, directory))[0])


def rectangle(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """A closed ring."""
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


WEST = [[121.0, 31.0], [121.2, 31.0], [121.2, 31.2], [121.0, 31.2], [121.0, 31.0]]
EAST_WITH_A_DENT = [
    [121.2, 31.0],
    [121.4, 31.0],
    [121.4, 31.2],
    [121.2, 31.2],
    [121.2, 31.12],
    [121.2004, 31.11],
    [121.2004, 31.1],
    [121.2, 31.09],
    [121.2, 31.0],
]


def test_a_gap_is_told_with_its_width_and_place(tmp_path: Path) -> None:
    """0.0004 degrees of longitude are 38 m; half of it is the tolerance that closes it."""
    [gap] = found(tmp_path, [WEST], [EAST_WITH_A_DENT])
    assert gap.kind == "gap"
    assert gap.regions == ("region-0", "region-1")
    assert gap.width_m == pytest.approx(38.2, rel=0.02)
    assert gap.area_m2 == pytest.approx(38.2 * 2217, rel=0.02)
    assert gap.lon == pytest.approx(121.2002, abs=5e-5)
    assert gap.lat == pytest.approx(31.105, abs=0.006)
    assert tolerance_needed_m([gap]) == 20


def test_an_overlap_is_told(tmp_path: Path) -> None:
    """A strip 0.0003 degrees wide, 29 m, which needs no tolerance."""
    [overlap] = found(tmp_path, [WEST], [rectangle(121.1997, 31.0, 121.4, 31.2)])
    assert overlap.kind == "overlap"
    assert overlap.width_m == pytest.approx(28.6, rel=0.02)
    assert tolerance_needed_m([overlap]) == 0


def test_what_fits_and_what_was_meant_is_no_sliver(tmp_path: Path) -> None:
    """A common border, a region within another one, a narrow hole within a single region, land that belongs to no region."""
    lake = rectangle(121.05, 31.05, 121.0502, 31.1)
    inner = rectangle(121.1, 31.1, 121.15, 31.15)
    free = [
        [121.2, 31.0],
        [121.4, 31.0],
        [121.4, 31.2],
        [121.2, 31.2],
        [121.2, 31.15],
        [121.3, 31.1],
        [121.2, 31.05],
        [121.2, 31.0],
    ]
    assert found(tmp_path, [WEST, lake], [free], [inner]) == []
