"""The program itself as a contender: the whole replay, from a file's bytes to alerts in Redis, rasters and all."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measured import Measured, Watch
from fences.fence_set import FenceSet
from fences.registry import Registry
from pipeline.daemon import EPOCH
from pipeline.delivery import Delivery
from pipeline.delivery_thread import DeliveryThread
from pipeline.engine import ShardLogic, Sink, Source
from pipeline.episodes import Shard
from pipeline.flow import build_flow
from pipeline.items import ClockMark
from pipeline.judging import Judging, rule_set_of
from pipeline.replay import ReplayOptions, run_replay
from pipeline.runner import Run
from pipeline.sources.files import FileOptions, FileStream
from pipeline.sources.redis_streams import Position, RedisStreams, Server
from pipeline.state_folder import StateFolder
from pipeline.totals import Totals
from pipeline.wall_clock import WallClock
from sinks.redis_alerts import RedisAlerts
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames

STAGES = ("read", "decode", "accept", "judge", "episodes", "deliver")
KEEP_DAYS = 30


def replay(registry: Registry, path: Path, url: str, prefix: str) -> Measured:
    """Compile the registry (rasters, bindings, directory of subjects) and replay a file with one worker; all of it is measured."""
    gc.collect()  # what the run before has left is not this one's memory
    watch = Watch()
    fence_set = FenceSet(registry)
    report = run_replay(ReplayOptions([str(path)], FileOptions(), redis=url, prefix=prefix), fence_set).report
    told = sum(sum(changes.values()) for changes in report["alerts"].values())
    measured = watch.read(report["fixes_read"], told)
    measured.alert_ids = _ids(url, prefix) if told else []
    return measured


def live(registry: Registry, source: str, stream: str, fixes: int, url: str, prefix: str) -> Measured:
    """Judge what a Redis stream holds as the daemon does, saving as it saves; ends when so many fixes were read."""
    gc.collect()
    watch, totals, run = Watch(), Totals(), Run()
    fence_set, client = FenceSet(registry), connect(url)
    sink = RedisAlerts(client, RedisNames(prefix), KEEP_DAYS, "bench")
    with TemporaryDirectory(prefix="fencewatch-bench-") as directory:
        folder = StateFolder(Path(directory))
        judging = Judging(rule_set_of(fence_set, 1), 1)

        def open_reader(position: Position | None) -> RedisStreams:
            return RedisStreams([Server(connect(source), [("bench", stream)])], WallClock(), position, lambda _away: None)

        def delivered(_marks: list[ClockMark]) -> None:
            if totals.fixes_read >= fixes:
                run.stop.set()

        flow = build_flow(
            Source(open_reader, run),
            run.guard(judging),
            lambda snapshot: ShardLogic(Shard(fence_set, totals, snapshot, folder.ids), run, saved=True),
            Sink(lambda: DeliveryThread(Delivery("bench", totals, redis=sink, on_marks=delivered)), run),
        )
        run.go(flow, workers=1, epoch=EPOCH, recovery=folder.recovery())
        told = sum(sum(changes.values()) for changes in totals.alerts.values())
        measured = watch.read(totals.fixes_read, told)
        folder.close()
    measured.alert_ids = _ids(url, prefix) if told else []
    return measured


def _ids(url: str, prefix: str) -> list[str]:
    """The ids of all alerts in the stream."""
    client: Any = connect(url)
    entries = client.xrange(RedisNames(prefix).alerts)
    client.close()
    return [fields[b"id"].decode() for _, fields in entries]


def stages(registry: Registry, path: Path, url: str, prefix: str) -> dict[str, float]:
    """Processor nanoseconds a fix of each stage, called one after another without the dataflow around them."""
    fence_set, totals, spent = FenceSet(registry), Totals(), dict.fromkeys(STAGES, 0)
    client: Any = connect(url)
    delivery = Delivery("stages", totals, redis=RedisAlerts(client, RedisNames(prefix), KEEP_DAYS, "stages"))
    last = time.thread_time_ns()

    def ended(stage: str, _seconds: float = 0.0) -> None:
        """Whatever was done since the last call belongs to this stage."""
        nonlocal last
        now = time.thread_time_ns()
        spent[stage] += now - last
        last = now

    judging = Judging(rule_set_of(fence_set, 1), 1, keep_dead_letters=False, timer=ended)
    shard = Shard(fence_set, totals)
    last = time.thread_time_ns()
    for chunk in FileStream([str(path)], FileOptions()):
        ended("read")
        judged = judging(chunk)
        ended("judge")
        outgoing = [shard.take(item) for _, item in judged]
        ended("episodes")
        delivery.deliver(outgoing)
        ended("deliver")
    client.close()
    return {stage: ns / totals.fixes_read for stage, ns in spent.items()}
