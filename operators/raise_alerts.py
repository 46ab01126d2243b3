"""From the step's events to alerts: names, ids, distances and regions. Few rows, plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import Fences, FenceSet
from operators.acceptance import Accepted
from operators.alert import LEVELS, Alert, alert_id, episode_id
from operators.distance import opening_m
from operators.slot_machine import CHANGES, MOVED, OPENED
from operators.state import KINDS


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _regions(fence_set: FenceSet, words: NDArray[np.uint64], home: int) -> tuple[str, ...]:
    """Ids of the regions told, and home, sorted."""
    told = {home} if home >= 0 else set()
    for w, word in enumerate(words.tolist()):
        told.update(64 * w + bit for bit in range(word.bit_length()) if word >> bit & 1)
    return tuple(sorted(fence_set.registry.area_ids[r] for r in told))


def raise_alerts(
    fence_set: FenceSet, fences: Fences, fixes: Accepted, time_ms: NDArray[np.int64], events: NDArray[np.void], told: NDArray[np.uint64],
) -> Iterator[Alert]:  # fmt: skip
    """The alerts of a batch, in the order of its events (`operators.step.EVENT`); `told` uint64[k, words]."""
    registry = fence_set.registry
    for event, words in zip(events, told, strict=True):
        row, subject_row, rule = int(event["row"]), int(event["subject"]), int(event["rule"])
        subject, onset_ms, found = registry.subject_ids[subject_row], int(event["onset_ms"]), fence_set.region_id(int(event["found"]))
        lon, lat, t = float(fixes.lon[row]), float(fixes.lat[row]), int(time_ms[row])
        rule_id = registry.rule_ids[rule] if rule >= 0 else None
        slot = "area" if rule_id is None else f"rule:{rule_id}"
        what = int(event["what"])
        change = CHANGES[what]
        assert change is not None
        home = int(registry.subject_home[subject_row])
        yield Alert(
            id=alert_id(subject, slot, onset_ms, change, str(found) if what == MOVED else None),  # type: ignore[arg-type]
            change=change,  # type: ignore[arg-type]
            time_ms=t,
            subject=subject,
            slot=slot,
            kind=KINDS[int(event["kind"])],
            level=LEVELS[int(event["level"])],
            episode=episode_id(subject, slot, onset_ms),
            rule=rule_id,
            onset_ms=onset_ms,
            reason=None if what in (OPENED, MOVED) else "returned",
            lon=lon,
            lat=lat,
            accuracy_m=_number(fixes.accuracy_m[row]),
            distance_m=opening_m(fences, subject_row, rule, t, lon, lat) if what == OPENED else None,
            home_region=fence_set.region_id(home),
            found_region=found,
            rules_version=fence_set.version,
            late=False,
            received_ms=int(fixes.arrival_ms[row]),
            regions=_regions(fence_set, words, home),
        )
