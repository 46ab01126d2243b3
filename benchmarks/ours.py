"""The program itself as a contender: the whole replay, from a file's bytes to alerts in Redis, rasters and all."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import Measured, Watch
from fences.fence_set import FenceSet
from fences.registry import Registry
from operators.acceptance import accept
from operators.judge import judge
from operators.raise_alerts import Telling
from operators.state import State
from operators.step import step
from pipeline.judging import rule_set_of
from pipeline.replay import ReplayOptions, run_replay
from pipeline.sources.files import FileOptions, FileStream
from sinks.alert_json import encode_alert
from sinks.redis_alerts import RedisAlerts
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames

STAGES = ("read", "decode", "accept", "cells", "judge", "step", "raise", "encode", "deliver")
KEEP_DAYS = 30


def replay(registry: Registry, path: Path, url: str, prefix: str) -> Measured:
    """Compile the registry (rasters, bindings, directory of subjects) and replay a file with one worker; all of it is measured."""
    watch = Watch()
    fence_set = FenceSet(registry)
    report = run_replay(ReplayOptions([str(path)], FileOptions(), redis=url, prefix=prefix), fence_set).report
    told = sum(sum(changes.values()) for changes in report["alerts"].values())
    measured = watch.read(report["fixes_read"], told)
    measured.alert_ids = _ids(url, prefix) if told else []
    return measured


def _ids(url: str, prefix: str) -> list[str]:
    """The ids of all alerts in the stream."""
    client: Any = connect(url)
    entries = client.xrange(RedisNames(prefix).alerts)
    client.close()
    return [fields[b"id"].decode() for _, fields in entries]


def stages(registry: Registry, path: Path, url: str, prefix: str) -> dict[str, float]:
    """Processor nanoseconds a fix of each stage, called one after another without the dataflow around them.

    `alerts` is how many alerts there were, `raise`, `encode` and `deliver` are what all of them cost, spread over the fixes.
    """
    fence_set = FenceSet(registry)
    rules, state = rule_set_of(fence_set, 1), State(len(registry.subject_ids), registry.area_ids[: registry.region_count])
    policy, spent, fixes_read, alerts_made = registry.policy, defaultdict[str, int](int), 0, 0
    client: Any = connect(url)
    sink = RedisAlerts(client, RedisNames(prefix), KEEP_DAYS, "stages")
    clock, chunks = time.thread_time_ns, iter(FileStream([str(path)], FileOptions()))
    while True:
        marks = [clock()]
        chunk = next(chunks, None)
        marks.append(clock())
        if chunk is None:
            break
        batch = chunk.decode()
        marks.append(clock())
        fixes = accept(
            batch,
            rules.directory,
            future_tolerance_ms=round(policy.future_tolerance_s * 1000),
            max_accuracy_m=policy.max_accuracy_m,
            live=False,
        )
        subject = np.where(fixes.reason != 0, np.int32(-1), fixes.subject)
        subject.flags.writeable = False  # as in the flow: else the loops would be compiled once more, for arrays to write to
        marks.append(clock())
        fences = fence_set.fences_for(fixes.lon, fixes.lat)
        marks.append(clock())
        where = (fixes.lon, fixes.lat, fixes.accuracy_m)
        verdicts = judge(fences, subject, fixes.time_ms, *where)
        marks.append(clock())
        rows = np.arange(len(subject))
        events = step(fences, state, verdicts, rows, subject, fixes)
        marks.append(clock())
        alerts = list(Telling(fence_set, fences, state).alerts(events, verdicts))
        marks.append(clock())
        encoded = [(alert, encode_alert(alert, "stages")) for alert in alerts]
        marks.append(clock())
        sink.deliver(encoded)
        marks.append(clock())
        for stage, begin, end in zip(STAGES, marks[:-1], marks[1:], strict=True):
            spent[stage] += end - begin
        fixes_read += len(batch)
        alerts_made += len(alerts)
    client.close()
    return {**{stage: spent[stage] / fixes_read for stage in STAGES}, "alerts": alerts_made}
