"""Benchmark worlds: their figures are what benchmarks say of them, and a seed means the same world."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from pipeline.worlds.bench_broken import BREAKS, write_jsonl_broken
from pipeline.worlds.bench_worlds import W1, W2, BenchSpec, BenchWorld, make_bench_world
from pipeline.worlds.plane import Plane
from pipeline.worlds.track_files import write_jsonl
from pipeline.worlds.track_text import time_ms_of

TINY = BenchSpec("tiny", Plane(119.5, 31.4), columns=4, rows=3, edge_pieces=3, halvings=3, circles=60, zones=8, subjects=8_000)
COUNT = 25_000
LINE = re.compile(
    r'\{"subject":"s\d{7}","time":"2026-03-02T\d\d:\d\d:\d\d\.\d{3}Z","lon":1\d\d(\.\d{1,7})?,"lat":3\d(\.\d{1,7})?,'
    r'"accuracy_m":[\d.]+,"speed_mps":[\d.]+\}'
)


@pytest.fixture(scope="module")
def world() -> BenchWorld:
    """A small world of the same make as W1."""
    return make_bench_world(TINY)


def inside(world: BenchWorld, count: int) -> float:
    """Share of the fixes that an own area covers, one by one."""
    table, plane = world.fixes(count), world.map.plane
    circles = [
        shapely.Point(centre).buffer(radius_m, quad_segs=32)
        for centre, radius_m in zip(world.map.circle_centre, world.map.circle_radius_m.tolist(), strict=True)
    ]
    shapes = np.concatenate([world.map.districts, np.array(circles, dtype=object)])
    shapely.prepare(shapes)
    who = np.array([int(subject[1:]) for subject in table["subject"].to_pylist() if subject is not None])
    xy = plane.to_metres(np.column_stack([table["lon"].to_numpy(), table["lat"].to_numpy()]))
    covered = np.zeros(count, bool)
    for areas in world.people.areas[who].T:
        has = areas >= 0
        covered[has] |= shapely.intersects_xy(shapes[areas[has]], xy[has, 0], xy[has, 1])
    return float(covered.mean())


def test_the_share_of_fixes_outside_is_the_one_asked_for(world: BenchWorld) -> None:
    """93 % inside own areas, or 80 %."""
    assert inside(world, COUNT) == pytest.approx(0.93, abs=0.02)
    assert inside(make_bench_world(TINY, breach_share=0.2), COUNT) == pytest.approx(0.8, abs=0.03)


def test_subjects_have_one_point_eight_areas_each(world: BenchWorld) -> None:
    """One to three, no area twice."""
    counts = (world.people.areas >= 0).sum(axis=1)
    assert set(counts.tolist()) == {1, 2, 3}
    assert counts.mean() == pytest.approx(1.8, abs=0.05)
    for areas in world.people.areas:
        own = areas[areas >= 0].tolist()
        assert len(own) == len(set(own))


def test_fixes_come_in_the_order_of_time_each_subject_once_a_minute_or_less(world: BenchWorld) -> None:
    """Times never go back and no subject appears twice in a minute."""
    table = world.fixes(COUNT)
    times = time_ms_of(table["time"])
    assert len(table) == COUNT
    assert (np.diff(times) >= 0).all()
    minutes = list(zip(table["subject"].to_pylist(), (times // 60_000).tolist(), strict=True))
    assert len(set(minutes)) == COUNT


def test_by_subject_is_the_same_set_stably_sorted(world: BenchWorld) -> None:
    """Sorted by subject, each subject's fixes in the order of time."""
    by_time, by_subject = world.fixes(COUNT), world.fixes(COUNT, "subject")
    order = np.argsort(np.array(by_time["subject"].to_pylist()), kind="stable")
    assert by_time.take(order).to_pylist() == by_subject.to_pylist()


def test_districts_tile_the_map(world: BenchWorld) -> None:
    """No overlap, no gap, every district as many vertices as the size says; so have W1 and W2."""
    districts = world.map.districts
    whole = shapely.union_all(districts)
    assert abs(shapely.area(districts).sum() - whole.area) < 1.0
    assert shapely.get_num_interior_rings(whole) == 0
    assert (shapely.get_num_coordinates(districts) == 4 * 3 * 8 + 1).all()
    assert [4 * spec.edge_pieces * 2**spec.halvings for spec in (W1, W2)] == [1_408, 3_072]
    assert [spec.columns * spec.rows for spec in (W1, W2)] == [50, 500]


def test_json_lines_keep_one_order_of_keys(tmp_path: Path, world: BenchWorld) -> None:
    """Every line has the same keys in the same order and some 127 bytes."""
    write_jsonl(world.parts(2_000), tmp_path / "f.jsonl")
    lines = (tmp_path / "f.jsonl").read_text().splitlines()
    assert len(lines) == 2_000
    assert all(LINE.fullmatch(line) for line in lines)
    assert 115 < np.mean([len(line) for line in lines]) < 145


def test_one_line_in_a_hundred_is_broken(tmp_path: Path, world: BenchWorld) -> None:
    """In every way of `BREAKS`, as many as it says; all other lines are as they were."""
    write_jsonl(world.parts(20_000), tmp_path / "whole.jsonl")
    counts = write_jsonl_broken(world.parts(20_000), tmp_path / "broken.jsonl")
    whole, broken = ((tmp_path / f"{name}.jsonl").read_bytes().splitlines() for name in ("whole", "broken"))
    assert len(whole) == len(broken)
    changed = [line for line, before in zip(broken, whole, strict=True) if line != before]
    assert sum(counts.values()) == len(changed)
    assert len(changed) == pytest.approx(200, abs=60)
    assert set(counts) == set(BREAKS)
    assert min(counts.values()) > 0
    readable = 0
    for line in changed:
        try:
            json.loads(line)
        except json.JSONDecodeError:
            continue
        readable += 1
    assert readable == len(changed) - counts["undecodable"]


def test_the_registry_names_only_what_it_has(tmp_path: Path, world: BenchWorld) -> None:
    """Regions, areas, subjects and rules fit together; zones bind everybody or the group."""
    world.write_registry(tmp_path)
    read = {path.name: path.read_text() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    features = [feature for name in ("regions", "areas") for feature in json.loads(read[f"{name}.geojson"])["features"]]
    areas = {feature["properties"]["id"] for feature in features}
    regions = {feature["properties"]["id"] for feature in features if "timezone" in feature["properties"]}
    subjects = [json.loads(line) for line in read["subjects.jsonl"].splitlines()]
    rules = [json.loads(line) for line in read["rules.jsonl"].splitlines()]
    zones = [json.loads(line) for line in read["zones.jsonl"].splitlines()]
    assert len(areas) == len(features) == 12 + 60 + 8
    assert len(regions) == 12
    assert [rule["subjects"] for rule in rules] == [[subject["id"]] for subject in subjects]
    assert all(set(rule["areas"]) <= areas and rule["effect"] == "allow" for rule in rules)
    assert all(subject["home_region"] in regions for subject in subjects)
    assert {subject["groups"] == ["watched"] for subject in subjects} == {True, False}
    assert sum("everyone" in zone for zone in zones) == 6
    assert sum(zone.get("groups") == ["watched"] for zone in zones) == 2
    for feature in features:
        assert shapely.geometry.shape(feature["geometry"]).is_valid


def test_a_seed_is_a_world() -> None:
    """The same seed the same fixes, another seed others."""
    one, same, other = (make_bench_world(TINY, seed=seed).fixes(3_000) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)
