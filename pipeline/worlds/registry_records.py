"""The registry of a simulated world as records, and its files as section 4 of the contract wants them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from pipeline.worlds.days import Times
from pipeline.worlds.districts import IDS, PLANE, Districts, geojson_geometry
from pipeline.worlds.people import DISTRICT, HOMEBOUND, STREETS, People
from pipeline.worlds.plane import Floats
from pipeline.worlds.stories import Scene
from pipeline.worlds.zones import YOUTH, Zone

Record = dict[str, Any]
HOME_RADIUS_M = 900.0
WORK_RADIUS_M = 700.0
STREETS_M = 600.0
"""Half the width of the strip along the way to work of those who may only be at home, at work and between."""
HOMEBOUND_RADIUS_M = 1_000.0
KEEP_OFF_SHARE = 0.02
KEEP_OFF_RADIUS_M = 350.0
KEEP_OFF_CLEAR_M = 600.0

POLICY = """\
# The policy as fencewatch ships it, written out.
[policy]
confirm_fixes = 2
confirm_s = 0
clear_fixes = 2
tolerance_m = 30.0
accuracy_factor = 1.0
level = "red"

[policy.forbid]
confirm_fixes = 1
accuracy_factor = 0.0
"""


@dataclass(frozen=True, slots=True)
class Records:
    """What the files of a registry directory hold; each of `permits` is a file of its own in `rules.d`, as if approved later."""

    regions: list[Record]
    areas: list[Record]
    subjects: list[Record]
    rules: list[Record]
    permits: list[Record]

    def write(self, folder: Path) -> None:
        """The registry directory `folder`, made where missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, features in (("regions", self.regions), ("areas", self.areas)):
            lines = b",\n".join(orjson.dumps(feature) for feature in features)
            (folder / f"{name}.geojson").write_bytes(b'{"type":"FeatureCollection","features":[\n' + lines + b"\n]}\n")
        write_lines(folder / "subjects.jsonl", self.subjects)
        write_lines(folder / "rules.jsonl", self.rules)
        if self.permits:
            (folder / "rules.d").mkdir(exist_ok=True)
        for permit in self.permits:
            write_lines(folder / "rules.d" / f"{permit['id']}.jsonl", [permit])
        (folder / "policy.toml").write_text(POLICY, encoding="utf-8")


def write_lines(path: Path, records: Iterable[Record]) -> None:
    """JSON lines, one record each."""
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))


def make_records(
    districts: Districts,
    zones: tuple[Zone, ...],
    people: People,
    ids: list[str],
    scenes: dict[int, Scene],
    rng: np.random.Generator,
) -> Records:
    """Regions and zones of the map; of each person his subject record, his home rule and the areas that it needs."""
    areas = [_zone_area(zone) for zone in zones]
    rules = [_zone_rule(zone) for zone in zones]
    subjects: list[Record] = []
    permits: list[Record] = []
    streets = _streets(people)
    for i, subject in enumerate(ids):
        home = IDS[people.district[i]]
        subjects.append({"id": subject, "home_region": home, "groups": [YOUTH] if people.youth[i] else []})
        if i in scenes and scenes[i].silent_after_s is not None:
            subjects[-1]["silent_after_s"] = scenes[i].silent_after_s
        if people.roams[i] == DISTRICT:
            allowed = [home] if people.second[i] < 0 else [home, IDS[people.second[i]]]
        elif people.roams[i] == HOMEBOUND:
            areas.append(circle_area(f"home-{subject}", home, people.way[i, 0], HOMEBOUND_RADIUS_M))
            allowed = [f"home-{subject}"]
        else:
            areas.append(circle_area(f"home-{subject}", home, people.way[i, 0], HOME_RADIUS_M))
            areas.append(circle_area(f"work-{subject}", home, people.way[i, 3], WORK_RADIUS_M))
            areas.append(_feature(f"way-{subject}", home, streets[i]))
            allowed = [f"home-{subject}", f"work-{subject}", f"way-{subject}"]
        rules.append({"id": f"home-rule-{subject}", "effect": "allow", "subjects": [subject], "areas": allowed})
    for scene in scenes.values():
        areas.extend(scene.areas)
        rules.extend(rule for rule in scene.rules if "permit" not in rule)
        permits.extend(rule for rule in scene.rules if "permit" in rule)
    _add_keep_off(people, ids, scenes, areas, rules, rng)
    return Records([districts.feature(i) for i in range(len(IDS))], areas, subjects, rules, permits)


def circle_area(area_id: str, region: str, centre: Floats, radius_m: float, name: str | None = None) -> Record:
    """A circle as a feature of `areas.geojson`; `centre` in metres on the plane."""
    lon, lat = (round(float(degrees), 6) for degrees in PLANE.to_degrees(centre))
    return _feature(area_id, region, {"type": "Point", "coordinates": [lon, lat]}, name, radius_m=radius_m)


def _feature(area_id: str, region: str, geometry: Record, name: str | None = None, **more: float) -> Record:
    return {"type": "Feature", "properties": {"id": area_id, "name": name, "region": region, **more}, "geometry": geometry}


def _zone_area(zone: Zone) -> Record:
    if zone.radius_m is not None:
        return circle_area(zone.id, IDS[zone.district], zone.centre, zone.radius_m, zone.name)
    return _feature(zone.id, IDS[zone.district], geojson_geometry(zone.shape), zone.name)


def _zone_rule(zone: Zone) -> Record:
    binds: Record = {"everyone": True} if zone.group is None else {"groups": [zone.group]}
    return {"id": zone.rule_id, "effect": "forbid", **binds, "areas": [zone.id]}


def _streets(people: People) -> dict[int, Record]:
    """The strip along his way of each person who may only be at home, at work and between, as a GeoJSON geometry."""
    who = np.flatnonzero(people.roams == STREETS).tolist()
    strips = shapely.buffer(np.atleast_1d(np.asarray(shapely.linestrings(people.way[who]))), STREETS_M, quad_segs=4)
    geometries = {}
    for i, strip in zip(who, strips, strict=True):
        geometry = geojson_geometry(strip)
        # Rounding to 0.1 m can make a ring touch itself; the hull is then wide enough as well.
        geometries[i] = geometry if shapely.geometry.shape(geometry).is_valid else geojson_geometry(strip.convex_hull)
    return geometries


def _add_keep_off(
    people: People,
    ids: list[str],
    scenes: dict[int, Scene],
    areas: list[Record],
    rules: list[Record],
    rng: np.random.Generator,
) -> None:
    """Places forbidden to one person alone, which he never comes near."""
    who: Times = np.flatnonzero(rng.random(len(people)) < KEEP_OFF_SHARE)
    bearing = rng.uniform(0, 2 * np.pi, len(who))
    towards = np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
    centre = people.way[who, 0] + towards * rng.uniform(1_500, 4_000, len(who))[:, None]
    apart_m = shapely.distance(shapely.linestrings(people.way[who]), shapely.points(centre))
    apart_m = np.minimum(apart_m, np.hypot(*(people.errand[who] - centre).T))
    for i, place, distance_m in zip(who.tolist(), centre, apart_m, strict=True):
        if distance_m > KEEP_OFF_RADIUS_M + KEEP_OFF_CLEAR_M and i not in scenes:
            area_id = f"keep-off-{ids[i]}"
            areas.append(circle_area(area_id, IDS[people.district[i]], place, KEEP_OFF_RADIUS_M))
            rules.append({"id": f"no-contact-{ids[i]}", "effect": "forbid", "subjects": [ids[i]], "areas": [area_id]})
