"""The thinnest path from Parquet to a null sink, measured before anything else was built on it: ids, judge, step.

    python -m benchmarks.thinnest

Prints nanoseconds a fix for each stage at batches of 4k and 16k, with 1 and 8 shards, with 0, 7 and 20 % of the rows in breach,
sorted by time and by subject. What it decided stands in docs/performance.md.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from fences.fence_set import FenceSet
from fences.registry import FOR_EVER, FROM_EVER, Lists, Policy, Registry, RulePolicy
from operators.acceptance import Accepted
from operators.decode.arrow_columns import decode_record_batch
from operators.judge import judge
from operators.state import State
from operators.step import step
from operators.subject_directory import SubjectDirectory

ORDERS, BATCHES, SHARDS = ("time", "subject"), (4096, 16384), (1, 8)
SHARES = (0.0, 0.07, 0.2)
SUBJECTS, DISTRICTS, CIRCLES = 200_000, 50, 2_000


def _policy(n: int, confirm: int) -> RulePolicy:
    return RulePolicy(
        np.full(n, confirm, np.int32), np.zeros(n, np.int64), np.full(n, 2, np.int32), np.full(n, 30.0), np.ones(n),
        np.zeros(n, np.uint8),
    )  # fmt: skip


def world(rng: np.random.Generator) -> tuple[Registry, NDArray[np.float64]]:
    """A registry like W1 without zones, and the centres of its areas (float64[n, 2], degrees)."""
    angle = np.linspace(0, 2 * np.pi, 1400, endpoint=False)
    shapes: list[shapely.Polygon] = []
    centres = rng.uniform((118, 29), (123, 34), (DISTRICTS + CIRCLES, 2))
    for x, y in centres[:DISTRICTS].tolist():
        r = 0.3 * (0.85 + 0.15 * rng.random(len(angle)))
        shapes.append(shapely.Polygon(np.column_stack([x + r * np.cos(angle), y + r * np.sin(angle)])))
    shapes += [shapely.Point(x, y).buffer(0.02, quad_segs=16) for x, y in centres[DISTRICTS:].tolist()]
    n_rules = SUBJECTS
    first = rng.integers(0, DISTRICTS, n_rules)
    two = rng.random(n_rules) < 0.8
    areas = np.where(np.arange(2 * n_rules) % 2 == 0, np.repeat(first, 2), rng.integers(DISTRICTS, len(shapes), 2 * n_rules))
    keep = (np.arange(2 * n_rules) % 2 == 0) | np.repeat(two, 2)
    none = Lists(np.zeros(n_rules + 1, np.int64), np.empty(0, np.int32))
    ids = tuple(f"s{i:07d}" for i in range(SUBJECTS))
    registry = Registry(
        "0" * 12, Policy(), _policy(3, 2), tuple(f"a{i}" for i in range(len(shapes))), np.array(shapes, object), 0, (), ids,
        np.full(SUBJECTS, -1, np.int32), Lists(np.zeros(SUBJECTS + 1, np.int64), np.empty(0, np.int32)),
        np.full(SUBJECTS, np.nan), (),
        tuple(f"r{i}" for i in range(n_rules)), np.zeros(n_rules, np.uint8), np.zeros(n_rules, bool),
        Lists(np.arange(n_rules + 1), np.arange(n_rules, dtype=np.int32)), none,
        Lists(np.concatenate([[0], np.cumsum(1 + two)]), areas[keep].astype(np.int32)),
        np.full(n_rules, FROM_EVER), np.full(n_rules, FOR_EVER), (None,) * n_rules, (None,) * n_rules, _policy(n_rules, 2),
    )  # fmt: skip
    return registry, centres[first]


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(7)
    registry, centre = world(rng)
    fence_set = FenceSet(registry)
    directory = SubjectDirectory(registry.subject_ids)
    n = 2_000_000
    print(f"{SUBJECTS:,} subjects, {n:,} fixes; ns a fix, median of 3")
    print("breach order   batch shards | parquet  ids judge  step  sum")
    with TemporaryDirectory() as folder:
        for share in SHARES:
            for order in ORDERS:
                subject = np.concatenate([rng.permutation(SUBJECTS) for _ in range(n // SUBJECTS)])
                t = np.repeat(np.arange(n // SUBJECTS), SUBJECTS) * 60_000 + 1_772_000_000_000
                if order == "subject":
                    by = np.argsort(subject, kind="stable")
                    subject, t = subject[by], t[by]
                out_of = rng.random(SUBJECTS) < share
                at = rng.uniform(-0.1, 0.1, (SUBJECTS, 2)) + 0.5 * rng.choice((-1, 1), (SUBJECTS, 2)) * out_of[:, None]
                xy = centre[subject] + at[subject] + rng.normal(0, 1e-4, (n, 2))
                path = Path(folder) / f"{share}-{order}.parquet"
                names = pa.array(registry.subject_ids).take(pa.array(subject))
                pq.write_table(
                    pa.table({"subject": names, "time": t, "lon": xy[:, 0], "lat": xy[:, 1]}), path, use_dictionary=False
                )
                for batch in BATCHES:
                    for shards in SHARDS:
                        runs = [_run(path, fence_set, directory, batch, shards) for _ in range(3)]
                        cost = np.median(np.array(runs), axis=0) / n
                        text = " ".join(f"{c:5.0f}" for c in cost)
                        print(f"{share:5.0%}  {order:8}{batch:6} {shards:5}  |   {text} {cost.sum():5.0f}", flush=True)


def accepted(
    n: int, t: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], accuracy: NDArray[np.float64]
) -> Accepted:
    """Columns as acceptance would make them."""
    nothing, silent = np.full(n, np.nan), np.full(n, -1, np.int8)
    return Accepted(
        np.zeros(n, np.uint8), np.zeros(n, np.int32), t, x, y, accuracy, nothing, nothing, nothing, silent, silent, silent, t,
        np.zeros(9, np.int64),
    )  # fmt: skip


def _run(path: Path, fence_set: FenceSet, directory: SubjectDirectory, size: int, shards: int) -> list[int]:
    states = [State(len(directory), []) for _ in range(shards)]
    spent = [0, 0, 0, 0]
    clock = time.perf_counter_ns
    for table in pq.ParquetFile(path).iter_batches(batch_size=size):
        marks = [clock()]
        batch = decode_record_batch(table)
        t, x, y = batch.time_ms, batch.lon, batch.lat
        marks.append(clock())
        subject = directory.rows(batch.ids, batch.id_start, batch.id_len)
        marks.append(clock())
        fences = fence_set.fences_for(x, y)
        verdicts = judge(fences, subject, t, x, y, batch.accuracy_m)
        marks.append(clock())
        fixes = accepted(len(t), t, x, y, batch.accuracy_m)
        for k, state in enumerate(states):
            rows = np.nonzero(subject % shards == k)[0] if shards > 1 else np.arange(len(t))
            step(fences, state, verdicts, rows, subject, fixes)
        marks.append(clock())
        for k, (a, b) in enumerate(pairwise(marks)):
            spent[k] += b - a
    return spent


if __name__ == "__main__":
    main()
