"""A registry one can see through, and three subjects who leave their region and come back: a world for records that are broken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

START_MS = 1_709_510_400_000
"""2024-03-04T00:00:00Z: in the past, so that a live run takes no record for the future."""
SUBJECTS = ("s-1", "s-2", "s-3")
MINUTES = 60
INSIDE, OUTSIDE = (121.09, 31.05), (121.12, 31.05)
"""Three kilometres apart: far enough for a breach, near enough for a minute."""
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Meadow:
    """The folder of the registry; the records are always the same."""

    registry: Path

    @classmethod
    def make(cls, folder: Path) -> Meadow:
        """Write the registry: everybody may be in the one region, s-3 is one more who is never heard of."""
        folder.mkdir(parents=True, exist_ok=True)
        ring = [[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.1], [121.0, 31.0]]
        region = {
            "type": "Feature",
            "properties": {"id": "meadow", "timezone": "Asia/Shanghai"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        subjects = [{"id": subject, "home_region": "meadow"} for subject in (*SUBJECTS, "unheard")]
        rules = [{"id": "stay", "effect": "allow", "everyone": True, "areas": ["meadow"]}]
        empty = {"type": "FeatureCollection", "features": list[object]()}
        (folder / "regions.geojson").write_bytes(orjson.dumps({**empty, "features": [region]}))
        (folder / "areas.geojson").write_bytes(orjson.dumps(empty))
        (folder / "subjects.jsonl").write_bytes(b"".join(orjson.dumps(subject) + b"\n" for subject in subjects))
        (folder / "rules.jsonl").write_bytes(b"".join(orjson.dumps(rule) + b"\n" for rule in rules))
        return cls(folder)


def good_records(start_ms: int = START_MS) -> list[Record]:
    """An hour, a record a minute of each: in, out for five minutes, in for five, and so on."""
    records = []
    for minute in range(MINUTES):
        for k, subject in enumerate(SUBJECTS):
            lon, lat = OUTSIDE if (minute // 5 + k) % 2 else INSIDE
            at = start_ms + minute * 60_000 + k * 1000
            records.append({"subject": subject, "time": at, "lon": lon + k / 1000, "lat": lat, "accuracy_m": 5.0})
    return records


def lines_of(records: list[Record]) -> list[bytes]:
    """Records as JSON lines, without line ends."""
    return [orjson.dumps(record) for record in records]
