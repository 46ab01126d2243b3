"""What the devices of a few people do beside honest sampling: keep silent, lose their position, hang, report tampering, run empty.

A story writes a `Script`; the sampler lets it act on the subject's samples. A sample lies in a span by the instant at which it is
due; it is taken up to `sampling.JITTER` of a step later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.worlds.days import Times
from pipeline.worlds.districts import PLANE
from pipeline.worlds.fixes import Fixes
from pipeline.worlds.plane import Floats

What = Literal["silent", "nowhere", "vague", "frozen", "held", "tamper", "separated", "calm_flags"]
"""silent: nothing is sent. nowhere: no position. vague: a position too vague to count. frozen: the first sample is sent for all.
held: kept back and sent at `sent_ms`. tamper, separated: the flag is true. calm_flags: both flags are false."""
VAGUE_M = 2_500.0
"""Beyond the shipped policy's `max_accuracy_m`."""
FROZEN_ACCURACY_M = 5.0
TWIN_LATER, TWIN_ARRIVES = 0.02, 0.25
"""How long after the sample a twin claims to be taken, and how long after that it arrives, as shares of the step."""
Cells: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """What happens to the samples that are due from `from_ms` on and before `until_ms` (UTC ms)."""

    what: What
    from_ms: int
    until_ms: int
    sent_ms: int = 0


@dataclass(frozen=True, slots=True)
class Twin:
    """The first sample due at or after `from_ms` is followed by another that claims to come from `place` (metres on the plane)."""

    from_ms: int
    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Script:
    """What a device does. `home`: where he is meanwhile (metres on the plane).

    `battery`: times (UTC ms) and percent between which it goes straight; before and after as usual.
    """

    home: tuple[float, float]
    spans: tuple[Span, ...] = ()
    battery: tuple[tuple[int, float], ...] = ()
    twin: Twin | None = None


@dataclass(slots=True)
class Samples:
    """The samples of a tile, (subjects, samples) each, before those that are not sent are taken out. Metres on the plane."""

    due_ms: Times
    time_ms: Times
    received_ms: Times
    sent: NDArray[np.bool_]
    late: NDArray[np.bool_]
    x: Floats
    y: Floats
    accuracy_m: Floats
    battery_pct: NDArray[np.int8]
    placed: NDArray[np.bool_]
    tamper: NDArray[np.int8]
    separated: NDArray[np.int8]

    def row(self, i: int) -> Samples:
        """One subject's samples, as views."""
        return Samples(*[getattr(self, field.name)[i] for field in fields(self)])


def act(script: Script, samples: Samples, step_ms: int) -> None:
    """Let a script act on one subject's samples (views, 1-D) in place."""
    for span in script.spans:
        inside = np.flatnonzero((samples.due_ms >= span.from_ms) & (samples.due_ms < span.until_ms))
        if len(inside):
            _act(span, script, samples, inside, step_ms)
    if script.battery:
        times, percents = np.array(script.battery).T
        inside = np.flatnonzero((samples.time_ms >= times[0]) & (samples.time_ms < times[-1]))
        samples.battery_pct[inside] = np.interp(samples.time_ms[inside], times, percents).astype(np.int8)


def _act(span: Span, script: Script, samples: Samples, inside: Cells, step_ms: int) -> None:
    if span.what == "silent":
        samples.sent[inside] = False
    elif span.what == "nowhere":
        samples.placed[inside] = False
    elif span.what == "vague":
        samples.accuracy_m[inside] = VAGUE_M
    elif span.what == "frozen":
        # The instant at which the first sample of the span is due, in whichever tile that is.
        samples.time_ms[inside] = span.from_ms + (samples.due_ms[0] - span.from_ms) % step_ms
        samples.x[inside], samples.y[inside] = script.home
        samples.accuracy_m[inside] = FROZEN_ACCURACY_M
    elif span.what == "held":
        samples.received_ms[inside] = span.sent_ms + (samples.due_ms[inside] - span.from_ms) // 1000
        samples.late[inside] = True
    elif span.what == "tamper":
        samples.tamper[inside] = 1
    elif span.what == "separated":
        samples.separated[inside] = 1
    else:
        samples.tamper[inside] = samples.separated[inside] = 0


def twins(fixes: Fixes, samples: Samples, scripts: Iterable[tuple[int, Script]], step_ms: int) -> list[Fixes]:
    """The twins in a tile whose sent samples are `fixes`; `scripts` by row of the tile."""
    found = []
    place = np.cumsum(samples.sent).reshape(samples.sent.shape) - 1
    for row, script in scripts:
        if script.twin is None:
            continue
        due_ms = samples.due_ms[row]
        for k in np.flatnonzero((due_ms >= script.twin.from_ms) & (due_ms < script.twin.from_ms + step_ms)).tolist():
            twin = fixes.take(np.array([place[row, k]]))
            twin.time_ms[:] += int(TWIN_LATER * step_ms)
            twin.received_ms[:] = twin.time_ms + int(TWIN_ARRIVES * step_ms)
            lon, lat = PLANE.to_degrees(np.array(script.twin.place))
            twin.lon_e6[:], twin.lat_e6[:] = round(lon * 1e6), round(lat * 1e6)
            found.append(twin)
    return found
