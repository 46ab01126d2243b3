"""A town whose people all have the same curfew: at home from one instant on. A tenth of them are elsewhere.

town = write_curfew_town(folder, subjects=100_000, edge_ms=...)
town.write_fixes(time_ms, folder / "before.jsonl")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson

from pipeline.worlds.plane import Floats

HOMES_ASIDE = 20
"""Areas of homes stand in a square of so many a side, 0.02 degrees apart; people share them."""
SPACING_DEG = 0.02
HOME_RADIUS_M = 400
WEST, SOUTH = 119.0, 31.0
ELSEWHERE_DEG = 0.01
"""Half-way to the next home: 1 km from both."""
EDGE_GRACE_S = 1


@dataclass(frozen=True, slots=True)
class CurfewTown:
    """The town. `lon_lat` float64[subjects, 2]: where each of its people is; every tenth is not at home."""

    registry: Path
    subjects: list[str]
    lon_lat: Floats
    edge_grace_s: int = EDGE_GRACE_S

    def line(self, subject: int, time_ms: int) -> bytes:
        """A fix of one of them, as a JSON line."""
        lon, lat = self.lon_lat[subject].tolist()
        return orjson.dumps({"subject": self.subjects[subject], "time": time_ms, "lon": lon, "lat": lat, "accuracy_m": 8.0}) + b"\n"

    def write_fixes(self, time_ms: int, path: Path) -> None:
        """A fix of everybody at the same instant."""
        with path.open("wb") as out:
            out.writelines(self.line(s, time_ms) for s in range(len(self.subjects)))


def write_curfew_town(folder: Path, subjects: int, edge_ms: int) -> CurfewTown:
    """Write its registry into `folder / "registry"`; the curfew begins at the whole minute `edge_ms` (UTC)."""
    registry = folder / "registry"
    registry.mkdir(parents=True, exist_ok=True)
    homes = HOMES_ASIDE * HOMES_ASIDE
    centre = np.column_stack([np.arange(homes) % HOMES_ASIDE, np.arange(homes) // HOMES_ASIDE]) * SPACING_DEG + (WEST, SOUTH)
    far = HOMES_ASIDE * SPACING_DEG
    ring = [[WEST - 1, SOUTH - 1], [WEST + far + 1, SOUTH - 1], [WEST + far + 1, SOUTH + far + 1], [WEST - 1, SOUTH + far + 1]]
    region = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    _write_features(registry / "regions.geojson", [({"id": "town", "timezone": "UTC"}, region)])
    _write_features(
        registry / "areas.geojson",
        [
            ({"id": f"home-{k}", "region": "town", "radius_m": HOME_RADIUS_M}, {"type": "Point", "coordinates": at})
            for k, at in enumerate(centre.round(6).tolist())
        ],
    )
    names = [f"p-{s:06d}" for s in range(subjects)]
    span = {"from": datetime.fromtimestamp(edge_ms / 1000, UTC).strftime("%H:%M"), "to": "24:00"}
    with (registry / "subjects.jsonl").open("wb") as people, (registry / "rules.jsonl").open("wb") as rules:
        for s, name in enumerate(names):
            people.write(orjson.dumps({"id": name, "home_region": "town"}) + b"\n")
            curfew = {"subjects": [name], "areas": [f"home-{s % homes}"], "schedule": [span], "confirm_fixes": 1, "clear_fixes": 1}
            rules.write(orjson.dumps({"id": f"curfew-{name}", "effect": "require", **curfew}) + b"\n")
    (registry / "policy.toml").write_text(f"[policy]\nedge_grace_s = {EDGE_GRACE_S}\n", encoding="utf-8")
    lon_lat: Floats = centre[np.arange(subjects) % homes].astype(np.float64)
    lon_lat[::10, 0] += ELSEWHERE_DEG
    return CurfewTown(registry, names, lon_lat.round(6))


def _write_features(path: Path, features: Iterable[tuple[Mapping[str, object], Mapping[str, object]]]) -> None:
    shown = [{"type": "Feature", "properties": properties, "geometry": geometry} for properties, geometry in features]
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": shown}))
