"""Stories of what a device says of itself: tampering, separation, battery (J11); and of a position that cannot be (J12)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline.worlds.devices import Script, Span, Twin
from pipeline.worlds.homes import Home, at_home, home_of, place_of
from pipeline.worlds.people import room_of
from pipeline.worlds.sampling import JITTER
from pipeline.worlds.stories import Breach, DoesNotFitError, Scene, Stage, Story
from pipeline.worlds.zones import circle, points_within

FLAG_MS = (5 * 60_000, 40 * 60_000)
DRAIN_MS = 15 * 60_000
FULL_PCT, USUAL_PCT = 70.0, 40.0
LOW_PCT, CRITICAL_PCT, CHARGED_PCT = 20, 5, 5
"""Thresholds of the shipped policy, and how much above them an alert is cleared."""
JUMP_M = (2_500.0, 4_500.0)
"""Faster than 100 m/s in a fiftieth of the longest step, slower in the rest of a step of a minute."""


def tamper(stage: Stage) -> Scene:
    """His device reports that it was opened or cut off, later that all is well."""
    return _flagged(stage, "tamper")


def separated(stage: Stage) -> Scene:
    """His device reports that he is not with it, later that he is."""
    return _flagged(stage, "separated")


def battery_low(stage: Stage) -> Scene:
    """His battery runs low before he charges it: to tell, not to act on."""
    return _drained(stage, "battery_low", 12.0)


def battery_critical(stage: Stage) -> Scene:
    """His battery runs almost empty before he charges it: low, then critical."""
    return _drained(stage, "battery_critical", 2.0)


def implausible(stage: Stage) -> Scene:
    """A second device claims to be he, kilometres away: no legs and no car are that fast."""
    home, span = home_of(stage), stage.span(stage.steps(4), stage.steps(4))
    ring = circle(home[1], JUMP_M[1]).difference(circle(home[1], JUMP_M[0]))
    room = room_of(stage.districts, stage.zones, [home[0]], young=True).intersection(ring)
    if room.is_empty:
        raise DoesNotFitError
    x, y = points_within(room, 1, stage.rng)[0].tolist()
    onset = span[0], span[0] + stage.steps(1.05)
    # Where steps are short the way back is a jump as well.
    cleared = onset[0], span[0] + stage.steps(3 + JITTER)
    breach = stage.episode("implausible", "implausible", {home[0]}, "implausible", onset, cleared, level="yellow")
    device = Script(place_of(home), twin=Twin(span[0], (x, y)))
    return at_home(stage, "implausible", home, span, device, (breach,))


STORIES: tuple[Story, ...] = (tamper, implausible, battery_low, separated, battery_critical)


def _flagged(stage: Stage, flag: str) -> Scene:
    home, span = home_of(stage), stage.span(max(FLAG_MS[0], stage.steps(3)), FLAG_MS[1])
    late_ms = stage.steps(1 + JITTER)
    breach = stage.episode(flag, flag, {home[0]}, flag, (span[0], span[0] + late_ms), (span[1], span[1] + late_ms))
    calm = Span("calm_flags", span[0] - stage.lead_ms, span[1] + stage.lead_ms)
    device = Script(place_of(home), (calm, Span("tamper" if flag == "tamper" else "separated", *span)))
    return at_home(stage, flag, home, span, device, (breach,))


def _drained(stage: Stage, story: str, down_to_pct: float) -> Scene:
    hold_ms = max(5 * 60_000, stage.steps(1.5))
    home, span = home_of(stage), stage.span(2 * DRAIN_MS + hold_ms, 2 * DRAIN_MS + hold_ms)
    empty_ms, charging_ms = span[0] + DRAIN_MS, span[0] + DRAIN_MS + hold_ms
    battery = (span[0], USUAL_PCT), (empty_ms, down_to_pct), (charging_ms, down_to_pct), (span[1], FULL_PCT)
    breaches = [_low(stage, "battery_low", "info", story, home, battery, LOW_PCT)]
    if down_to_pct <= CRITICAL_PCT:
        breaches.append(_low(stage, "battery_critical", "yellow", story, home, battery, CRITICAL_PCT))
    return at_home(stage, story, home, span, Script(place_of(home), battery=battery), tuple(breaches))


def _low(
    stage: Stage, kind: str, level: str, story: str, home: Home, battery: tuple[tuple[int, float], ...], threshold_pct: int
) -> Breach:
    """A device reports whole percents, cut off: at or below the threshold means less than one percent above it."""
    below_ms = _reached(battery, threshold_pct + 1)[0]
    charged_ms = _reached(battery, threshold_pct + CHARGED_PCT)[-1]
    late_ms = stage.steps(1 + 2 * JITTER)
    return stage.episode(
        kind, kind, {home[0]}, story, (below_ms, below_ms + late_ms), (charged_ms, charged_ms + late_ms), level=level
    )


def _reached(battery: tuple[tuple[int, float], ...], percent: float) -> list[int]:
    """The instants at which the battery passes so many percent."""
    passed = []
    for (t0, p0), (t1, p1) in pairwise(battery):
        if min(p0, p1) < percent <= max(p0, p1):
            passed.append(int(np.floor(t0 + (percent - p0) / (p1 - p0) * (t1 - t0))))
    return passed
