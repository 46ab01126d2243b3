"""A replay: files through the dataflow, with what it needs around it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fences.fence_set import FenceSet
from fences.problems import FencewatchError
from pipeline.delivery import Delivery
from pipeline.delivery_thread import DeliveryThread
from pipeline.embedded_redis import EmbeddedRedis
from pipeline.engine import ShardLogic, Sink, Source
from pipeline.episodes import Shard
from pipeline.flow import build_flow
from pipeline.items import Until
from pipeline.judging import Judging, rule_set_of
from pipeline.pace import Pace
from pipeline.progress import ReplayProgress
from pipeline.runner import Run
from pipeline.saved_state import versions_done
from pipeline.sources.files import FileOptions, FileStream, Position
from pipeline.sources.read_ahead import ReadAhead
from pipeline.state_folder import StateFolder
from pipeline.totals import Totals
from sinks.alert_files import alert_file
from sinks.dead_letters import DeadLetterFile
from sinks.redis_alerts import RedisAlerts
from sinks.redis_connection import connect
from sinks.redis_names import REPLAY_PREFIX, RedisNames

KEEP_DAYS = 30
SAVED_EPOCH, UNSAVED_EPOCH, SHARED_EPOCH = timedelta(seconds=10), timedelta(seconds=0.5), timedelta(seconds=2)
"""An epoch is also what flows between workers without a pause, so it is shorter with several; where nothing is saved, too."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay and where to: see `fencewatch replay --help`. Times in UTC milliseconds."""

    files: list[str]
    reading: FileOptions
    from_ms: int | None = None
    to_ms: int | None = None
    redis: str = "none"
    prefix: str = REPLAY_PREFIX
    deployment: str | None = None
    alerts_out: Path | None = None
    dead_letters: Path | None = None
    pace: Pace | None = None
    workers: int = 1
    state: Path | None = None
    give_up_after_s: float = 30.0
    until_ms: int | None = None


class OutputError(FencewatchError):
    """A file for alerts or dead letters that cannot be opened or continued."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gave: its report, and whether it was stopped before the end."""

    report: dict[str, Any]
    stopped: bool


def run_replay(options: ReplayOptions, fence_set: FenceSet, later: Sequence[tuple[int, FenceSet]] = ()) -> Replayed:
    """Replay; `later`: registry versions with the instants from which they hold (UTC milliseconds).

    Raises FencewatchError: an input that cannot be read, a state folder in use, alerts that could not be delivered.
    """
    if options.state is None:
        return _replay(options, fence_set, later, None)
    with closing(StateFolder(options.state)) as folder:
        return _replay(options, fence_set, later, folder)


def _replay(
    options: ReplayOptions, fence_set: FenceSet, later: Sequence[tuple[int, FenceSet]], folder: StateFolder | None
) -> Replayed:
    deployment = options.deployment or f"replay-{secrets.token_hex(4)}"
    shards = options.workers
    goes_on = folder is not None and folder.used
    if folder is not None:
        deployment = folder.remember("deployment", deployment)
        for known in (fence_set, *(version for _, version in later)):
            folder.keep_ids(known.registry)
        # Which shard keeps a subject depends on their number: with a state folder it stays that of the first run.
        shards = int(folder.remember("shards", str(shards)))
    totals, run = Totals(), Run()
    if options.pace is not None:
        options.pace.stop = run.stop
    versions = sorted(later, key=lambda version: version[0])
    done = (versions_done(options.state) if options.state is not None else None) or 0
    current = versions[done - 1][1] if done else fence_set
    judging = Judging(
        rule_set_of(current, shards), shards, options.from_ms, options.to_ms,
        keep_dead_letters=options.dead_letters is not None, pace=options.pace,
        versions=[(time_ms, rule_set_of(version, shards)) for time_ms, version in versions[done:]],
    )  # fmt: skip
    streams: list[FileStream] = []

    def open_reader(position: Position | None) -> ReadAhead:
        streams.append(FileStream(options.files, options.reading, position, run.stop))
        return ReadAhead(streams[-1], None if options.until_ms is None else Until(options.until_ms))

    def build_shard(snapshot: Any) -> ShardLogic:  # noqa: ANN401 - Bytewax's form
        ids_of = folder.ids if folder is not None else None
        return ShardLogic(Shard(current, totals, snapshot, ids_of), run, saved=folder is not None)

    with _redis_url(options.redis) as url:
        delivery = _delivery(options, deployment, totals, url, run, resume=goes_on)
        flow = build_flow(
            Source(open_reader, run),
            run.guard(judging),
            build_shard,
            Sink(lambda: delivery if url is None else DeliveryThread(delivery), run),
        )
        started = time.perf_counter()
        with ReplayProgress(lambda: streams[-1].progress if streams else None, totals) as shown:
            run.go(
                flow,
                workers=options.workers,
                epoch=_epoch(options),
                recovery=folder.recovery() if folder else None,
                while_running=shown.update,
            )
        seconds = time.perf_counter() - started
    return Replayed(totals.report(seconds), run.stop.is_set())


def _epoch(options: ReplayOptions) -> timedelta:
    if options.state is None:
        return UNSAVED_EPOCH
    return SAVED_EPOCH if options.workers == 1 else SHARED_EPOCH


def _delivery(options: ReplayOptions, deployment: str, totals: Totals, url: str | None, run: Run, *, resume: bool) -> Delivery:
    delivery = Delivery(deployment, totals)
    if url is not None:
        client, names = connect(url), RedisNames(options.prefix)
        delivery.redis = RedisAlerts(client, names, KEEP_DAYS, deployment, options.give_up_after_s, stop=run.stop)
    if options.alerts_out is not None:
        with _opening(options.alerts_out):
            delivery.file = alert_file(options.alerts_out, resume=resume)
    if options.dead_letters is not None:
        with _opening(options.dead_letters):
            delivery.dead_letters.append(DeadLetterFile(options.dead_letters, resume=resume))
    return delivery


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        what = "is not the file that an earlier run with this state folder wrote"
        raise OutputError(f"{path}: {what}; name that one, or a new one.") from error


@contextmanager
def _redis_url(asked: str) -> Iterator[str | None]:
    """The URL of the server asked for: none, one given, or an embedded one that is thrown away afterwards."""
    if asked == "embedded":
        with EmbeddedRedis() as server:
            yield server.url
    else:
        yield None if asked == "none" else asked
