"""The live path held to the reference: clock marks among random records, registry changes, restarts, batches of any size.

A replay has no clock but its last mark; here the marks bring deadlines and edges between records, and records come after edges that
the clock had brought. FENCEWATCH_EXAMPLES=n draws that many examples.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.alert import Alert
from operators.decode.json_lines import decode_json_lines
from pipeline.episodes import Shard
from pipeline.items import Chunk, ClockMark, Mark
from pipeline.judging import Judging, rule_set_of
from pipeline.totals import Totals
from sinks.alert_json import encode_alert
from tests.reference.records import RejectedRecordError, read_record
from tests.strategies import Scenario, at_rest, scenarios
from tests.test_against_reference import assert_same_alerts

EXAMPLES = int(os.environ.get("FENCEWATCH_EXAMPLES", "150"))
Course = list[bytes | int]
"""Records, and clock marks in UTC milliseconds."""


@dataclass(frozen=True)
class Cut:
    """Before which lines the clock gives a mark, and how long after the latest arrival until then; records a batch; restarts."""

    marks: tuple[tuple[int, int], ...]
    batch: int
    restarts: frozenset[int]


SOON = st.sampled_from([0, 1, 1000, 59_999, 60_000, 60_001, 119_999, 120_001, 300_000, 900_001, 3_600_000])
CUTS = st.builds(
    Cut,
    marks=st.lists(st.tuples(st.integers(0, 70), SOON), max_size=25).map(lambda marks: tuple(sorted(marks))),
    batch=st.sampled_from([1, 2, 7, 16384]),
    restarts=st.frozensets(st.integers(0, 30), max_size=3),
)


def course_of(scenario: Scenario, cut: Cut) -> Course:
    """The records with the clock between them, which never goes back."""
    course: Course = []
    clock, latest = 0, scenario.plan.start_s * 1000
    for place in range(max(71, len(scenario.lines))):
        for _, later_ms in (mark for mark in cut.marks if mark[0] == place):
            clock = max(clock, latest + later_ms)
            course.append(clock)
        if place < len(scenario.lines):
            course.append(scenario.lines[place])
            latest = max(latest, arrival_of(scenario.lines[place]))
    return course


def arrival_of(line: bytes) -> int:
    """When a record arrived; 0 of one that cannot be read."""
    try:
        return read_record(line).arrival if line.strip() else 0
    except RejectedRecordError:
        return 0


def items_of(course: Course, batch: int) -> Iterator[Chunk | Mark]:
    """As a source gives it: chunks of records, and marks."""
    for is_mark, group in groupby(course, key=lambda line: isinstance(line, int)):
        some = list(group)
        if is_mark:
            for mark in some:
                assert isinstance(mark, int)
                yield ClockMark("p", mark, mark)
            continue
        for begin in range(0, len(some), batch):
            lines = b"\n".join(line for line in some[begin : begin + batch] if isinstance(line, bytes))
            yield Chunk("p", partial(decode_json_lines, lines))


def run(registry: Path, registry_at: list[tuple[int, Path]], course: Course, cut: Cut) -> list[dict[str, Any]]:
    """The alerts of judging and one shard, which is saved and taken up again before some items; as a deployment, each id once."""
    fence_set = FenceSet(load_registry(registry)[0])
    versions = [(ms, rule_set_of(FenceSet(load_registry(folder)[0]), 1)) for ms, folder in registry_at]
    judging, shard = Judging(rule_set_of(fence_set, 1), 1, versions=versions), Shard(fence_set, Totals())
    alerts: dict[str, Alert] = {}
    for number, item in enumerate(items_of(course, cut.batch)):
        if number in cut.restarts:
            shard = Shard(judging.rules.fence_set, Totals(), pickle.loads(pickle.dumps(shard.snapshot())))  # noqa: S301 - our own
        parts = []
        while isinstance(item, ClockMark) and judging.versions and judging.versions[0][0] <= item.time_ms:
            parts += judging._change_version()
        for _, part in (*parts, *judging(item)):
            for alert in shard.take(part).alerts:
                alerts.setdefault(alert.id, alert)
    return [orjson.loads(encode_alert(alert, "test")) for alert in alerts.values()]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenario=scenarios("full"), cut=CUTS)
def test_random_courses(scenario: Scenario, cut: Cut) -> None:
    """Alerts of the reference: deadlines at once, edges after their grace, all edges after a record due anew."""
    with TemporaryDirectory() as folder:
        registry, registry_at = scenario.write(Path(folder))
        expected, _, course = at_rest(registry, course_of(scenario, cut), None, registry_at)
        event(f"{min(len(expected), 10)} alerts")
        assert_same_alerts(run(registry, registry_at, course, cut), expected)
