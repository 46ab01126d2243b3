"""The worlds that benchmarks run on: W1 and W2, with variants, made from a seed.

    world = make_bench_world(W1)
    world.write_registry(folder / "registry")
    write_parquet(world.parts(5_000_000), folder / "w1.parquet")
    write_jsonl(world.parts(5_000_000), folder / "w1.jsonl")
    write_jsonl_broken(world.parts(5_000_000), folder / "w1-broken.jsonl")   # 1 % of the lines are no fixes (`bench_broken`)
    write_jsonl(world.parts(5_000_000, "subject"), folder / "w1-by-subject.jsonl")
    breach = make_bench_world(W1, breach_share=0.2)                                # 20 % of the fixes in open breach

The fixes have the columns `subject`, `time`, `lon`, `lat`, `accuracy_m`, `speed_mps`, in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pipeline.worlds.bench_map import BenchMap, make_bench_map
from pipeline.worlds.bench_people import BenchPeople, Ints, make_bench_people
from pipeline.worlds.bench_registry import subject_names, write_bench_registry
from pipeline.worlds.plane import Floats, Plane
from pipeline.worlds.track_text import arrow

START_MS = 1_772_438_400_000
"""2026-03-02T08:00:00Z, a Monday."""
MINUTE_MS = 60_000
ROWS_A_PART = 200_000
DEGREE_PARTS = 1e7
"""Coordinates have seven decimals."""


@dataclass(frozen=True, slots=True)
class BenchSpec:
    """The size of a benchmark world. A district has `4 * edge_pieces * 2 ** halvings` vertices."""

    name: str
    plane: Plane
    columns: int
    rows: int
    edge_pieces: int
    halvings: int
    circles: int
    zones: int
    subjects: int


W1 = BenchSpec("w1", Plane(119.5, 31.4), 10, 5, 11, 5, 2_000, 20, 200_000)
"""50 districts of 1,408 vertices, 2,000 circles, 200k subjects."""
W2 = BenchSpec("w2", Plane(117.0, 31.4), 25, 20, 12, 6, 50_000, 200, 1_000_000)
"""500 districts of 3,072 vertices, 50k circles, a million subjects."""


@dataclass(frozen=True, slots=True)
class BenchWorld:
    """A benchmark world; its fixes are drawn as they are asked for, the same each time."""

    spec: BenchSpec
    seed: int
    map: BenchMap
    people: BenchPeople

    def write_registry(self, folder: Path) -> None:
        """The registry directory of the contract, section 4."""
        write_bench_registry(self.map, self.people, folder)

    def parts(self, count: int, order: Literal["time", "subject"] = "time") -> Iterator[pa.Table]:
        """`count` fixes in parts of some 200,000, in the order of time or (all held in memory) stably sorted by subject."""
        names = subject_names(len(self.people.phase))
        if order == "time":
            yield from self._by_time(count, names)
        else:
            whole = pa.concat_tables(self._by_time(count, names)).combine_chunks()
            chunks: list[Any] = whole["subject"].chunks
            codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
            whole = whole.take(np.argsort(codes, kind="stable"))
            yield from (whole.slice(first, ROWS_A_PART) for first in range(0, count, ROWS_A_PART))

    def fixes(self, count: int, order: Literal["time", "subject"] = "time") -> pa.Table:
        """`count` fixes as one table."""
        return pa.concat_tables(self.parts(count, order)).combine_chunks()

    def _by_time(self, count: int, names: pa.StringArray) -> Iterator[pa.Table]:
        minute, made, waiting, rows = 0, 0, [], 0
        while made < count:
            table = self._minute(minute, names)
            table = table.slice(0, count - made)
            minute, made, rows = minute + 1, made + len(table), rows + len(table)
            waiting.append(table)
            if rows >= ROWS_A_PART or made == count:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting, rows = [], 0

    def _minute(self, minute: int, names: pa.StringArray) -> pa.Table:
        """Who is due in this minute, in random order, evenly spread over it."""
        rng = np.random.default_rng((self.seed, 9, minute))
        people = self.people
        turn = np.arange(len(people.phase)) % people.every_min
        who = rng.permutation(np.flatnonzero(turn == minute % people.every_min))
        time_ms = START_MS + minute * MINUTE_MS + np.sort(rng.integers(0, MINUTE_MS, len(who)))

        seconds = (time_ms - START_MS) / 1000
        turns = (people.phase[who] + seconds / people.period_s[who]) % 1.0
        swing = 1 - 4 * np.abs(turns - 0.5)
        sigma_m = people.sigma_m[who, None]
        xy = people.anchor[who] + people.reach[who] * swing[:, None] + rng.standard_normal((len(who), 2)) * sigma_m
        lon_lat = np.rint(self.map.plane.to_degrees(xy) * DEGREE_PARTS) / DEGREE_PARTS
        accuracy_m = np.rint(sigma_m[:, 0] * rng.uniform(0.9, 1.6, len(who)) * 100) / 100
        own_mps = 4 * np.hypot(*people.reach[who].T) / people.period_s[who]
        speed_mps = np.rint(np.abs(own_mps + rng.normal(0, 0.2, len(who))) * 100) / 100
        return _table(who, names, time_ms, lon_lat[:, 0], lon_lat[:, 1], accuracy_m, speed_mps)


def make_bench_world(spec: BenchSpec, seed: int = 1, breach_share: float = 0.07) -> BenchWorld:
    """A world of this size; `breach_share` of its fixes are of people who are outside their areas all the time."""
    map_rng, people_rng = np.random.default_rng((seed, 8)).spawn(2)
    the_map = make_bench_map(
        spec.plane, spec.columns, spec.rows, spec.edge_pieces, spec.halvings, spec.circles, spec.zones, map_rng
    )
    return BenchWorld(spec, seed, the_map, make_bench_people(the_map, spec.subjects, breach_share, people_rng))


def _table(
    who: Ints, names: pa.StringArray, time_ms: Ints, lon: Floats, lat: Floats, accuracy_m: Floats, speed_mps: Floats
) -> pa.Table:
    times = arrow.array(time_ms.view("datetime64[ms]")).cast(arrow.timestamp("ms", "UTC"))
    subject = arrow.DictionaryArray.from_arrays(arrow.array(who.astype(np.int32)), names)
    columns = {"subject": subject, "time": times, "lon": lon, "lat": lat, "accuracy_m": accuracy_m, "speed_mps": speed_mps}
    table: pa.Table = arrow.table(columns)
    return table
