"""Yardstick (a): the obvious flow, as Bytewax's own examples would have it.

`orjson.loads` on each line, a key for each subject, one R-tree with every area, prepared shapes, `covers`, and a small state
machine in `stateful_map`. It knows no tolerance, no accuracy and no regions, so it does less than ours; its alerts are counted, not
compared.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
import shapely
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main
from rtree import index
from shapely.prepared import prep

from benchmarks.measured import Measured, Watch
from benchmarks.yardsticks.sample_lines import SampleLines
from fences.registry import ALLOW, FORBID, Registry

CONFIRM_FIXES = CLEAR_FIXES = 2


class ObviousFlow:
    """The flow over a registry."""

    def __init__(self, registry: Registry) -> None:
        self._tree = index.Index()
        self._shapes = []
        for number, shape in enumerate(registry.area_shapes):
            self._tree.insert(number, shape.bounds)
            self._shapes.append(prep(shape))
        self._allowed: dict[str, set[int]] = {}
        self._forbidden: set[int] = set()
        for r, effect in enumerate(registry.rule_effect.tolist()):
            areas = registry.rule_areas.of(r).tolist()
            if effect == FORBID and registry.rule_everyone[r]:
                self._forbidden.update(areas)
            elif effect == ALLOW:
                for subject in registry.rule_subjects.of(r).tolist():
                    self._allowed.setdefault(registry.subject_ids[subject], set()).update(areas)

    def run(self, path: Path, count: int, warm_up: int) -> Measured:
        """Judge the first `count` JSON lines of a file; what is measured begins after `warm_up` of them."""
        watch, sink = Watch(), _Counted()
        flow = Dataflow("obvious")
        lines = op.input("lines", flow, SampleLines(path, count, warm_up, watch.begin))
        fixes = op.map("parse", lines, orjson.loads)
        judged = op.map("judge", fixes, self._judged)
        by_subject = op.key_on("by_subject", judged, lambda fix: fix["subject"])
        changes = op.stateful_map("state", by_subject, _advanced)
        alerts = op.filter("alerts", changes, lambda keyed: keyed[1] is not None)
        op.output("out", alerts, sink)
        cli_main(flow, workers_per_process=1)  # type: ignore[no-untyped-call]
        return watch.read(count - warm_up, sink.count)

    def _judged(self, fix: dict[str, Any]) -> dict[str, Any]:
        point = shapely.Point(fix["lon"], fix["lat"])
        candidates = self._tree.intersection((point.x, point.y, point.x, point.y))
        within = {number for number in candidates if self._shapes[number].covers(point)}
        fix["time"] = datetime.fromisoformat(fix["time"])
        fix["breach"] = not within & self._allowed[fix["subject"]] or bool(within & self._forbidden)
        return fix


def _advanced(state: dict[str, Any] | None, fix: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if state is None:
        state = {"open": False, "count": 0}
    state["count"] = state["count"] + 1 if fix["breach"] != state["open"] else 0
    if state["count"] < (CLEAR_FIXES if state["open"] else CONFIRM_FIXES):
        return state, None
    state = {"open": not state["open"], "count": 0}
    return state, {"subject": fix["subject"], "time": fix["time"], "open": state["open"], "lon": fix["lon"], "lat": fix["lat"]}


class _Counted(DynamicSink[Any]):
    """How many alerts came out."""

    def __init__(self) -> None:
        self.count = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[Any]:  # noqa: ARG002
        counted = self

        class Part(StatelessSinkPartition[Any]):
            def write_batch(self, items: list[Any]) -> None:
                counted.count += len(items)

        return Part()
