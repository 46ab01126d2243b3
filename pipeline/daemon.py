"""The daemon: live streams through the dataflow, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sdnotify
import structlog
import typer

from fences.fence_set import FenceSet
from operators.feeds import KIND as FEED_SILENT
from operators.state import KINDS
from pipeline.configuration import Configuration
from pipeline.delivery import Delivery
from pipeline.embedded_redis import EmbeddedRedis
from pipeline.engine import ShardLogic, Sink, Source
from pipeline.episodes import Shard, open_by_kind
from pipeline.explain.from_daemon import Answerer
from pipeline.flow import build_flow
from pipeline.health import Health, serve
from pipeline.items import ClockMark
from pipeline.judging import Judging, rule_set_of
from pipeline.registry_loading import load_fence_set
from pipeline.runner import Run
from pipeline.sources.configured import servers_of
from pipeline.sources.redis_streams import RedisStreams
from pipeline.state_folder import StateFolder
from pipeline.totals import Totals
from pipeline.wall_clock import WallClock
from pipeline.warm_up import warm_up
from sinks.dead_letters import DeadLetterStream
from sinks.lane_sign import LaneSign
from sinks.metrics import Metrics
from sinks.redis_alerts import RedisAlerts
from sinks.redis_connection import connect, place_of
from sinks.redis_names import RedisNames

log = structlog.get_logger()

LANE = "0"
EPOCH = timedelta(seconds=10)
"""Every so often position and state are saved together; so much is judged again after a crash."""
SIGN_EVERY_S = 1.0


class LaneClock:
    """The lane's clock from the marks of its partitions, and the sign of life that carries it."""

    def __init__(self, sign: LaneSign, clock: WallClock, rules_version: str, metrics: Metrics, health: Health) -> None:
        self._sign, self._clock, self._version, self._metrics, self._health = sign, clock, rules_version, metrics, health
        self._marks: dict[str, int] = {}
        self._least_ms = 0
        self._signed_at = 0.0
        self._wall = time.time()
        self._steady = time.monotonic()

    def marks(self, marks: list[ClockMark]) -> None:
        """Marks have come through the whole flow."""
        for mark in marks:
            if mark.partition is not None:
                self._marks[mark.partition] = max(mark.time_ms, self._marks.get(mark.partition, mark.time_ms))
            self._least_ms = mark.time_ms if mark.least_ms is None else mark.least_ms
        self._health.beat()
        if time.monotonic() - self._signed_at < SIGN_EVERY_S:
            return
        self._signed_at = time.monotonic()
        self._watch_wall()
        now, least = self._clock.now_ms(), self._least_ms
        for partition, at in self._marks.items():
            self._metrics.source_lag(partition, max(0.0, (now - at) / 1000))
        self._metrics.clock(least)
        self._sign.renew(now, least, max(0.0, round((now - least) / 1000, 3)), self._version)

    def _watch_wall(self) -> None:
        wall, steady = time.time(), time.monotonic()
        back = (steady - self._steady) - (wall - self._wall)
        if back > 1.0:
            log.error("the wall clock went backwards", seconds=round(back, 3))
            self._metrics.wall_clock_stepped_back(back)
        self._wall, self._steady = wall, steady


def run_daemon(configuration: Configuration) -> None:
    """Run until a stop signal. Raises FencewatchError; SystemExit(78) for a wrong registry."""
    folder = StateFolder(configuration.state_dir)
    notifier = sdnotify.SystemdNotifier()
    fence_set = load_fence_set(configuration.registry)
    folder.keep_ids(fence_set.registry)
    deployment = folder.remember("deployment", configuration.deployment)
    if deployment != configuration.deployment:
        log.warning("the state folder belongs to another deployment; alerts keep its name", deployment=deployment)
    rules = rule_set_of(fence_set, 1)
    warm_up(rules)
    # The demo's clock begins when records can be judged, not when the process began to load.
    clock = WallClock() if configuration.clock is None else WallClock(configuration.clock.start_ms, configuration.clock.speed)
    metrics, health, totals, run = Metrics(), Health(), Totals(), Run.heard()
    metrics.build(version("fencewatch"))
    metrics.rules(fence_set.version)
    shards: list[Shard] = []

    def build_shard(snapshot: Any) -> ShardLogic:  # noqa: ANN401 - Bytewax's form
        shards.append(Shard(fence_set, totals, snapshot, folder.ids, metrics, [source.name for source in configuration.sources]))
        return ShardLogic(shards[-1], run, saved=True)

    with _redis(configuration) as (url, password_file):
        client = connect(url, password_file=password_file)
        names = RedisNames(configuration.redis.prefix)
        sign = LaneSign(client, names, LANE)
        lane = LaneClock(sign, clock, fence_set.version, metrics, health)

        def on_redis(up: bool, reason: str = "") -> None:  # noqa: FBT001 - the sinks' form
            metrics.redis(up, reason)
            health.not_ready("redis", None if up else f"redis takes no writes: {reason}")

        delivery = Delivery(deployment, totals, metrics=metrics, now_ms=clock.now_ms, on_marks=lane.marks)
        delivery.redis = RedisAlerts(
            client,
            names,
            configuration.redis.keep_days,
            deployment,
            float("inf"),
            on_state=on_redis,
            stop=run.stop,
            regions=fence_set.registry.area_ids[: fence_set.region_count],
        )
        delivery.dead_letters.append(DeadLetterStream(client, names, float("inf"), on_state=on_redis, stop=run.stop))
        on_redis(up=True)

        def open_reader(position: dict[tuple[str, str], bytes] | None) -> RedisStreams:
            return RedisStreams(
                servers_of(configuration, url),
                clock,
                position,
                lambda away: health.not_ready("source", "a source cannot be read" if away else None),
                lambda: judging.rules.fence_set.registry.policy.feed_silent_after_s * 1000,
            )

        judging = Judging(rules, 1, timer=metrics.stage)
        flow = build_flow(Source(open_reader, run), run.guard(judging), build_shard, Sink(lambda: delivery, run))
        server = serve(
            configuration.http.host_and_port,
            metrics,
            health,
            lambda: _measure(metrics, fence_set, shards),
            Answerer(folder.path, lambda subject: shards[0].facts(subject, clock.now_ms()) if shards else None),
        )
        log.info(
            "watching",
            deployment=deployment,
            redis=place_of(client),
            prefix=names.prefix,
            rules_version=fence_set.version,
            subjects=len(fence_set.registry.subject_ids),
            http=configuration.http.listen,
        )
        notifier.notify("READY=1")
        try:
            run.go(flow, workers=1, epoch=EPOCH, recovery=folder.recovery())
        finally:
            notifier.notify("STOPPING=1")
            server.shutdown()
            sign.end()
            folder.close()
        log.info("stopped; position and state are saved", fixes_read=totals.fixes_read)


def _measure(metrics: Metrics, fence_set: FenceSet, shards: list[Shard]) -> None:
    """What is asked for only when somebody looks."""
    opened = [open_by_kind(shard.state) for shard in shards]
    feeds = {name: silent for shard in shards for name, silent in shard.feeds.silent().items()}
    by_kind = {name: sum(o[k] for o in opened) for k, name in enumerate(KINDS)}
    metrics.open_episodes({**by_kind, FEED_SILENT: sum(feeds.values())})
    metrics.sources_silent(feeds)
    heard = sum(int((shard.state.memory.row["arrival_ms"] > 0).sum()) for shard in shards)
    registered = len(fence_set.registry.subject_ids)
    metrics.subjects(registered, registered - heard)


@contextmanager
def _redis(configuration: Configuration) -> Iterator[tuple[str, Path | None]]:
    """The server's URL and password file; an embedded one where none is named."""
    if configuration.redis.url is not None:
        yield configuration.redis.url, configuration.redis.password_file
        return
    with EmbeddedRedis(configuration.state_dir / "redis") as server:
        typer.echo(f"embedded Redis: {server.url}", err=True)
        yield server.url, None
