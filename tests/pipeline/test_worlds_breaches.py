"""Judges simulated worlds with a small judge of its own: what was scripted is found, nothing else is.

It knows places only; what else is scripted is held to the project's own judge (`test_simulated`).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.casting import ABOUT_PLACES
from pipeline.worlds.track_text import time_ms_of
from pipeline.worlds.world import World, make_world

LAT0 = 31.35
METRES_PER_DEGREE = np.array([111_320 * math.cos(math.radians(LAT0)) * 1.0010, 110_880])
"""Right to 0.3 % where the simulated map lies; the test keeps away from thresholds by more."""
FINE, UNCERTAIN, BREACH = 0, 1, 2

Ints = NDArray[np.int64]


@dataclass
class Episode:
    """What the small judge found."""

    subject: str
    slot: str
    onset: int
    cleared: int | None = None
    regions: set[str] = field(default_factory=set)


@dataclass
class Registry:
    """A registry directory, shapes in metres."""

    shapes: dict[str, BaseGeometry]
    regions: list[str]
    home: dict[str, str]
    rules: dict[str, list[dict[str, Any]]]


def in_metres(lon_lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees to metres."""
    metres: NDArray[np.float64] = (lon_lat - (121.05, LAT0)) * METRES_PER_DEGREE
    return metres


def read_registry(folder: Path) -> Registry:
    """The files as the contract describes them."""
    shapes, regions = {}, []
    for name in ("regions", "areas"):
        for feature in json.loads((folder / f"{name}.geojson").read_text())["features"]:
            properties = feature["properties"]
            assert properties["id"] not in shapes
            shape = shapely.transform(shapely.geometry.shape(feature["geometry"]), in_metres)
            shapes[properties["id"]] = shape.buffer(properties["radius_m"], quad_segs=64) if shape.geom_type == "Point" else shape
            if name == "regions":
                regions.append(properties["id"])
    subjects = [json.loads(line) for line in (folder / "subjects.jsonl").read_text().splitlines()]
    rules: dict[str, list[dict[str, Any]]] = {subject["id"]: [] for subject in subjects}
    lines = [line for path in (folder / "rules.jsonl", *folder.glob("rules.d/*")) for line in path.read_text().splitlines()]
    for rule in map(json.loads, lines):
        for subject in subjects:
            named = subject["id"] in rule.get("subjects", []) or set(subject["groups"]) & set(rule.get("groups", []))
            if rule.get("everyone") or named:
                rules[subject["id"]].append(rule)
    return Registry(shapes, regions, {subject["id"]: subject["home_region"] for subject in subjects}, rules)


def verdicts(
    registry: Registry, rules: list[dict[str, Any]], xy: NDArray[np.float64], accuracy: NDArray[np.float64]
) -> dict[str, Ints]:
    """J2 and J3 for the fixes of one subject: verdicts by slot. Every rule of these worlds is active all the time."""
    points = shapely.points(xy)
    by_slot = {}
    allowed = [registry.shapes[area] for rule in rules if rule["effect"] == "allow" for area in rule["areas"]]
    if allowed:
        away = np.min([shapely.distance(shape, points) for shape in allowed], axis=0)
        by_slot["area"] = np.where(away <= 30, FINE, np.where(away <= 30 + accuracy, UNCERTAIN, BREACH))
    for rule in rules:
        if rule["effect"] == "forbid":
            inside = np.any([shapely.intersects(registry.shapes[area], points) for area in rule["areas"]], axis=0)
            by_slot[f"rule:{rule['id']}"] = np.where(inside, BREACH, FINE)
    return by_slot


def episodes(registry: Registry, world: World) -> list[Episode]:
    """J6 and J9 over the fixes in the order of arrival."""
    found: list[Episode] = []
    rows: dict[str, list[int]] = defaultdict(list)
    table = world.fixes()
    subjects: list[Any] = table["subject"].to_pylist()
    times = time_ms_of(table["time"])
    for i, subject in enumerate(subjects):
        if not rows[subject] or times[i] > times[rows[subject][-1]]:
            rows[subject].append(i)
    lon_lat = np.column_stack([table["lon"].to_numpy(), table["lat"].to_numpy()])
    for subject, kept in rows.items():
        xy = in_metres(lon_lat[kept])
        accuracy = table["accuracy_m"].to_numpy()[kept]
        for slot, values in verdicts(registry, registry.rules[subject], xy, accuracy).items():
            found += slot_machine(registry, subject, slot, values, times[kept], xy)
    return found


def slot_machine(registry: Registry, subject: str, slot: str, values: Ints, times: Ints, xy: NDArray[np.float64]) -> list[Episode]:
    """Two breaches open slot `area`, one opens a forbid rule, two fine ones clear."""
    confirm = 2 if slot == "area" else 1
    found, breaches, fine, onset = [], 0, 0, 0
    current: Episode | None = None
    for value, time, place in zip(values, times.tolist(), xy, strict=True):
        if value == BREACH:
            onset = time if breaches == 0 else onset
            breaches, fine = breaches + 1, 0
            if current is None and breaches >= confirm:
                current = Episode(subject, slot, onset, regions={registry.home[subject]})
                found.append(current)
        elif value == FINE:
            fine += 1
            if current is None or fine == 2:
                breaches, fine = 0, 0
                if current is not None:
                    current.cleared = time
                    current = None
        if current is not None:
            current.regions |= {region for region in registry.regions if shapely.intersects_xy(registry.shapes[region], *place)}
    return found


@pytest.mark.parametrize(
    ("seed", "subjects", "hours", "step_s"), [(1, 40, 3, 60), (2, 40, 2, 20), (3, 24, 8, 300), (4, 60, 24, 60)]
)
def test_scripted_breaches_are_found_and_nothing_else(tmp_path: Path, seed: int, subjects: int, hours: float, step_s: int) -> None:
    """Each scripted breach is one episode with its onset, clear and regions within what the list says; there is no other."""
    world = make_world(seed=seed, subjects=subjects, hours=hours, step_s=step_s, table=ABOUT_PLACES)
    world.write_registry(tmp_path)
    many = episodes(read_registry(tmp_path), world)
    found = {(episode.subject, episode.slot): episode for episode in many}
    scripted = {(breach.subject, breach.slot): breach for breach in world.breaches}
    assert len(found) == len(many)
    assert found.keys() == scripted.keys()
    assert len(scripted) >= 5
    for key, breach in scripted.items():
        episode = found[key]
        assert breach.onset_from <= episode.onset <= breach.onset_to
        assert breach.onset_to - breach.onset_from <= 2.1 * world.step_ms + 20_000
        assert episode.regions == set(breach.regions)
        if breach.cleared_from is None or breach.cleared_to is None:
            assert episode.cleared is None
        else:
            assert episode.cleared is not None
            assert breach.cleared_from <= episode.cleared <= breach.cleared_to


def test_a_world_without_stories_has_no_breach(tmp_path: Path) -> None:
    """With no story everybody stays where he may be."""
    world = make_world(seed=5, subjects=60, hours=12, stories=0)
    world.write_registry(tmp_path)
    assert world.breaches == ()
    assert episodes(read_registry(tmp_path), world) == []
