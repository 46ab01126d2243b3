"""What the demo plays: a simulated morning of some hundred people, on a clock that makes it last some twenty seconds.

Its script has every story of the simulator. What the clock brings when the tracks are over (who is no longer fed falls silent) is
not part of the play: it ends `PLAY_ENDS_AFTER_MS` after the last track.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.alert_lines import Event
from pipeline.demo.moment import SHANGHAI, Notice
from pipeline.demo.scenario_clock import told_ms
from pipeline.worlds.stories import Limits
from pipeline.worlds.track_text import time_ms_of
from pipeline.worlds.world import World, make_world

SUBJECTS = 320
HOURS = 3.0
SPEED = 600.0
ROUNDS = 2
"""Each story is played by so many people."""
LEAD_MS = 5 * 60_000
"""The clock begins so long before the recording: the first records are not late because a thread had to start."""
LIMITS = Limits(silent_after_s=3_600, silent_long_after_s=1_800)
"""Of those who fall silent by script: six real seconds, then three."""
PATIENT_POLICY = f"""
# The demo's clock runs hundreds of times too fast: what is a hiccup of this machine would look like an hour of silence, or a record
# that comes hours after the edge of a rule.
[policy]
silent_after_s = 31536000
silent_long_after_s = {LIMITS.silent_long_after_s}
feed_silent_after_s = 31536000
edge_grace_s = 31536000
"""
PLAY_ENDS_AFTER_MS = 10 * 60_000

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
    return make_world(seed=seed, subjects=SUBJECTS, hours=HOURS, stories=ROUNDS, limits=LIMITS)


def of_the_play(world: World, events: Iterable[Event]) -> list[Event]:
    """The alerts that belong to the play, in their order."""
    return [event for event in events if told_ms(event["time"]) <= world.end_ms + PLAY_ENDS_AFTER_MS]


def notices_of(world: World) -> list[Notice]:
    """What happens to permits in the registry while the tracks are played, oldest first."""
    notices = []
    for permit in world.records.permits:
        begins_ms, ends_ms = told_ms(permit["from"]), told_ms(permit["until"])
        subject, areas, name = permit["subjects"][0], "+".join(permit["areas"]), permit["permit"]
        if begins_ms >= world.start_ms:
            until = datetime.fromtimestamp(ends_ms / 1000, SHANGHAI)
            notices.append(Notice(begins_ms, subject, "has a permit", f"{name}: in {areas} until {until:%H:%M}"))
        if ends_ms <= world.end_ms:
            notices.append(Notice(ends_ms, subject, "permit ends", f"{name}: in {areas}"))
    return sorted(notices, key=lambda notice: notice.at_ms)


def write_registry(world: World, folder: Path) -> None:
    """The registry of the world; at such a speed nobody counts as silent but those of whom it is scripted."""
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
