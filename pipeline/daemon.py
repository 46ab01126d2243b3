"""The daemon: live streams through the dataflow, until it is told to stop."""

from __future__ import annotations

import signal
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
from fences.problems import WrongRegistryError, describe
from operators.feeds import KIND as FEED_SILENT
from operators.state import KINDS
from pipeline.configuration import Configuration
from pipeline.delivery import Delivery
from pipeline.delivery_thread import DeliveryThread
from pipeline.embedded_redis import EmbeddedRedis
from pipeline.engine import ShardLogic, Sink, Source
from pipeline.episodes import Shard, open_by_kind
from pipeline.explain.from_daemon import Answerer
from pipeline.flow import build_flow
from pipeline.health import Health, serve
from pipeline.judging import Judging
from pipeline.keeper.kept import KeptRegistries
from pipeline.keeper.link import Keeper
from pipeline.keeper.messages import Loaded, Settings
from pipeline.lane_clock import LaneClock
from pipeline.registry_loading import tell_and_exit
from pipeline.reloading import Reloading
from pipeline.runner import Run
from pipeline.saved_state import versions_done
from pipeline.sources.configured import servers_of
from pipeline.sources.redis_streams import Position, RedisStreams
from pipeline.sources.with_versions import StreamsWithVersions, VersionedPosition
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


def run_daemon(configuration: Configuration) -> None:
    """Run until a stop signal. Raises FencewatchError; SystemExit(78) for a wrong registry."""
    folder = StateFolder(configuration.state_dir)
    notifier = sdnotify.SystemdNotifier()
    recovery, kept = folder.recovery(), KeptRegistries(folder.path)
    keeper = _keeper(configuration, versions_done(folder.path))
    deployment = _deployment(folder, configuration)
    first = _first(keeper)
    rules, fence_set = first.rules, first.rules.fence_set
    warm_up(rules)
    # The demo's clock begins when records can be judged, not when the process began to load.
    clock = WallClock() if configuration.clock is None else WallClock(configuration.clock.start_ms, configuration.clock.speed)
    metrics, health, totals, run = Metrics(), Health(), Totals(), Run.heard()
    metrics.build(version("fencewatch"))
    metrics.rules(fence_set.version)
    reloading = Reloading(metrics, kept, first.number)
    shards: list[Shard] = []

    def build_shard(snapshot: Any) -> ShardLogic:  # noqa: ANN401 - Bytewax's form
        shards.append(Shard(fence_set, totals, snapshot, folder.ids, metrics, [source.name for source in configuration.sources]))
        return ShardLogic(shards[-1], run, saved=True)

    with _redis(configuration) as (url, password_file):
        client = connect(url, password_file=password_file)
        names = RedisNames(configuration.redis.prefix)
        lane = LaneClock(LaneSign(client, names, LANE), clock, fence_set.version, metrics, health)

        def on_redis(up: bool, reason: str = "") -> None:  # noqa: FBT001 - the sinks' form
            metrics.redis(up, reason)
            health.not_ready("redis", None if up else f"redis takes no writes: {reason}")

        def on_version(version: FenceSet) -> None:
            lane.rules_version = version.version
            redis_alerts.know_regions(version.registry.area_ids[: version.region_count])
            reloading.took_effect(version)

        delivery = Delivery(
            deployment, totals, metrics=metrics, now_ms=clock.now_ms, on_marks=lane.marks, on_saved=reloading.saved,
            on_version=on_version,
        )  # fmt: skip
        delivery.redis = redis_alerts = RedisAlerts(
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

        def open_streams(position: Position | None) -> RedisStreams:
            return RedisStreams(
                servers_of(configuration, url),
                clock,
                position,
                lambda away: health.not_ready("source", "a source cannot be read" if away else None),
                lambda: judging.rules.fence_set.registry.policy.feed_silent_after_s * 1000,
                metrics.entries_lost,
            )

        def open_reader(position: VersionedPosition | None) -> StreamsWithVersions:
            return StreamsWithVersions(open_streams, keeper.coming, kept, position, EPOCH.total_seconds())

        judging = Judging(rules, 1, timer=metrics.stage)
        flow = build_flow(Source(open_reader, run), run.guard(judging), build_shard, Sink(lambda: DeliveryThread(delivery), run))
        server = serve(
            configuration.http.host_and_port,
            metrics,
            health,
            lambda: _measure(metrics, shards),
            Answerer(folder.path, lambda subject: shards[0].facts(subject, clock.now_ms()) if shards else None),
        )
        log.info(
            "watching",
            deployment=deployment,
            redis=place_of(client),
            prefix=names.prefix,
            rules_version=fence_set.version,
            subjects=fence_set.subject_count,
            http=configuration.http.listen,
        )
        reloading.listen(keeper)
        notifier.notify("READY=1")
        try:
            run.go(flow, workers=1, epoch=EPOCH, recovery=recovery, while_running=keeper.let_go)
        finally:
            notifier.notify("STOPPING=1")
            keeper.close()
            server.shutdown()
            lane.end()
            folder.close()
        log.info("stopped; position and state are saved", fixes_read=totals.fixes_read)


def _deployment(folder: StateFolder, configuration: Configuration) -> str:
    """The name that stands on the alerts: the one that the state folder began with."""
    deployment = folder.remember("deployment", configuration.deployment)
    if deployment != configuration.deployment:
        log.warning("the state folder belongs to another deployment; alerts keep its name", deployment=deployment)
    return deployment


def _keeper(configuration: Configuration, in_force: int | None) -> Keeper:
    """The process that loads and watches the registry; SIGHUP has it look from now on."""
    keeper = Keeper(Settings(configuration.registry, configuration.state_dir, configuration.registry_max_drop_pct, in_force))
    signal.signal(signal.SIGHUP, lambda _number, _frame: keeper.look())
    return keeper


def _first(keeper: Keeper) -> Loaded:
    """The registry to begin with; its warnings are told. SystemExit(78) where it is wrong, or the one of now is."""
    try:
        first = keeper.first()
    except WrongRegistryError as error:
        tell_and_exit(error)
    for line in describe(first.warnings):
        typer.echo(line, err=True)
    return first


def _measure(metrics: Metrics, shards: list[Shard]) -> None:
    """What is asked for only when somebody looks."""
    opened = [open_by_kind(shard.state) for shard in shards]
    feeds = {name: silent for shard in shards for name, silent in shard.feeds.silent().items()}
    by_kind = {name: sum(o[k] for o in opened) for k, name in enumerate(KINDS)}
    metrics.open_episodes({**by_kind, FEED_SILENT: sum(feeds.values())})
    metrics.sources_silent(feeds)
    heard = sum(int((shard.state.memory.row["arrival_ms"] > 0).sum()) for shard in shards)
    registered = sum(shard.fence_set.subject_count for shard in shards)
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
