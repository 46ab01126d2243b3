"""The registry directory of a benchmark world, written a column at a time: a million subjects in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import shapely

from pipeline.worlds.bench_map import GROUP_ZONES, BenchMap
from pipeline.worlds.bench_people import BenchPeople
from pipeline.worlds.plane import Plane
from pipeline.worlds.registry_records import POLICY, write_lines
from pipeline.worlds.track_text import Column, arrow, joined_texts, line_bytes

GROUP = "watched"
TIMEZONE = "Asia/Shanghai"


def subject_names(count: int) -> pa.StringArray:
    """s0000000, s0000001, ..."""
    names: pa.StringArray = arrow.array(np.char.mod("s%07d", np.arange(count)).tolist(), arrow.string())
    return names


def area_names(the_map: BenchMap) -> list[str]:
    """Ids of districts, then circles: the indices of `BenchPeople.areas`."""
    return [f"d{i:03d}" for i in range(len(the_map.districts))] + [f"c{i:05d}" for i in range(len(the_map.circle_radius_m))]


def write_bench_registry(the_map: BenchMap, people: BenchPeople, folder: Path) -> None:
    """Districts as regions, circles and zones as areas, one allow rule a subject, one forbid rule a zone, the shipped policy."""
    folder.mkdir(parents=True, exist_ok=True)
    names, districts = area_names(the_map), len(the_map.districts)
    _write_features(folder / "regions.geojson", [_region(the_map, i, names[i]) for i in range(districts)])
    circles = [
        _circle(the_map.plane, names[districts + k], names[district], centre, radius_m)
        for k, (district, centre, radius_m) in enumerate(
            zip(the_map.circle_district.tolist(), the_map.circle_centre, the_map.circle_radius_m.tolist(), strict=True)
        )
    ]
    zones = [_zone(the_map, k, names[the_map.zone_district[k]]) for k in range(len(the_map.zones))]
    _write_features(folder / "areas.geojson", circles + zones)
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")

    subjects = subject_names(len(people.phase))
    homes = arrow.array(names[:districts]).take(arrow.array(people.home_district))
    groups = arrow.array(np.where(people.in_group, f'"{GROUP}"', "").tolist())
    _write_texts(
        folder / "subjects.jsonl", joined_texts('{"id":"', subjects, '","home_region":"', homes, '","groups":[', groups, "]}\n")
    )
    quoted = arrow.array([f'"{name}"' for name in names])
    more = arrow.array([f',"{name}"' for name in names])
    own = [
        (quoted if k == 0 else more).take(arrow.array(np.maximum(column, 0), mask=column < 0))
        for k, column in enumerate(people.areas.T)
    ]
    _write_texts(
        folder / "rules.jsonl",
        joined_texts('{"id":"r-', subjects, '","effect":"allow","subjects":["', subjects, '"],"areas":[', *own, "]}\n"),
    )
    (folder / "rules.d").mkdir(exist_ok=True)
    write_lines(folder / "rules.d" / "zones.jsonl", (_zone_rule(k) for k in range(len(the_map.zones))))


def _region(the_map: BenchMap, i: int, name: str) -> dict[str, Any]:
    ring = np.round(the_map.plane.to_degrees(shapely.get_coordinates(the_map.districts[i])), 6)
    properties = {"id": name, "name": f"District {i}", "timezone": TIMEZONE}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def _circle(plane: Plane, name: str, region: str, centre: Any, radius_m: float) -> dict[str, Any]:  # noqa: ANN401
    place = np.round(plane.to_degrees(centre), 6)
    properties = {"id": name, "region": region, "radius_m": radius_m}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": place}}


def _zone(the_map: BenchMap, k: int, region: str) -> dict[str, Any]:
    if k % 2:
        return _circle(the_map.plane, f"z{k:03d}", region, the_map.zone_centre[k], float(the_map.zone_radius_m[k]))
    ring = np.round(the_map.plane.to_degrees(shapely.get_coordinates(the_map.zones[k])), 6)
    properties = {"id": f"z{k:03d}", "region": region}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def _zone_rule(k: int) -> dict[str, Any]:
    binds: dict[str, Any] = {"groups": [GROUP]} if k % GROUP_ZONES == GROUP_ZONES - 1 else {"everyone": True}
    return {"id": f"no-z{k:03d}", "effect": "forbid", **binds, "areas": [f"z{k:03d}"]}


def _write_features(path: Path, features: list[dict[str, Any]]) -> None:
    lines = b",\n".join(orjson.dumps(feature, option=orjson.OPT_SERIALIZE_NUMPY) for feature in features)
    path.write_bytes(b'{"type":"FeatureCollection","features":[\n' + lines + b"\n]}\n")


def _write_texts(path: Path, lines: Column) -> None:
    with path.open("wb") as file:
        for text in line_bytes(lines):
            file.write(text)
