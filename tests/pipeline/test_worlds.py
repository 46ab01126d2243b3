"""Simulated worlds: what their fixes keep to beside the scripted breaches, their map, and that a seed means the same bytes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from numpy.typing import NDArray

from pipeline.worlds.districts import make_districts
from pipeline.worlds.track_text import time_ms_of
from pipeline.worlds.world import World, make_world

MINUTE_MS = 60_000


@pytest.fixture(scope="module", params=[(11, 80, 26, 60), (12, 80, 2.5, 10), (13, 60, 30, 300)], ids=["minute", "10s", "5min"])
def world(request: pytest.FixtureRequest) -> World:
    """A world with all stories."""
    seed, subjects, hours, step_s = request.param
    return make_world(seed=seed, subjects=subjects, hours=hours, step_s=step_s)


class Columns:
    """The fixes of those who play in no story, by subject, each subject's in the order of arrival, as arrays."""

    def __init__(self, world: World) -> None:
        table = world.fixes("subject")
        table = table.filter([subject not in world.cast for subject in table["subject"].to_pylist()])
        self.subject = np.array(table["subject"].to_pylist())
        self.time_ms, self.received_ms = time_ms_of(table["time"]), time_ms_of(table["received"])
        self.lon, self.lat, self.accuracy_m, self.battery_pct = (
            table[name].to_numpy() for name in ("lon", "lat", "accuracy_m", "battery_pct")
        )
        self.same = self.subject[1:] == self.subject[:-1]

    def in_order(self) -> NDArray[np.bool_]:
        """Which records are later than every record of the subject before them."""
        start = np.flatnonzero(np.r_[True, ~self.same])
        newest = np.concatenate([np.maximum.accumulate(part) for part in np.split(self.time_ms, start[1:])])
        newer: NDArray[np.bool_] = np.r_[True, ~self.same | (newest[1:] > newest[:-1])]
        return newer


def test_every_subject_is_heard_at_least_every_fourteen_minutes(world: World) -> None:
    """No arrival is more than 14 minutes after the one before it, from the start to the end."""
    fixes = Columns(world)
    assert set(fixes.subject) == set(world.subject_ids) - world.cast.keys()
    assert np.diff(fixes.received_ms)[fixes.same].max() < 14 * MINUTE_MS
    first, last = np.r_[True, ~fixes.same], np.r_[~fixes.same, True]
    assert fixes.received_ms[first].max() < world.start_ms + 14 * MINUTE_MS
    assert fixes.received_ms[last].min() > world.end_ms - 14 * MINUTE_MS


def test_reports_arrive_a_little_after_their_time(world: World) -> None:
    """`received` is never before `time`; what is not late arrives within a fifth of a step."""
    fixes = Columns(world)
    delay_ms = fixes.received_ms - fixes.time_ms
    assert delay_ms.min() > 0
    assert delay_ms[fixes.in_order()].max() <= 0.2 * world.step_ms
    assert delay_ms.max() < 14 * MINUTE_MS


def test_late_records_and_duplicates_are_there_but_few(world: World) -> None:
    """Some records are older than the newest of their subject, some are sent twice; no two contradict one another."""
    fixes = Columns(world)
    late = ~fixes.in_order()
    again = fixes.same & (np.diff(fixes.time_ms) == 0)
    assert 0 < again.sum() < 0.01 * len(late)
    assert again.sum() < late.sum() < 0.02 * len(late)
    for column in (fixes.lon, fixes.lat, fixes.accuracy_m):
        assert np.array_equal(column[1:][again], column[:-1][again])


def test_nobody_moves_implausibly(world: World) -> None:
    """Between in-order fixes nobody is faster than 100 m/s by 300 m or more, both accuracies taken off (J12)."""
    fixes = Columns(world)
    kept = fixes.in_order()
    east, north = fixes.lon[kept] * 95_000, fixes.lat[kept] * 111_000
    apart_m = np.hypot(np.diff(east), np.diff(north)) - fixes.accuracy_m[kept][1:] - fixes.accuracy_m[kept][:-1]
    same = fixes.subject[kept][1:] == fixes.subject[kept][:-1]
    fast = apart_m > 100 * np.diff(fixes.time_ms[kept]) / 1000
    assert not (fast & (apart_m >= 290) & same).any()


def test_no_battery_runs_low_and_no_accuracy_is_too_vague(world: World) -> None:
    """Battery above 25 %, accuracy far below `max_accuracy_m`."""
    fixes = Columns(world)
    assert fixes.battery_pct.min() > 25
    assert fixes.battery_pct.max() <= 100
    assert 1 < fixes.accuracy_m.min() < fixes.accuracy_m.max() <= 400


def test_both_orders_hold_the_same_fixes(world: World) -> None:
    """By time the arrivals never go back; by subject it is the same set, stably sorted."""
    by_time, by_subject = world.fixes("time"), world.fixes("subject")
    assert (np.diff(time_ms_of(by_time["received"])) >= 0).all()
    codes = np.array(by_time["subject"].to_pylist())
    assert by_time.take(np.argsort(codes, kind="stable")).cast(by_subject.schema).equals(by_subject)


def test_parts_are_the_whole(world: World) -> None:
    """The parts that are written one at a time are the whole table."""
    assert pa.concat_tables(world.parts()).combine_chunks().equals(world.fixes())


def test_a_seed_is_a_world_and_another_seed_another(tmp_path: Path) -> None:
    """The same arguments give the same registry, fixes and breaches; another seed does not."""
    worlds = [make_world(seed=seed, subjects=40, hours=1.5) for seed in (3, 3, 4)]
    for i, world in enumerate(worlds):
        world.write_registry(tmp_path / str(i))
        world.write_breaches(tmp_path / str(i) / "breaches.jsonl")
    files = [sorted(path for path in (tmp_path / str(i)).rglob("*") if path.is_file()) for i in range(3)]
    read = [{path.name: path.read_bytes() for path in some} for some in files]
    assert read[0] == read[1]
    assert read[0] != read[2]
    assert worlds[0].fixes().equals(worlds[1].fixes())
    assert not worlds[0].fixes().equals(worlds[2].fixes())


def test_the_registry_has_the_files_of_the_contract(tmp_path: Path) -> None:
    """Five files, and one for each permit; ids are unique; rules name areas and subjects that exist; the policy is TOML."""
    world = make_world(seed=6, subjects=200, hours=2)
    world.write_registry(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "regions.geojson",
        "areas.geojson",
        "subjects.jsonl",
        "rules.jsonl",
        "policy.toml",
        "rules.d",
    }
    features = [
        feature for name in ("regions", "areas") for feature in json.loads((tmp_path / f"{name}.geojson").read_text())["features"]
    ]
    areas = [feature["properties"]["id"] for feature in features]
    subjects = [json.loads(line)["id"] for line in (tmp_path / "subjects.jsonl").read_text().splitlines()]
    files = [tmp_path / "rules.jsonl", *(tmp_path / "rules.d").iterdir()]
    rules = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert len(areas) == len(set(areas))
    assert tuple(subjects) == world.subject_ids
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule["areas"]) <= set(areas)
        assert set(rule.get("subjects", [])) <= set(subjects)
    assert {rule["effect"] for rule in rules} == {"allow", "forbid", "require"}
    assert len(files) - 1 == sum("permit" in rule for rule in rules) > 2
    assert tomllib.loads((tmp_path / "policy.toml").read_text())["policy"]["forbid"] == {"confirm_fixes": 1, "accuracy_factor": 0.0}
    for feature in features:
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert (shape.geom_type == "Point") == ("radius_m" in feature["properties"])


@pytest.mark.parametrize("seed", range(20))
def test_districts_share_their_borders_vertex_by_vertex(seed: int) -> None:
    """Neighbours overlap nowhere and leave no sliver; each has a few hundred vertices; one has a hole, two have two parts."""
    shapes = make_districts(np.random.default_rng(seed)).shapes
    whole = shapely.union_all(shapes)
    assert abs(sum(shape.area for shape in shapes) - whole.area) < 1e-3
    assert sorted(len(shapely.get_parts(shape)) for shape in shapes) == [1, 2, 2]
    assert sum(shapely.get_num_interior_rings(part) for shape in shapes for part in shapely.get_parts(shape)) == 1
    assert all(shapely.get_num_interior_rings(part) == 0 for part in shapely.get_parts(whole))
    for one, other in ((0, 1), (1, 2), (2, 0)):
        vertices = [{tuple(xy) for xy in shapely.get_coordinates(shapes[i])} for i in (one, other)]
        assert len(vertices[0] & vertices[1]) > 100
        assert len(vertices[0]) > 200
        west, south, east, north = max(shapely.get_parts(shapes[one]), key=lambda part: part.area).bounds
        assert 15_000 < max(east - west, north - south) < 45_000


def test_arguments_that_make_no_world_are_refused() -> None:
    """No subject, no hour, an odd step or a start that is no time: a ValueError that says so."""
    for wrong in ({"subjects": 0}, {"hours": 0}, {"step_s": 5}, {"start": "monday"}, {"start": "2026-03-02T07:00:00"}):
        with pytest.raises(ValueError, match=r"."):
            make_world(**{"seed": 1, "subjects": 1, "hours": 1.0} | wrong)


def test_a_world_too_short_for_a_story_has_none() -> None:
    """Ten minutes are enough for nobody to leave and come back."""
    assert make_world(seed=1, subjects=20, hours=1 / 6).breaches == ()
