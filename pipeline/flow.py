"""The dataflow. It reads like the picture of it and holds no logic: records ──► judge ──► by shard ──► episodes ──► sinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from pipeline.engine import ShardLogic, Sink, Source
from pipeline.items import Chunk, JudgedBatch, Mark

Judge = Callable[[Chunk | Mark], list[tuple[str, JudgedBatch | Mark]]]
"""As `pipeline.judging.Judging` does it: what an item becomes, each part with the key of its shard."""


def build_flow(source: Source, judge: Judge, build_shard: Callable[[Any], ShardLogic], sink: Sink) -> Dataflow:
    """Records from `source`, judged, kept by shard, delivered by `sink`; `build_shard(snapshot)` opens a shard's state."""
    flow = Dataflow("fencewatch")
    records = op.input("records", flow, source)
    judged = op.flat_map("judge", records, judge)
    outgoing = op.stateful_batch("episodes", judged, build_shard)
    to_sinks = op.map("to_sinks", outgoing, lambda keyed: ("alerts", keyed[1]))
    op.output("sinks", to_sinks, sink)
    return flow
