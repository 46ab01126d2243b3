"""What the demo plays: a simulated morning of some hundred people, on a clock that makes it last some twenty seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.worlds.track_text import time_ms_of
from pipeline.worlds.world import World, make_world

SUBJECTS = 320
HOURS = 3.0
SPEED = 600.0
ROUNDS = 2
"""Each story is played by so many people."""
LEAD_MS = 5 * 60_000
"""The clock begins so long before the recording: the first records are not late because a thread had to start."""
PATIENT_POLICY = """
# The demo's clock runs hundreds of times too fast: what is a hiccup of this machine would look like an hour of silence.
[policy]
silent_after_s = 31536000
feed_silent_after_s = 31536000
"""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tracks:
    """Fixes in the order of arrival: the table that is fed, and of each fix its arrival (UTC ms), subject (index) and place."""

    table: pa.Table
    received_ms: Ints
    subject: Ints
    lon_lat: NDArray[np.float64]
    subject_ids: tuple[str, ...]

    def __len__(self) -> int:
        """How many fixes."""
        return len(self.received_ms)


def demo_world(seed: int) -> World:
    """The world of a seed."""
    return make_world(seed=seed, subjects=SUBJECTS, hours=HOURS, stories=ROUNDS)


def write_registry(world: World, folder: Path) -> None:
    """The registry of the world; nobody counts as silent at such a speed."""
    world.write_registry(folder)
    policy = folder / "policy.toml"
    _, comment, shipped = policy.read_text(encoding="utf-8").partition("[policy]\n")
    policy.write_text(PATIENT_POLICY.lstrip() + (shipped if comment else ""), encoding="utf-8")


def tracks_of(world: World) -> Tracks:
    """All fixes of the world."""
    table = world.fixes()
    column: Any = table["subject"].combine_chunks()
    codes = column.indices.to_numpy().astype(np.int64)
    # Plain text in the payload: nobody else's tracks come with a dictionary.
    table = table.set_column(0, "subject", column.cast(pa.string()))
    lon_lat = np.column_stack([table["lon"].to_numpy(), table["lat"].to_numpy()])
    return Tracks(table, time_ms_of(table["received"]), codes, lon_lat, world.subject_ids)


def regions_of(world: World) -> dict[str, BaseGeometry]:
    """Each region's shape in degrees, by id."""
    return {feature["properties"]["id"]: _shape(feature["geometry"]) for feature in world.records.regions}


def forbidden_places(world: World) -> NDArray[np.float64]:
    """Longitude and latitude, shape (n, 2), of the middle of each place that a group or everybody must not enter."""
    rules = [rule for rule in world.records.rules if rule["effect"] == "forbid" and "subjects" not in rule]
    wanted = {area for rule in rules for area in rule["areas"]}
    shapes = [_shape(feature["geometry"]) for feature in world.records.areas if feature["properties"]["id"] in wanted]
    return shapely.get_coordinates(shapely.centroid(shapes))


def _shape(geometry: dict[str, object]) -> BaseGeometry:
    return shapely.from_geojson(orjson.dumps(geometry))
