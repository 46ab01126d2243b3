"""A small registry on a grid, and records as rows of numbers: judged, stepped and told as the pipeline does it.

The map: three districts side by side, "west" x 0-10, "middle" x 10-20, "east" x 20-30, all y 0-20, and areas "home" (2-4, 2-4),
"school" (5-6, 5-6), "pond" (3-5, 3-5: overlaps home), "island" (west of the middle border, 9-11, 9-11). A unit is 1/1024 degree
(95 m east, 108 m north here). Time is in seconds after 2026-06-01T08:00Z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.acceptance import Accepted
from operators.alert import Alert
from operators.fix_batch import OPTIONAL_FIELDS
from operators.judge import Verdicts, judge
from operators.raise_alerts import Telling
from operators.state import State
from operators.step import step
from tests.strategies.registries import Plan
from tests.strategies.shapes import LAT_0, LON_0, PER_DEGREE, feature, rectangle

START_MS = 1_780_300_800_000
QUIET: dict[str, Any] = {"allow": {}, "forbid": {}}
REGIONS = tuple(
    feature(name, rectangle(x, 0, 10, 20), timezone="Asia/Shanghai") for name, x in (("west", 0), ("middle", 10), ("east", 20))
)
AREAS = tuple(
    feature(name, rectangle(*box))
    for name, box in (("home", (2, 2, 2, 2)), ("school", (5, 5, 1, 1)), ("pond", (3, 3, 2, 2)), ("island", (9, 9, 2, 2)))
)
Json = dict[str, Any]


@dataclass(frozen=True)
class Fix:
    """A record: grid position (None: none), seconds after the start."""

    subject: str
    t: float
    at: tuple[float, float] | None
    accuracy_m: float = math.nan
    delay_s: float = 0.0


def make_plan(*rules: Json, subjects: tuple[Json, ...] = (), policy: Json | None = None) -> Plan:
    """The registry with some rules (ids `r0`, `r1`, ... where they have none); the subject is "p" of "west" unless given."""
    numbered = tuple({"id": f"r{i}"} | rule for i, rule in enumerate(rules))
    people = subjects or ({"id": "p", "home_region": "west", "groups": []},)
    return Plan(START_MS // 1000, REGIONS, AREAS, people, numbered, QUIET if policy is None else policy)


def fence_set(directory: Path, *rules: Json, subjects: tuple[Json, ...] = (), policy: Json | None = None) -> FenceSet:
    """The compiled registry of `make_plan`."""
    return compiled_plan(directory, make_plan(*rules, subjects=subjects, policy=policy))


def compiled_plan(directory: Path, plan: Plan) -> FenceSet:
    """A plan, written, read and compiled."""
    return FenceSet(load_registry(plan.write(directory))[0])


def place(at: tuple[float, float] | None) -> tuple[float, float]:
    """Grid position to degrees; NaN of none."""
    return (math.nan, math.nan) if at is None else (LON_0 + at[0] / PER_DEGREE, LAT_0 + at[1] / PER_DEGREE)


def accepted(fences: FenceSet, fixes: list[Fix]) -> Accepted:
    """Columns of some records."""
    n = len(fixes)
    rows = {name: row for row, name in enumerate(fences.registry.subject_ids)}
    xy = np.array([place(fix.at) for fix in fixes]).reshape(n, 2)
    time_ms = np.array([START_MS + round(fix.t * 1000) for fix in fixes], np.int64)
    nothing, unsaid = np.full(n, np.nan), np.full(n, -1, np.int8)
    return Accepted(
        reason=np.zeros(n, np.uint8),
        subject=np.array([rows[fix.subject] for fix in fixes], np.int32),
        time_ms=time_ms,
        lon=np.ascontiguousarray(xy[:, 0]),
        lat=np.ascontiguousarray(xy[:, 1]),
        accuracy_m=np.array([fix.accuracy_m for fix in fixes], np.float64),
        speed_mps=nothing,
        heading_deg=nothing,
        battery_pct=nothing,
        positioning=unsaid,
        tamper=unsaid,
        separated=unsaid,
        arrival_ms=time_ms + np.array([round(fix.delay_s * 1000) for fix in fixes], np.int64),
        ignored=np.zeros(len(OPTIONAL_FIELDS), np.int64),
    )


def new_state(fences: FenceSet) -> State:
    """The empty memory of all subjects."""
    return State(len(fences.registry.subject_ids), fences.registry.area_ids[: fences.region_count])


def judged(fences: FenceSet, fixes: Accepted) -> Verdicts:
    """Verdicts of a batch."""
    return judge(fences.fences_for(fixes.lon, fixes.lat), fixes.subject, fixes.time_ms, fixes.lon, fixes.lat, fixes.accuracy_m)


def verdicts_of(fences: FenceSet, fixes: list[Fix]) -> list[tuple[int, dict[str, int]]]:
    """For each record the verdict of slot `area`, and those of rules that are not fine, by id."""
    verdicts = judged(fences, accepted(fences, fixes))
    answers = []
    for i in range(len(fixes)):
        hits = range(int(verdicts.hit_start[i]), int(verdicts.hit_start[i + 1]))
        ids = [fences.registry.rule_ids[verdicts.hit_rule[h]] for h in hits]
        assert len(set(ids)) == len(ids), "a rule is told twice of one record"
        answers.append((int(verdicts.area[i]), {name: int(verdicts.hit_verdict[h]) for name, h in zip(ids, hits, strict=True)}))
    return answers


def run(fences: FenceSet, state: State, fixes: list[Fix], batch: int | None = None) -> list[Alert]:
    """The alerts of some records, taken in batches of `batch`."""
    alerts: list[Alert] = []
    size = batch or max(1, len(fixes))
    for begin in range(0, len(fixes), size):
        part = accepted(fences, fixes[begin : begin + size])
        verdicts = judged(fences, part)
        rows = np.arange(len(part.subject), dtype=np.int64)
        fences_now = fences.fences
        events = step(fences_now, state, verdicts, rows, part.subject, part)
        alerts += Telling(fences, fences_now, state).alerts(events, verdicts)
    return alerts


def story(alerts: list[Alert]) -> list[tuple[str, str, float, float]]:
    """What happened: change, slot, seconds of time and of onset."""
    return [(a.change, a.slot, (a.time_ms - START_MS) / 1000, (a.onset_ms - START_MS) / 1000) for a in alerts]


def track(subject: str, *stops: tuple[float, float] | None, step_s: float = 60.0, accuracy_m: float = math.nan) -> list[Fix]:
    """A record every `step_s` seconds from 0 on."""
    return [Fix(subject, i * step_s, at, accuracy_m) for i, at in enumerate(stops)]
