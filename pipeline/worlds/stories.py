"""Stories: what a few people of the simulated world do beside their ordinary days, and what an exact judge must make of it.

A story is a function from a stage to a scene; it raises DoesNotFitError where the span is too short for it. To add one, write the
function in a file `stories_*.py` and name it in that file's table; `casting.STORIES` joins the tables.

The arithmetic of what must be found: within a scene a fix is off by at most 14 m and reports at most 6.4 m (`sampling`, open sky).
Under the shipped policy a fix is then surely fine inside an allowed area, surely a breach 50.4 m (30 + 6.4 + 14) outside it, surely
in or out of a forbidden place 14 m on either side of its border. `SURELY_OUTSIDE_M` and `SURELY_INSIDE_M` are a little wider.
What a device does (`devices`) begins with the first sample due at or after an instant: taken at most a step and `JITTER` later, and
arrived at most `LATEST_ARRIVAL` of a step after that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.worlds.days import LOCAL_OFFSET_MS, MINUTE_MS, Times
from pipeline.worlds.devices import Script
from pipeline.worlds.districts import IDS, Districts
from pipeline.worlds.plane import Floats
from pipeline.worlds.sampling import DELAY, JITTER, TWICE_LATER
from pipeline.worlds.zones import Zone

SURELY_OUTSIDE_M = 60.0
SURELY_INSIDE_M = 20.0
LEAD_MS, LEAD_STEPS = 5 * 60_000, 3
"""How long the subject is seen at home before he leaves and after he is back: the longer of the two."""
STAY_MS, STAY_STEPS = 10 * 60_000, 4
LONGEST_EXTRA_STAY_MS = 2 * 3_600_000
TRIP_MPS = (11.5, 14.0)
SHIPPED_SILENT_AFTER_S = 900
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LATEST_ARRIVAL = DELAY[1] + TWICE_LATER[1]
"""How long after a sample was taken its last report may arrive, as a share of the step."""


class DoesNotFitError(Exception):
    """The span is too short for the story, or this map has no room for it: it is left out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of J10 that the world is played under, seconds; `silent_after_s` None: the policy's, which are 900 s."""

    silent_after_s: int | None = None
    silent_long_after_s: int = 2_700

    @property
    def silent_after_ms(self) -> int:
        """After how long somebody is silent, or stale."""
        return 1000 * (SHIPPED_SILENT_AFTER_S if self.silent_after_s is None else self.silent_after_s)

    @property
    def silent_long_after_ms(self) -> int:
        """How long after that he is so for long."""
        return 1000 * self.silent_long_after_s


@dataclass(frozen=True, slots=True)
class Breach:
    """What must be found: an episode.

    Times in UTC ms, both ends possible; `cleared_*` None: still open at the end. `regions`: all told. `reason`: of the clear, None
    without. `late`: told from late records, opened and cleared at once.
    """

    subject: str
    slot: str
    kind: str
    onset_from: int
    onset_to: int
    cleared_from: int | None
    cleared_to: int | None
    regions: tuple[str, ...]
    story: str
    level: str = "red"
    reason: str | None = "returned"
    late: bool = False


@dataclass(frozen=True, slots=True)
class Trip:
    """A way by car, `points` (k, 2) in metres, on which one line of the map is crossed.

    `maybe_m` and `sure_m` say how far on the way a judge may first, and must at last, find it crossed.
    """

    points: Floats
    speed_mps: float
    maybe_m: float
    sure_m: float

    @property
    def length_m(self) -> float:
        """Length of the whole way."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())

    def ms(self, metres: float) -> int:
        """Milliseconds to drive `metres`."""
        return int(metres / self.speed_mps * 1000)


@dataclass(frozen=True, slots=True)
class Scene:
    """A story told of one subject: who he is, where he goes, what the registry says of him beside his home rule, what is found.

    `path` is (times (k,), places (k, 2)); `calm` the span in which his device sees an open sky; `device` what else it does;
    `silent_after_s` his own limit.
    """

    story: str
    district: int
    path: tuple[Times, Floats]
    calm: tuple[int, int]
    youth: bool = False
    areas: tuple[dict[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    breaches: tuple[Breach, ...] = ()
    device: Script | None = None
    silent_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """What a story is written with: the map, chance, the span of the recording (UTC ms), the subject who plays."""

    districts: Districts
    zones: tuple[Zone, ...]
    rng: np.random.Generator
    start_ms: int
    end_ms: int
    step_ms: int
    limits: Limits = Limits()
    subject: str = ""
    trips: dict[Any, list[Trip]] = field(default_factory=dict)
    places: dict[int, list[Floats]] = field(default_factory=dict)

    def of(self, subject: str) -> Stage:
        """The same stage for another subject."""
        return replace(self, subject=subject)

    @property
    def lead_ms(self) -> int:
        """At home before and after."""
        return max(LEAD_MS, LEAD_STEPS * self.step_ms)

    def visit(self, out: Trip, back: Trip | None = None, between_ms: int = 0) -> tuple[int, int]:
        """When to leave home and when to start back, drawn so that all fits into the span. Raises DoesNotFitError.

        The stay is ten minutes (four samples) or more, and `between_ms` beside that.
        """
        stay_ms = max(STAY_MS, STAY_STEPS * self.step_ms)
        back_ms = 0 if back is None else back.ms(back.length_m) + self.lead_ms
        slack_ms = self.end_ms - self.start_ms - self.lead_ms - out.ms(out.length_m) - stay_ms - between_ms - back_ms
        if slack_ms < 0:
            raise DoesNotFitError
        extra_ms = int(self.rng.uniform(0, min(slack_ms, LONGEST_EXTRA_STAY_MS)))
        depart_ms = self.start_ms + self.lead_ms + int(self.rng.uniform(0, slack_ms - extra_ms))
        return depart_ms, depart_ms + out.ms(out.length_m) + stay_ms + between_ms + extra_ms

    def span(self, shortest_ms: int, longest_ms: int) -> tuple[int, int]:
        """When something begins and ends that takes so long, with a lead before and after. Raises DoesNotFitError."""
        slack_ms = self.end_ms - self.start_ms - 2 * self.lead_ms - shortest_ms
        if slack_ms < 0:
            raise DoesNotFitError
        extra_ms = int(self.rng.uniform(0, min(slack_ms, longest_ms - shortest_ms)))
        begin_ms = self.start_ms + self.lead_ms + int(self.rng.uniform(0, slack_ms - extra_ms))
        return begin_ms, begin_ms + shortest_ms + extra_ms

    def steps(self, share: float) -> int:
        """Milliseconds of so many steps."""
        return round(share * self.step_ms)

    def breach(
        self,
        slot: str,
        kind: str,
        regions: set[int],
        story: str,
        crossed: tuple[int, int],
        back: tuple[int, int] | None,
        *,
        late: bool = False,
    ) -> Breach:
        """A breach whose line is crossed within `crossed` (maybe, surely; UTC ms) and crossed back within `back`.

        The onset is the first fix beyond the line; of the two fixes that clear it the second counts.
        """
        onset = crossed[0], crossed[1] + self.steps(1 + JITTER)
        return self.episode(slot, kind, regions, story, onset, None if back is None else self.returned(back), late=late)

    def returned(self, back: tuple[int, int]) -> tuple[int, int]:
        """When the second fix was taken behind a line that is crossed back within `back` (maybe, surely; UTC ms)."""
        return back[0] + self.steps(1 - JITTER), back[1] + self.steps(2 + JITTER)

    def episode(
        self,
        slot: str,
        kind: str,
        regions: set[int],
        story: str,
        onset: tuple[int, int],
        cleared: tuple[int, int] | None,
        *,
        level: str = "red",
        reason: str = "returned",
        late: bool = False,
    ) -> Breach:
        """An episode with its onset, and its clear if any, each between two instants (UTC ms)."""
        return Breach(
            subject=self.subject,
            slot=slot,
            kind=kind,
            onset_from=onset[0],
            onset_to=onset[1],
            cleared_from=None if cleared is None else cleared[0],
            cleared_to=None if cleared is None else cleared[1],
            regions=tuple(sorted(IDS[i] for i in regions)),
            story=story,
            level=level,
            reason=None if cleared is None else reason,
            late=late,
        )


Story = Callable[[Stage], Scene]


def driven(legs: list[tuple[int, Trip]]) -> tuple[Times, Floats]:
    """The path of trips that start at the given times (UTC ms), staying where each ends until the next."""
    times, places = [], []
    for depart_ms, trip in legs:
        metres = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(trip.points, axis=0).T))])
        times.append(depart_ms + (metres / trip.speed_mps * 1000).astype(np.int64))
        places.append(trip.points)
    return np.concatenate(times), np.concatenate(places)


def reversed_trip(trip: Trip) -> Trip:
    """The way back; `maybe_m` and `sure_m` say where on it the line may first and must surely have been crossed back."""
    length_m = trip.length_m
    return replace(trip, points=trip.points[::-1], maybe_m=length_m - trip.sure_m, sure_m=length_m - trip.maybe_m)


def rfc3339(time_ms: int) -> str:
    """A time in UTC with milliseconds."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def full_minute(time_ms: int) -> int:
    """The first full minute at or after an instant: schedules know no seconds."""
    return -(-time_ms // MINUTE_MS) * MINUTE_MS


def local_clock(time_ms: int) -> tuple[str, str]:
    """Day of the week and time of day in the districts, as schedules write them: `mon`, `07:30`."""
    local = datetime.fromtimestamp((time_ms + LOCAL_OFFSET_MS) / 1000, UTC)
    return WEEKDAYS[local.weekday()], f"{local:%H:%M}"
