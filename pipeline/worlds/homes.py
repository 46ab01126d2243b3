"""Somebody who stays at home while his device does something: the scene that the stories of contact and device share."""

from __future__ import annotations

import numpy as np

from pipeline.worlds.devices import Script
from pipeline.worlds.people import room_of
from pipeline.worlds.plane import Floats
from pipeline.worlds.stories import Breach, Scene, Stage
from pipeline.worlds.zones import points_within

AT_ONCE = 64
Home = tuple[int, Floats]
"""District, and place (2,) in metres: out of reach of every border and forbidden place."""


def home_of(stage: Stage) -> Home:
    """A home for the subject."""
    district = int(stage.rng.integers(0, 3))
    pool = stage.places.setdefault(district, [])
    if not pool:
        pool.extend(points_within(room_of(stage.districts, stage.zones, [district], young=True), AT_ONCE, stage.rng))
    return district, pool.pop()


def at_home(
    stage: Stage,
    story: str,
    home: Home,
    span: tuple[int, int],
    device: Script,
    breaches: tuple[Breach, ...],
    silent_after_s: int | None = None,
) -> Scene:
    """He stays at home; within `span`, a lead before and a lead after, the device sees an open sky."""
    district, place = home
    path = np.array([stage.start_ms]), place[None]
    calm = span[0] - stage.lead_ms, span[1] + stage.lead_ms
    return Scene(story, district, path, calm, breaches=breaches, device=device, silent_after_s=silent_after_s)


def place_of(home: Home) -> tuple[float, float]:
    """Where the home is, metres on the plane."""
    return float(home[1][0]), float(home[1][1])
