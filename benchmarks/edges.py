"""What time itself costs: schedules on every subject, the clock's ticks, and a curfew that begins for everybody in one second.

    python -m benchmarks.edges [--quick] [--only schedules ticks curfew live]

- schedules: W1 as it is, and with a schedule and a time-limited permit on every subject, six edges each in the replayed span; both
  are judged in turn, the same fixes, from the decoded batch to the alerts.
- ticks: a million people who report once a minute, ten clock marks a second, nothing due.
- curfew: 100,000 people whose curfew begins in the same second, 10,000 of them elsewhere: from the mark to encoded alerts.
- live: the same before a running daemon while 5,000 fixes a second flow: from a fix to its alert in the stream, in the ten seconds
  around the curfew, and how long its last alert takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import orjson

from benchmarks.edges_live import live
from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.due import bring_mark
from operators.state import State
from pipeline.episodes import Shard
from pipeline.items import Chunk, ClockMark
from pipeline.judging import Judging, rule_set_of
from pipeline.sources.files import FileOptions, FileStream
from pipeline.totals import Totals
from pipeline.worlds.bench_worlds import START_MS, W1, make_bench_world
from pipeline.worlds.curfew_town import write_curfew_town
from pipeline.worlds.track_files import write_parquet
from sinks.alert_json import encode_alert

TIMEZONE = ZoneInfo("Asia/Shanghai")
WINDOWS = 3
"""Windows of the schedule within the replayed span: twice as many edges."""


def schedules(fixes: int, rounds: int) -> None:
    """W1 without and with a schedule and a permit on everybody."""
    with TemporaryDirectory(prefix="fencewatch-bench-") as folder:
        plain, timed, tracks = Path(folder, "plain"), Path(folder, "timed"), Path(folder, "w1.parquet")
        world = make_bench_world(W1)
        write_parquet(world.parts(fixes), tracks)
        world.write_registry(plain)
        world.write_registry(timed)
        _with_windows(timed / "rules.jsonl", _span_s(tracks))
        sets = {name: FenceSet(load_registry(path)[0]) for name, path in (("without", plain), ("with", timed))}
        spent: dict[str, list[float]] = {name: [] for name in sets}
        alerts = {}
        for number in range(rounds + 1):
            for name, fence_set in sets.items():
                ns, alerts[name] = _judge_all(fence_set, tracks)
                if number:  # the first round compiles and fills the grids
                    spent[name].append(ns)
    middle = {name: statistics.median(values) for name, values in spent.items()}
    print(
        f"schedules: {middle['with']:.0f} ns a fix with, {middle['without']:.0f} without (accept, judge, episodes; "
        f"{fixes:,} fixes, {alerts['with']:,} and {alerts['without']:,} alerts): {middle['with'] / middle['without']:.2f} times"
    )


def _span_s(tracks: Path) -> float:
    last = 0
    for chunk in FileStream([str(tracks)], FileOptions()):
        last = int(chunk.decode().time_ms[-1])
    return (last - START_MS) / 1000


def _with_windows(path: Path, span_s: float) -> None:
    """Each rule holds in the odd parts of the span by its schedule; a permit of the same areas holds in the even ones and ends."""
    parts = 2 * WINDOWS + 1
    start = datetime.fromtimestamp(START_MS / 1000, TIMEZONE)
    times = [(start + timedelta(minutes=round(k * span_s / parts / 60))).strftime("%H:%M") for k in range(1, parts)]
    bounds = ["00:00", *times, "24:00"]
    spans = [{"from": a, "to": b} for a, b in pairwise(bounds)]
    until = (start + timedelta(days=2)).isoformat()
    lines = path.read_bytes().splitlines()
    with path.open("wb") as out:
        for line in lines:
            rule = orjson.loads(line)
            permit = {**rule, "id": f"p-{rule['id']}", "schedule": spans[1::2], "timezone": TIMEZONE.key, "until": until}
            rule = {**rule, "schedule": spans[0::2], "timezone": TIMEZONE.key}
            out.write(orjson.dumps(rule) + b"\n" + orjson.dumps(permit) + b"\n")


def _judge_all(fence_set: FenceSet, tracks: Path) -> tuple[float, int]:
    """Processor nanoseconds a fix of judging a file, decoding left out, and the alerts it made."""
    judging = Judging(rule_set_of(fence_set, 1), 1, keep_dead_letters=False)
    shard, spent, fixes, alerts = Shard(fence_set, Totals()), 0, 0, 0
    for chunk in FileStream([str(tracks)], FileOptions()):
        batch = chunk.decode()
        fixes += len(batch)
        began = time.thread_time_ns()
        for _, item in judging(Chunk(chunk.source, lambda batch=batch: batch)):  # type: ignore[misc]
            alerts += len(shard.take(item).alerts)
        spent += time.thread_time_ns() - began
    return spent / fixes, alerts


def ticks(subjects: int, seconds: int) -> None:
    """Clock marks over people who report once a minute; what the marks alone take."""
    with TemporaryDirectory(prefix="fencewatch-bench-") as folder:
        town = write_curfew_town(Path(folder), 1_000, START_MS)
        fences = FenceSet(load_registry(town.registry)[0]).fences
    # A state of a million: the small registry's rows, repeated, so that only the state is large.
    fences = fences._replace(
        subject=np.resize(fences.subject, subjects), silent_after_ms=np.resize(fences.silent_after_ms, subjects)
    )
    state = State(subjects, [])
    row = state.memory.row
    row["silent_after_ms"] = fences.silent_after_ms
    phase = np.random.default_rng(1).integers(0, 60_000, subjects)
    row["arrival_ms"] = row["last_ms"] = START_MS - phase
    by_second = np.argsort(phase % 60_000, kind="stable")
    turn = np.searchsorted(phase[by_second], np.arange(0, 60_001, 1_000))
    spent = 0
    bring_mark(fences, state, START_MS)  # compiles
    for second in range(seconds):
        now = START_MS + second * 1_000
        heard = by_second[turn[second % 60] : turn[second % 60 + 1]]
        row["arrival_ms"][heard] = row["last_ms"][heard] = now
        began = time.thread_time_ns()
        for tenth in range(10):
            events = bring_mark(fences, state, now + 100 * tenth)
            assert events is None or not events.used[0]
        spent += time.thread_time_ns() - began
    print(f"ticks: {subjects:,} people, ten marks a second, nothing due: {spent / 1e7 / seconds:.3f} % of a core")


def curfew(subjects: int) -> None:
    """A curfew that begins for all at once, a tenth of them elsewhere."""
    with TemporaryDirectory(prefix="fencewatch-bench-") as folder:
        edge_ms = START_MS + 3_600_000
        town = write_curfew_town(Path(folder), subjects, edge_ms)
        fence_set = FenceSet(load_registry(town.registry)[0])
        seconds = []
        for _ in range(4):
            judging, shard = Judging(rule_set_of(fence_set, 1), 1), Shard(fence_set, Totals())
            town.write_fixes(edge_ms - 60_000, Path(folder, "before.jsonl"))
            for chunk in FileStream([str(Path(folder, "before.jsonl"))], FileOptions()):
                for _, item in judging(chunk):
                    shard.take(item)
            began = time.perf_counter()
            mark = edge_ms + 1_000 * town.edge_grace_s
            alerts = shard.take(ClockMark("gps", mark, mark)).alerts
            encoded = [encode_alert(alert, "bench") for alert in alerts]
            seconds.append(time.perf_counter() - began)
            assert len(encoded) == subjects // 10, f"{len(encoded)} alerts"
    print(
        f"curfew: {subjects:,} people judged at one edge, {subjects // 10:,} alerts made and encoded in "
        f"{statistics.median(seconds[1:]):.2f} s"
    )


def main() -> None:
    """Run what was asked for, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it runs")
    parser.add_argument("--only", nargs="*", default=[], choices=["schedules", "ticks", "curfew", "live"])
    options = parser.parse_args()
    part = 10 if options.quick else 1
    runs = {
        "schedules": lambda: schedules(5_000_000 // part, 1 if options.quick else 3),
        "ticks": lambda: ticks(1_000_000 // part, 3_600 // part),
        "curfew": lambda: curfew(100_000 // part),
        "live": lambda: live(100_000 // part, 5_000),
    }
    for name in options.only or runs:
        runs[name]()


if __name__ == "__main__":
    main()
