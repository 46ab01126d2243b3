"""The policies of the noise study, and what the program's own judge and step make of tracks under each of them.

One registry holds everybody once for each policy, with a rule of its own that says the policy: the same columns are judged again
and again under other subjects, and all rules share the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.noise_tracks import CIRCLE_RADIUS_M, Ints, Neighbours, Tracks
from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.acceptance import Accepted
from operators.events import CLEARED, OPENED
from operators.fix_batch import OPTIONAL_FIELDS
from operators.judge import judge
from operators.state import ENTERED_FORBIDDEN, LEFT_AREA, State
from operators.step import step
from pipeline.worlds.districts import IDS, Districts
from pipeline.worlds.registry_records import Record, Records, circle_area

Effect = Literal["allow", "forbid"]
CONFIRM_FIXES, CONFIRM_S = (1, 2, 3, 5), (0, 60, 120)
TOLERANCE_M, ACCURACY_FACTOR = (0.0, 30.0, 50.0, 100.0), (0.0, 1.0, 2.0)
CLEAR_FIXES = (1, 2, 3, 5)
ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class Policy:
    """The keys of a rule's policy that the study varies."""

    effect: Effect
    confirm_fixes: int
    confirm_s: int
    clear_fixes: int
    tolerance_m: float
    accuracy_factor: float


SHIPPED: dict[Effect, Policy] = {
    "allow": Policy("allow", 2, 0, 2, 30.0, 1.0),
    "forbid": Policy("forbid", 1, 0, 2, 30.0, 0.0),
}


PROPOSED: dict[Effect, Policy] = {
    "allow": Policy("allow", 3, 90, 2, 30.0, 1.0),
    "forbid": Policy("forbid", 2, 45, 2, 30.0, 1.0),
}
"""What docs/noise.md proposes instead."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """What was opened, by person and then in time: of whom (index), when told, and when cleared (never: the largest time)."""

    person: Ints
    opened_ms: Ints
    cleared_ms: Ints


def all_policies() -> list[Policy]:
    """Every combination for allow, every one that means something for forbid; the shipped ones cleared otherwise; candidates."""
    allow = [
        Policy("allow", fixes, seconds, 2, tolerance_m, factor)
        for fixes, seconds, tolerance_m, factor in product(CONFIRM_FIXES, CONFIRM_S, TOLERANCE_M, ACCURACY_FACTOR)
    ]
    forbid = [
        Policy("forbid", fixes, seconds, 2, 30.0, factor)
        for fixes, seconds, factor in product(CONFIRM_FIXES, CONFIRM_S, ACCURACY_FACTOR[:2])
    ]
    clearing = [replace(SHIPPED[effect], clear_fixes=fixes) for effect in SHIPPED for fixes in CLEAR_FIXES]
    return list(dict.fromkeys([*allow, *forbid, *clearing, *candidates("allow"), *candidates("forbid")]))


def candidates(effect: Effect) -> list[Policy]:
    """The shipped policy, and those that could take its place."""
    if effect == "allow":
        terms = [
            (2, 0, 30.0, 1.0),
            (3, 0, 30.0, 1.0),
            (3, 90, 30.0, 1.0),
            (3, 90, 0.0, 2.0),
            (2, 120, 30.0, 1.0),
            (5, 0, 30.0, 1.0),
        ]
    else:
        terms = [(1, 0, 30.0, 0.0), (1, 0, 30.0, 1.0), (2, 0, 30.0, 0.0), (2, 0, 30.0, 1.0), (2, 45, 30.0, 1.0), (3, 90, 30.0, 1.0)]
    return [Policy(effect, fixes, seconds, 2, tolerance_m, factor) for fixes, seconds, tolerance_m, factor in terms]


class Judge:
    """Everybody under every policy, compiled once."""

    def __init__(self, some: Neighbours, districts: Districts, policies: Sequence[Policy], folder: Path) -> None:
        """`folder`: where the registry is written to."""
        self._count, self._place = len(some), {policy: k for k, policy in enumerate(policies)}
        areas = [
            circle_area(f"circle-{i}", IDS[district], centre, CIRCLE_RADIUS_M)
            for i, (district, centre) in enumerate(zip(some.people.district.tolist(), some.centre, strict=True))
        ]
        subjects: list[Record] = []
        rules: list[Record] = []
        for k, policy in enumerate(policies):
            for i, district in enumerate(some.people.district.tolist()):
                subject = f"{k}-{i}"
                keys: dict[str, Any] = asdict(policy)
                area = IDS[district] if policy.effect == "allow" else f"circle-{i}"
                subjects.append({"id": subject, "home_region": IDS[district], "groups": []})
                rules.append({"id": f"rule-{subject}", "subjects": [subject], "areas": [area], **keys})
        Records([districts.feature(i) for i in range(len(IDS))], areas, subjects, rules, []).write(folder)
        self._fence_set = FenceSet(load_registry(folder)[0])
        numbers = {subject: row for row, subject in enumerate(self._fence_set.registry.subject_ids)}
        self._rows = np.array([numbers[record["id"]] for record in subjects], np.int32).reshape(len(policies), self._count)

    def episodes(self, tracks: Tracks, policy: Policy) -> Episodes:
        """The episodes of slot `area`, or of the circle, that these tracks make under a policy."""
        rows = self._rows[self._place[policy]]
        registry = self._fence_set.registry
        state = State(len(registry.subject_ids), registry.area_ids[: registry.region_count])
        kinds = LEFT_AREA if policy.effect == "allow" else ENTERED_FORBIDDEN
        found: list[NDArray[np.void]] = []
        for first in range(0, len(tracks), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            subject, fixes = _columns(tracks, part, rows)
            fences = self._fence_set.fences_for(fixes.lon, fixes.lat)
            verdicts = judge(fences, subject, fixes.time_ms, fixes.lon, fixes.lat, fixes.accuracy_m)
            events = step(fences, state, verdicts, np.arange(len(subject)), subject, fixes)
            event = events.event[: events.used[0]]
            found.append(event[(event["kind"] == kinds) & ((event["what"] == OPENED) | (event["what"] == CLEARED))])
        person = np.full(len(registry.subject_ids), -1, np.int64)
        person[rows] = np.arange(self._count)
        return _episodes(np.concatenate(found), person)


def _columns(tracks: Tracks, part: slice, rows: NDArray[np.int32]) -> tuple[NDArray[np.int32], Accepted]:
    """Some fixes under the subjects of a policy, as acceptance would give them."""
    subject = rows[tracks.person[part]]
    n = len(subject)
    nothing, unsaid = np.full(n, np.nan), np.full(n, -1, np.int8)
    return subject, Accepted(
        reason=np.zeros(n, np.uint8),
        subject=subject,
        time_ms=tracks.time_ms[part],
        lon=tracks.lon[part],
        lat=tracks.lat[part],
        accuracy_m=tracks.accuracy_m[part],
        speed_mps=nothing,
        heading_deg=nothing,
        battery_pct=nothing,
        positioning=unsaid,
        tamper=unsaid,
        separated=unsaid,
        arrival_ms=tracks.time_ms[part],
        ignored=np.zeros(len(OPTIONAL_FIELDS), np.int64),
    )


def _episodes(events: NDArray[np.void], person: Ints) -> Episodes:
    """Openings with their clears: of one subject they come in turn."""
    opened, cleared = events[events["what"] == OPENED], events[events["what"] == CLEARED]
    ends = {(int(event["subject"]), int(event["onset_ms"])): int(event["time_ms"]) for event in cleared}
    never = int(np.iinfo(np.int64).max)
    cleared_ms = [ends.get((int(event["subject"]), int(event["onset_ms"])), never) for event in opened]
    return Episodes(person[opened["subject"]], opened["time_ms"].astype(np.int64), np.array(cleared_ms, np.int64))
