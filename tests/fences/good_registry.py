"""A good registry as its files, for tests to begin with or to break."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Texts = dict[str, str]
"""A registry as its files: name to text. Bytes that are no UTF-8 stand as surrogates, as Python's "surrogateescape" has them."""

Json = dict[str, Any]

SUBJECTS, RULES, AREAS, REGIONS, POLICY = "subjects.jsonl", "rules.jsonl", "areas.geojson", "regions.geojson", "policy.toml"
SPARE = 40
"""Subjects, areas and rules that nothing else depends on."""


_POLICY = """\
[policy]
confirm_fixes = 3
confirm_s = 0
level = "yellow"
max_speed_mps = 80.0
silent_after_s = 1200
[policy.allow]
tolerance_m = 40
clear_fixes = 2
[policy.forbid]
accuracy_factor = 0.5
"""


def square(lon: float, lat: float, size: float = 0.01) -> list[list[float]]:
    """A closed ring."""
    return [[lon, lat], [lon + size, lat], [lon + size, lat + size], [lon, lat + size], [lon, lat]]


def feature(id_: str, coordinates: list[Any], kind: str = "Polygon", **properties: object) -> Json:
    """A GeoJSON feature."""
    return {"type": "Feature", "properties": {"id": id_, **properties}, "geometry": {"type": kind, "coordinates": coordinates}}


def good_registry() -> Texts:
    """A registry without a fault or a warning: one record a line, and many records to break."""
    regions = [feature(f"region-{i}", [square(120.0 + i, 31.0, 1.0)], timezone="Asia/Shanghai") for i in range(6)]
    areas = [feature(f"area-{i:02d}", [square(120.0 + 0.02 * i, 31.5)], region="region-0") for i in range(SPARE)]
    areas += [feature("circle", [120.5, 31.2], "Point", radius_m=500), feature("shop", [square(120.5, 31.7)])]
    areas += [feature("kiosk", [square(120.6, 31.7, 0.002)])]
    subjects = [{"id": f"p-{i:02d}", "home_region": f"region-{i % 3}", "groups": ["youth"]} for i in range(SPARE)]
    rules: list[Json] = [{"id": f"rule-{i:02d}", "effect": "allow", "groups": ["youth"], "areas": ["shop"]} for i in range(SPARE)]
    rules += [
        {
            "id": "curfew",
            "effect": "require",
            "groups": ["youth"],
            "areas": ["circle"],
            "schedule": [{"days": "sun-thu", "from": "22:00", "to": "06:00"}, {"from": "12:00", "to": "24:00"}],
            "except": ["2026-10-01"],
            "from": "2026-01-01T00:00:00+08:00",
            "until": 1798761600000,
            "timezone": "Asia/Shanghai",
        },
        {"id": "keep-out", "effect": "forbid", "everyone": True, "areas": ["shop", "region-2"]},
    ]
    return {
        REGIONS: _collection(regions),
        AREAS: _collection(areas),
        SUBJECTS: "".join(json.dumps(record) + "\n" for record in subjects),
        RULES: "".join(json.dumps(record) + "\n" for record in rules),
        "rules.d/more.jsonl": json.dumps({"id": "more", "effect": "allow", "subjects": ["p-00"], "areas": ["region-1"]}) + "\n",
        POLICY: _POLICY,
    }


def write(texts: Texts, directory: Path) -> Path:
    """Writes a registry; answers its directory."""
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
    return directory


def _collection(features: list[Json]) -> str:
    return '{"type": "FeatureCollection", "features": [\n' + ",\n".join(json.dumps(item) for item in features) + "\n]}\n"
