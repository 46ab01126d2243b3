"""From the step's events to alerts: names, ids, distances and regions. Few rows, plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import Fences, FenceSet
from operators.acceptance import Accepted
from operators.alert import LEVELS, Alert, Change, alert_id, episode_id
from operators.distance import opening_m
from operators.slot_machine import CLEARED, MOVED, OPENED
from operators.state import KINDS

_CHANGE: dict[int, Change] = {OPENED: "opened", MOVED: "moved", CLEARED: "cleared"}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _regions(fence_set: FenceSet, words: list[int], home: int) -> tuple[str, ...]:
    """Ids of the regions told (a bit each), and home, sorted."""
    told = {home} if home >= 0 else set()
    for w, word in enumerate(words):
        left = word
        while left:
            told.add(64 * w + left.bit_length() - 1)
            left &= ~(1 << left.bit_length() - 1)
    return tuple(sorted([fence_set.registry.area_ids[r] for r in told]))


def raise_alerts(
    fence_set: FenceSet,
    fences: Fences,
    fixes: Accepted,
    time_ms: NDArray[np.int64],
    events: NDArray[np.void],
    told: NDArray[np.uint64],
) -> Iterator[Alert]:
    """The alerts of a batch, in the order of its events (`operators.step.EVENT`); `told` uint64[k, words]."""
    registry = fence_set.registry
    rows = events["row"].astype(np.int64)
    # Lists, a column at a time: a number out of an array, one by one, costs more than all the rest of an alert.
    of_events = [events[name].tolist() for name in ("subject", "rule", "onset_ms", "found", "what", "kind", "level")]
    of_fixes = [column[rows].tolist() for column in (time_ms, fixes.lon, fixes.lat, fixes.accuracy_m, fixes.arrival_ms)]
    homes = registry.subject_home[events["subject"]].tolist()
    for subject_row, rule, onset_ms, found_row, what, kind, level, t, lon, lat, accuracy_m, arrival_ms, home, words in zip(
        *of_events, *of_fixes, homes, told.tolist(), strict=True
    ):
        subject, found = registry.subject_ids[subject_row], fence_set.region_id(found_row)
        rule_id = registry.rule_ids[rule] if rule >= 0 else None
        slot = "area" if rule_id is None else f"rule:{rule_id}"
        change = _CHANGE[what]
        yield Alert(
            id=alert_id(subject, slot, onset_ms, change, str(found) if what == MOVED else None),
            change=change,
            time_ms=t,
            subject=subject,
            slot=slot,
            kind=KINDS[kind],
            level=LEVELS[level],
            episode=episode_id(subject, slot, onset_ms),
            rule=rule_id,
            onset_ms=onset_ms,
            reason=None if what in (OPENED, MOVED) else "returned",
            lon=lon,
            lat=lat,
            accuracy_m=_number(accuracy_m),
            distance_m=opening_m(fences, subject_row, rule, t, lon, lat) if what == OPENED else None,
            home_region=fence_set.region_id(home),
            found_region=found,
            rules_version=fence_set.version,
            late=False,
            received_ms=arrival_ms,
            regions=_regions(fence_set, words, home),
        )
