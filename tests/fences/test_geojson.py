"""Reading areas: every form that is allowed, the place of what is not, and no file whatever that ends in a traceback."""

from __future__ import annotations

import contextlib
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from fences.datum import GCJ02, to_wgs84
from fences.load import load_registry
from fences.problems import Problem, WrongRegistryError
from fences.registry import Registry
from tests.fences.good_registry import AREAS, POLICY, REGIONS, RULES, SUBJECTS, feature, good_registry, square, write


def loaded(
    directory: Path, *features: dict[str, Any], indent: int | None = None, **members: object
) -> tuple[Registry, list[Problem]]:
    """The good registry with other areas, and its warnings."""
    texts = good_registry()
    shop = feature("shop", [square(120.5, 31.7)])
    circle = feature("circle", [120.5, 31.2], "Point", radius_m=500)
    collection = {"type": "FeatureCollection", **members, "features": [shop, circle, *features]}
    texts[AREAS] = json.dumps(collection, indent=indent)
    return load_registry(write(texts, directory))


def shape_of(registry: Registry, id_: str) -> shapely.Geometry:
    """The shape of an area."""
    shape = registry.area_shapes[registry.area_ids.index(id_)]
    assert isinstance(shape, shapely.Geometry)
    return shape


def test_every_kind_of_shape(tmp_path: Path) -> None:
    """Polygons with holes, parts, circles, positions with a height; what is drawn is what is judged."""
    ring, hole = square(121, 31, 0.1), square(121.02, 31.02)
    registry, warnings = loaded(
        tmp_path,
        feature("holed", [ring, hole]),
        feature("parts", [[ring, hole], [square(122, 31)]], "MultiPolygon"),
        feature("one part", [[ring]], "MultiPolygon"),
        feature("high", [[[*position, 12.5] for position in ring]]),
        feature("round", [121.5, 31.5, 4.0], "Point", radius_m=1.5e3),
        feature(7, [ring], name=None, region=None, radius_m=None, timezone=5, anything={"a": [1]}),  # type: ignore[arg-type]  # wrong on purpose
    )
    assert not warnings
    assert shape_of(registry, "holed") == shapely.Polygon(ring, [hole])
    assert shape_of(registry, "parts") == shapely.MultiPolygon([shapely.Polygon(ring, [hole]), shapely.Polygon(square(122, 31))])
    assert shape_of(registry, "one part") == shape_of(registry, "high") == shape_of(registry, "7") == shapely.Polygon(ring)
    assert shapely.get_coordinate_dimension(shape_of(registry, "high")) == 2
    assert shapely.get_num_coordinates(shape_of(registry, "round")) == 65


def test_regions_come_first_and_both_in_the_order_of_their_files(tmp_path: Path) -> None:
    """A region is also an area, with the same id."""
    registry, _ = loaded(tmp_path, feature("b", [square(121, 31)]), feature("a", [square(121, 31)]))
    assert registry.area_ids[registry.region_count - 1 :] == ("region-5", "shop", "circle", "b", "a")
    assert registry.area_ids[0] == "region-0"


def test_a_datum_of_all_and_one_of_its_own(tmp_path: Path) -> None:
    """The feature's own wins; vertices are converted, a circle's radius stays in true metres."""
    ring = square(121, 31, 0.01)
    registry, _ = loaded(
        tmp_path,
        feature("all", [ring]),
        feature("own", [ring], datum="wgs84"),
        feature("round", [121, 31], "Point", radius_m=100),
        datum="gcj02",
    )
    expected = to_wgs84(shapely.get_coordinates(shapely.Polygon(ring)), GCJ02)
    assert (shapely.get_coordinates(shape_of(registry, "all")) == expected).all()
    assert shape_of(registry, "own") == shapely.Polygon(ring)
    centre = shapely.centroid(shape_of(registry, "round"))
    assert abs(shapely.get_x(centre) - expected[0, 0]) < 1e-6


def test_the_place_of_a_fault_in_a_file_of_many_lines(tmp_path: Path) -> None:
    """The line on which the feature begins, the path of the ring in it, its id, and where on earth."""
    bow = [[120.0, 31.0], [120.1, 31.1], [120.1, 31.0], [120.0, 31.1], [120.0, 31.0]]
    odd = feature("odd", [[square(121, 31)], [square(122, 31), square(122.001, 31.001, 0.002)[:-1]]], "MultiPolygon")
    with pytest.raises(WrongRegistryError) as raised:
        loaded(tmp_path, odd, feature("bow", [bow]), indent=1)
    unclosed, crossing = raised.value.problems
    text = (tmp_path / AREAS).read_text().split("\n")
    begins = [number for number, line in enumerate(text, 1) if line == "  {"]
    assert (unclosed.line, crossing.line) == (begins[2], begins[3])
    assert unclosed.path == 'features[2].geometry.coordinates[1][1][3] (id "odd")'
    assert "begins at 122.001, 31.001" in unclosed.what
    assert crossing.path == 'features[3].geometry (id "bow")'
    assert "at 120.05, 31.05" in crossing.what


@pytest.mark.parametrize("radius", [0, -1, "500", True, [], 1e300, 10**400])
def test_what_is_no_radius(radius: object, tmp_path: Path) -> None:
    """Nothing but a number above 0."""
    with pytest.raises(WrongRegistryError) as raised:
        loaded(tmp_path, feature("round", [121, 31], "Point", radius_m=radius))
    [problem] = raised.value.problems
    assert "features[2]" in problem.path


@pytest.mark.parametrize("ring", [square(121, 31)[:2], [[121, 31]], [], [[121, 31], [121.1, 31], [121.1, 31], [121, 31]]])
def test_rings_without_an_area(ring: list[list[float]], tmp_path: Path) -> None:
    """Too short, empty, or flat: one problem each."""
    with pytest.raises(WrongRegistryError) as raised:
        loaded(tmp_path, feature("flat", [ring]))
    assert len(raised.value.problems) == 1


def test_a_shape_on_the_antimeridian_may_touch_it(tmp_path: Path) -> None:
    """Split as RFC 7946 asks, at 180 and at -180."""
    east, west = square(179.99, 10), square(-180, 10)
    registry, _ = loaded(tmp_path, feature("split", [[east], [west]], "MultiPolygon"))
    assert shape_of(registry, "split").is_valid  # type: ignore[attr-defined]  # a shape, as object arrays hold it


def test_an_empty_registry_loads(tmp_path: Path) -> None:
    """Files without records, before the first subject comes."""
    texts = {REGIONS: '{"type":"FeatureCollection","features":[]}', SUBJECTS: "", RULES: "\n", POLICY: ""}
    texts[AREAS] = texts[REGIONS]
    registry, warnings = load_registry(write(texts, tmp_path))
    assert not warnings
    assert len(registry.area_shapes) == len(registry.subject_home) == len(registry.rule_effect) == 0


@given(st.integers(0, 2**32))
def test_no_file_ends_in_a_traceback(seed: int) -> None:
    """Bytes changed, cut out and put in at random: a registry, or problems with places, and nothing else."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        directory = write(good_registry(), Path(name))
        for path in rng.sample([REGIONS, AREAS, SUBJECTS, RULES, POLICY], 2):
            source = bytearray((directory / path).read_bytes())
            for _ in range(rng.randint(1, 8)):
                at = rng.randrange(len(source))
                piece = rng.choice(
                    [b"", b"\xff", b"]", b"{", b'"', b",", b"1e999", b"null", b"\\ud800", b"[[", b"-", b"\n", b"true", b"\x00"]
                )
                source[at : at + rng.randint(0, 6)] = piece
            (directory / path).write_bytes(source)
        with contextlib.suppress(WrongRegistryError):
            load_registry(directory)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from([10**400, 1e308]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "from", "to", "type", "coordinates"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_no_value_ends_in_a_traceback(data: st.DataObject) -> None:
    """Any JSON in any place of any record."""
    texts = good_registry()
    for file in (SUBJECTS, RULES):
        record = json.loads(texts[file].split("\n")[-2])
        for key in data.draw(
            st.lists(
                st.sampled_from([*record, "silent_after_s", "level", "permit", "confirm_s", "clear_fixes"]), min_size=1, max_size=3
            )
        ):
            record[key] = data.draw(VALUES)
        texts[file] += json.dumps(record) + "\n"
    area = feature("drawn", [square(121, 31)], radius_m=5)
    key, inner = data.draw(
        st.sampled_from(
            [
                ("properties", "id"),
                ("properties", "datum"),
                ("properties", "radius_m"),
                ("geometry", "type"),
                ("geometry", "coordinates"),
            ]
        )
    )
    area[key][inner] = data.draw(VALUES)
    if data.draw(st.booleans()):
        area[key] = data.draw(VALUES)
    texts[AREAS] = texts[AREAS].replace("\n]}", f",\n{json.dumps(area)}\n]}}")
    with tempfile.TemporaryDirectory() as name, contextlib.suppress(WrongRegistryError):
        load_registry(write(texts, Path(name)))
