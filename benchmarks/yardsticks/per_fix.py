"""Yardstick (b): the best flow a fix at a time that we can write with Bytewax.

Own areas by a dict of the subject, the R-tree for zones only, prepared shapes, a typed JSON decoder (half the cost of
`orjson.loads`), no recovery, long epochs, no garbage collection over the registry, alerts through the same sink as ours. It raises
the same alerts as ours. It comes in two forms: (b) keeps the state of all subjects in plain objects behind one key, which is as
fast as Bytewax goes but can be spread over workers only by hand; keyed, there is a key for each subject, as Bytewax means it.
"""

from __future__ import annotations

import gc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import bytewax.operators as op
import msgspec
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.run import cli_main

from benchmarks.measured import Measured, Watch
from benchmarks.yardsticks.plain_registry import PlainRegistry
from benchmarks.yardsticks.plain_rules import PlainRules
from benchmarks.yardsticks.sample_lines import SampleLines
from fences.registry import Registry
from operators.alert import Alert
from sinks.alert_json import encode_alert
from sinks.redis_alerts import RedisAlerts


class Fix(msgspec.Struct, gc=False):
    """The fields that judging needs, with the ranges of the contract."""

    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    accuracy_m: float | None = None


decode = msgspec.json.Decoder(Fix).decode
EPOCH = timedelta(seconds=10)


class PerFixFlow:
    """The flow over a registry. Runs one after another start from a fresh state."""

    def __init__(self, registry: Registry) -> None:
        self._plain = PlainRegistry(registry)
        gc.collect()
        gc.freeze()

    def run(
        self, path: Path, count: int, warm_up: int, sink: RedisAlerts | None, deployment: str, *, keyed: bool = False
    ) -> Measured:
        """Judge the first `count` JSON lines of a file; what is measured begins after `warm_up` of them.

        `keyed`: a key for each subject instead of one for all.
        """
        self._plain.forget()
        rules = PlainRules(self._plain)
        watch, told = Watch(), _Told(sink, deployment)
        flow = Dataflow("per_fix")
        lines = op.input("lines", flow, SampleLines(path, count, warm_up, watch.begin))
        fixes = op.map("decode", lines, _with_subject if keyed else lambda line: ("0", _decoded(line)))
        alerts = op.stateful_batch("judge", fixes, lambda _state: _Shard(rules))
        op.output("alerts", alerts, told)
        cli_main(flow, workers_per_process=1, epoch_interval=EPOCH)  # type: ignore[no-untyped-call]
        return watch.read(count - warm_up, len(told.ids), told.ids)


def _decoded(line: bytes) -> Fix | None:
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _with_subject(line: bytes) -> tuple[str, Fix | None]:
    fix = _decoded(line)
    return ("" if fix is None else fix.subject, fix)


class _Shard(StatefulBatchLogic[Fix | None, Alert, None]):
    """All people, whose state hangs on them; a flow with recovery would hand out their slots here."""

    def __init__(self, rules: PlainRules) -> None:
        self._rules = rules

    def on_batch(self, values: list[Fix | None]) -> tuple[list[Alert], bool]:
        rules, alerts = self._rules, list[Alert]()
        people, take = rules.people, rules.take
        for fix in values:
            person = people.get(fix.subject) if fix is not None else None
            if fix is None or person is None or (fix.lon is None) != (fix.lat is None):
                rules.rejected += 1
                continue
            made = take(person, round(fix.time.timestamp() * 1000), fix.lon, fix.lat, fix.accuracy_m)
            if made:
                alerts += made
        return alerts, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None


class _Told(FixedPartitionedSink[Alert, None]):
    """The alerts to Redis, where there is one, and their ids for the comparison."""

    def __init__(self, sink: RedisAlerts | None, deployment: str) -> None:
        self.ids: list[str] = []
        self._sink, self._deployment = sink, deployment

    def list_parts(self) -> list[str]:
        return ["redis"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> StatefulSinkPartition[Alert, None]:  # noqa: ARG002
        told = self

        class Part(StatefulSinkPartition[Alert, None]):
            def write_batch(self, items: list[Alert]) -> None:
                told.ids += [alert.id for alert in items]
                if told._sink is not None:
                    told._sink.deliver([(alert, encode_alert(alert, told._deployment)) for alert in items])

            def snapshot(self) -> None:
                return None

        return Part()
