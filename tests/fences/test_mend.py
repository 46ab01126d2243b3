"""`--mend`: invalid shapes become valid ones, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from fences.load import load_registry
from fences.mend import MendTargetError, area_m2, mend_registry
from fences.problems import WrongRegistryError
from tests.fences.faults import BOW_TIE, NOTCHED
from tests.fences.good_registry import AREAS, REGIONS, Texts, feature, good_registry, square, write

FINE = feature("fine", [square(121.3, 31.2)])


def broken(*features: dict[str, Any]) -> Texts:
    """The good registry with some areas more; its file of areas is written with odd spaces, which must stay."""
    texts = good_registry()
    lines = "".join(f",\n  {json.dumps(item)}  " for item in features)
    texts[AREAS] = texts[AREAS].replace("\n]}", f"{lines}\n]}}")
    return texts


def geometry_of(directory: Path, id_: str) -> shapely.Geometry:
    """A published shape of a file."""
    collection = json.loads((directory / AREAS).read_text())
    [found] = [item["geometry"] for item in collection["features"] if item["properties"]["id"] == id_]
    return shapely.from_geojson(json.dumps(found))


def test_what_is_mended_loads_and_all_else_is_the_same(tmp_path: Path) -> None:
    """A crossing ring, an open one, parts that overlap, and a shape that crosses itself once converted."""
    odd = [
        feature("bow", [BOW_TIE], note="\u00e9 {} ]"),
        feature("open", [square(121.5, 31)[:-1]]),
        feature("parts", [[square(121.6, 31)], [square(121.605, 31.005)]], "MultiPolygon"),
        feature("notch", [NOTCHED], datum="gcj02"),
    ]
    texts = broken(odd[0], FINE, *odd[1:])
    source, target = write(texts, tmp_path / "drawn"), tmp_path / "mended"
    with pytest.raises(WrongRegistryError) as raised:
        load_registry(source)
    assert len(raised.value.problems) == 4
    mended = mend_registry(source, target)
    assert [shape.place.path.split('"')[1] for shape in mended] == ["bow", "open", "parts", "notch"]
    assert [shape.place.line for shape in mended] == [45, 47, 48, 49]
    load_registry(target)
    for name in texts:
        old, new = (source / name).read_bytes(), (target / name).read_bytes()
        if name != AREAS:
            assert new == old
    kept = [line for line in texts[AREAS].split("\n") if not any(f'"{item["properties"]["id"]}"' in line for item in odd)]
    new_lines = (target / AREAS).read_text().split("\n")
    assert [line for line in new_lines if line in kept] == kept
    assert new_lines[44].startswith(
        '  {"type": "Feature", "properties": {"id": "bow", "note": "\\u00e9 {} ]"}, "geometry": {"type":"Multi'
    )
    assert new_lines[44].endswith("]}}  ,")


def test_it_says_by_how_many_square_metres_a_shape_changed(tmp_path: Path) -> None:
    """Nothing for a ring that was open; for a bow tie, whose halves cancel out as drawn, both; for parts, what they share once."""
    texts = broken(
        feature("bow", [BOW_TIE]),
        feature("open", [square(121.5, 31)[:-1]]),
        feature("parts", [[square(121.6, 31)], [square(121.605, 31.005)]], "MultiPolygon"),
    )
    bow, unclosed, parts = mend_registry(write(texts, tmp_path / "drawn"), tmp_path / "mended")
    half = area_m2(shapely.Polygon([(120.05, 31.05), (120.1, 31.1), (120.1, 31.0)]))
    assert bow.before_m2 < half / 100
    assert bow.after_m2 == pytest.approx(2 * half, rel=1e-3)
    assert unclosed.before_m2 == unclosed.after_m2 == pytest.approx(area_m2(shapely.Polygon(square(121.5, 31))))
    shared = area_m2(shapely.Polygon(square(121.605, 31.005, 0.005)))
    assert parts.before_m2 - parts.after_m2 == pytest.approx(shared, rel=1e-6)


def test_an_open_ring_keeps_its_positions(tmp_path: Path) -> None:
    """Only the closing one is added."""
    ring = square(121.123456789, 31.987654321)
    mend_registry(write(broken(feature("open", [ring[:-1]])), tmp_path / "drawn"), tmp_path / "mended")
    assert geometry_of(tmp_path / "mended", "open") == shapely.Polygon(ring)


def test_a_hole_too_short_is_dropped_and_a_hole_outside_becomes_none(tmp_path: Path) -> None:
    """What can hold no area is not kept."""
    shape = feature("holes", [square(121, 31, 0.1), [[121.01, 31.01], [121.02, 31.02], [121.01, 31.01]]])
    mend_registry(write(broken(shape), tmp_path / "drawn"), tmp_path / "mended")
    assert geometry_of(tmp_path / "mended", "holes") == shapely.Polygon(square(121, 31, 0.1))


def test_what_cannot_be_mended_is_still_listed(tmp_path: Path) -> None:
    """A pole, the antimeridian, a circle without a radius, a ring without an area: they stay as they are."""
    texts = broken(
        feature("pole", [[[-120, 80], [0, 80], [120, 80], [-120, 80]]]),
        feature("date line", [[[179, 1], [-179, 1], [-179, 2], [179, 1]]]),
        feature("point", [121, 31], "Point"),
        feature("line", [[[121, 31], [121.1, 31], [121.2, 31], [121, 31]]]),
        feature("bow", [BOW_TIE]),
    )
    source = write(texts, tmp_path / "drawn")
    mended = mend_registry(source, tmp_path / "mended")
    assert len(mended) == 1
    with pytest.raises(WrongRegistryError) as raised:
        load_registry(tmp_path / "mended")
    assert [problem.line for problem in raised.value.problems] == [45, 46, 47, 48]


def test_a_good_registry_is_copied(tmp_path: Path) -> None:
    """Byte for byte, a byte order mark and folders included."""
    texts = good_registry()
    texts[REGIONS] = "\ufeff" + texts[REGIONS]
    assert mend_registry(write(texts, tmp_path / "drawn"), tmp_path / "mended") == []
    for name in texts:
        assert (tmp_path / "mended" / name).read_bytes() == (tmp_path / "drawn" / name).read_bytes()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A target with files in it, or inside the registry itself, is refused."""
    source = write(good_registry(), tmp_path / "drawn")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for target in (tmp_path / "full", source, source / "mended"):
        with pytest.raises(MendTargetError):
            mend_registry(source, target)
    assert not (source / "mended").exists()
