"""A simulated world: its registry, its fixes in the order of arrival or by subject, and the breaches scripted in it.

    world = make_world(seed=7, subjects=300, hours=24)
    world.write_registry(folder / "registry")
    write_jsonl(world.fixes(), folder / "fixes.jsonl")   # see track_files
    world.breaches                                       # what a judge must find, and nothing else

The same arguments give the same world, byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from pipeline.worlds.casting import STORIES, cast
from pipeline.worlds.days import DAY_MS, daily_paths, replaced
from pipeline.worlds.districts import make_districts
from pipeline.worlds.fixes import Fixes, joined, to_table
from pipeline.worlds.people import DISTRICT, make_people
from pipeline.worlds.registry_records import Records, make_records, write_lines
from pipeline.worlds.sampling import SIGMA_M, Sampler, Subjects
from pipeline.worlds.stories import Breach, Limits, Scene, Stage, Story
from pipeline.worlds.zones import make_zones

DEFAULT_START = "2026-03-02T07:00:00+08:00"
"""A Monday morning."""
STEP_S = (10, 300)
"""Shortest and longest time between two samples that the guarantees hold for."""
FIRST_YEAR, LAST_YEAR = 1991, 2099
Order = Literal["time", "subject"]


@dataclass(frozen=True, slots=True)
class World:
    """A simulated world, fixes not yet made: they are drawn as they are asked for, the same each time.

    `cast`: the story of each subject who plays in one.
    """

    subject_ids: tuple[str, ...]
    records: Records
    cast: dict[str, str]
    breaches: tuple[Breach, ...]
    start_ms: int
    end_ms: int
    step_ms: int
    sampler: Sampler

    def write_registry(self, folder: Path) -> None:
        """The registry directory of the contract, section 4."""
        self.records.write(folder)

    def write_breaches(self, path: Path) -> None:
        """The scripted breaches as JSON lines, a `Breach` each."""
        write_lines(path, (asdict(breach) for breach in self.breaches))

    def parts(self, order: Order = "time") -> Iterator[pa.Table]:
        """The fixes in parts, in memory one at a time: in the order of arrival, or by subject and then in the order of arrival."""
        subject_ids = pa.array(self.subject_ids)
        parts = _by_time(self.sampler) if order == "time" else _by_subject(self.sampler)
        for part in parts:
            yield to_table(part, subject_ids)

    def fixes(self, order: Order = "time") -> pa.Table:
        """All fixes as one table (columns: `fixes.to_table`)."""
        return pa.concat_tables(self.parts(order)).combine_chunks()

    @property
    def part_count(self) -> int:
        """Parts of `parts("time")`, for a progress bar."""
        return self.sampler.rows

    @property
    def sample_count(self) -> int:
        """Fixes to expect, within a few percent."""
        return self.sampler.count * self.sampler.ticks


def make_world(
    *,
    seed: int,
    subjects: int,
    hours: float,
    start: str = DEFAULT_START,
    step_s: int = 60,
    stories: int | None = None,
    table: tuple[Story, ...] = STORIES,
    limits: Limits | None = None,
) -> World:
    """A world of `subjects` people watched for `hours` from `start` (RFC 3339) on, a fix every `step_s` seconds.

    `stories`: how often each story of the `table` is played (see `casting.cast`), 0 for a world without a breach. `limits`: those
    of the policy under which it is judged, where they are not the shipped ones.
    Raises ValueError for arguments that make no world.
    """
    if subjects < 1 or hours <= 0 or not STEP_S[0] <= step_s <= STEP_S[1]:
        msg = f"a world needs at least one subject, more than 0 hours and a step of {STEP_S[0]} to {STEP_S[1]} seconds"
        raise ValueError(msg)
    start_ms = _parsed(start)
    step_ms = step_s * 1000
    ticks = max(int(hours * 3_600_000) // step_ms, 1)
    end_ms = start_ms + ticks * step_ms
    map_rng, people_rng, days_rng, story_rng, registry_rng, device_rng = np.random.default_rng((seed, 0)).spawn(6)

    districts = make_districts(map_rng)
    zones = make_zones(districts, map_rng)
    people = make_people(subjects, districts, zones, people_rng)
    ids = [f"p{i:07d}" for i in range(subjects)]
    stage = Stage(districts, zones, story_rng, start_ms, end_ms, step_ms, limits or Limits())
    scenes = cast(stage, ids, stories, table)
    calm_from, calm_until = np.zeros(subjects, np.int64), np.zeros(subjects, np.int64)
    for i, scene in scenes.items():
        people.district[i], people.second[i], people.roams[i], people.youth[i] = scene.district, -1, DISTRICT, scene.youth
        calm_from[i], calm_until[i] = scene.calm
    paths = replaced(daily_paths(people, start_ms, end_ms, days_rng), {i: scene.path for i, scene in scenes.items()})
    devices = Subjects(
        phase_ms=device_rng.integers(0, int(step_ms * 0.95), subjects),
        sigma_m=device_rng.uniform(*SIGMA_M, subjects),
        battery_phase_ms=device_rng.integers(0, DAY_MS, subjects),
        calm_from_ms=calm_from,
        calm_until_ms=calm_until,
    )
    scripts = {i: scene.device for i, scene in scenes.items() if scene.device is not None}
    sampler = Sampler(seed, paths, devices, start_ms, step_ms, ticks, scripts)
    records = make_records(districts, zones, people, ids, scenes, registry_rng)
    played = {ids[i]: scene.story for i, scene in sorted(scenes.items())}
    return World(tuple(ids), records, played, _breaches(scenes), start_ms, end_ms, step_ms, sampler)


def _parsed(start: str) -> int:
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not FIRST_YEAR <= moment.year < LAST_YEAR:
        msg = f"the start {start!r} is not a time such as {DEFAULT_START}"
        raise ValueError(msg)
    return int(moment.timestamp() * 1000)


def _breaches(scenes: dict[int, Scene]) -> tuple[Breach, ...]:
    return tuple(breach for _, scene in sorted(scenes.items()) for breach in scene.breaches)


def _by_time(sampler: Sampler) -> Iterator[Fixes]:
    """In the order of arrival; of two arrivals in one millisecond that of the lower subject comes first."""
    waiting: list[Fixes] = []
    for row in range(sampler.rows):
        now = joined([*waiting, *[sampler.tile(block, row) for block in range(sampler.blocks)]])
        now = now.take(np.lexsort((now.subject, now.received_ms)))
        if row + 1 == sampler.rows:
            yield now
            return
        # Nothing of the rows to come arrives before their first sample is due.
        settled = int(np.searchsorted(now.received_ms, sampler.due_ms(row + 1)))
        waiting = [now.take(slice(settled, None))]
        yield now.take(slice(0, settled))


def _by_subject(sampler: Sampler) -> Iterator[Fixes]:
    for block in range(sampler.blocks):
        fixes = joined([sampler.tile(block, row) for row in range(sampler.rows)])
        yield fixes.take(np.lexsort((fixes.received_ms, fixes.subject)))
