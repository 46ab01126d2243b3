"""Stories of people who have to be at home at certain hours (J4): who is there, who comes late, and who does not come.

Their hours are those of a schedule, on one day of the week, in the time of the districts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.worlds.days import MINUTE_MS
from pipeline.worlds.districts import IDS
from pipeline.worlds.homes import Home, home_of
from pipeline.worlds.people import room_of
from pipeline.worlds.plane import Floats
from pipeline.worlds.registry_records import HOME_RADIUS_M, circle_area
from pipeline.worlds.stories import (
    SURELY_OUTSIDE_M,
    Breach,
    DoesNotFitError,
    Scene,
    Stage,
    Story,
    Trip,
    driven,
    full_minute,
    local_clock,
    reversed_trip,
)
from pipeline.worlds.stories_border import calm_of, crossed
from pipeline.worlds.trips import SLOWEST_CROSSING_M, TRIES, crossing
from pipeline.worlds.zones import circle, points_within

FROM_HOME_M = (HOME_RADIUS_M + 600.0, HOME_RADIUS_M + 3_000.0)


def breaks_curfew(stage: Stage) -> Scene:
    """Is out when he has to be at home, and comes later: a red alert at the hour, its clear when he is back."""
    home, out, back = _outing(stage)
    depart_ms, leave_ms = times = stage.visit(out, back, between_ms=_around(stage))
    from_ms = full_minute(depart_ms + out.ms(out.length_m) + stage.steps(1))
    to_ms = full_minute(leave_ms + back.ms(back.length_m) + stage.lead_ms)
    cleared = stage.returned(crossed(leave_ms, back))
    breach = stage.episode(_slot(stage), "absent", {home[0]}, "breaks_curfew", (from_ms, from_ms), cleared)
    return _scene(stage, "breaks_curfew", home, times, out, back, (from_ms, to_ms), (breach,))


def sits_out_curfew(stage: Stage) -> Scene:
    """Is out all the time that he has to be at home: the alert is cleared because its rule has ended."""
    home, out, back = _outing(stage)
    depart_ms, leave_ms = times = stage.visit(out, back, between_ms=_around(stage))
    from_ms = full_minute(depart_ms + out.ms(out.length_m) + stage.steps(1))
    to_ms = full_minute(leave_ms - stage.steps(1) - MINUTE_MS)
    onset, cleared = (from_ms, from_ms), (to_ms, to_ms)
    breach = stage.episode(_slot(stage), "absent", {home[0]}, "sits_out_curfew", onset, cleared, reason="rule_ended")
    return _scene(stage, "sits_out_curfew", home, times, out, back, (from_ms, to_ms), (breach,))


def keeps_curfew(stage: Stage) -> Scene:
    """Is at home before the hour: nothing is told."""
    home, out, back = _outing(stage)
    times = _, leave_ms = stage.visit(out, back)
    from_ms = full_minute(leave_ms + back.ms(back.length_m) + stage.steps(1.5))
    return _scene(stage, "keeps_curfew", home, times, out, back, (from_ms, from_ms + 60 * MINUTE_MS), ())


STORIES: tuple[Story, ...] = (breaks_curfew, keeps_curfew, sits_out_curfew)


def _slot(stage: Stage) -> str:
    return f"rule:curfew-{stage.subject}"


def _around(stage: Stage) -> int:
    """So much longer he is out, that the hours begin, and may end, well within."""
    return stage.steps(5) + 3 * MINUTE_MS


def _outing(stage: Stage) -> tuple[Home, Trip, Trip]:
    """A home, and a trip from there within the district and back. Raises DoesNotFitError."""
    home = home_of(stage)
    district, place = home
    room = room_of(stage.districts, stage.zones, [district], young=True)
    ends = room.intersection(circle(place, FROM_HOME_M[1])).difference(circle(place, FROM_HOME_M[0]))
    if ends.is_empty:
        raise DoesNotFitError
    starts: Floats = np.repeat(place[None], TRIES, axis=0)
    near, far = circle(place, HOME_RADIUS_M), circle(place, HOME_RADIUS_M + SURELY_OUTSIDE_M)
    trips = crossing(starts, points_within(ends, TRIES, stage.rng), room, near, far, SLOWEST_CROSSING_M[0], stage.rng)
    if not trips:
        raise DoesNotFitError
    return home, trips[0], reversed_trip(trips[0])


def _scene(
    stage: Stage,
    story: str,
    home: Home,
    times: tuple[int, int],
    out: Trip,
    back: Trip,
    hours: tuple[int, int],
    breaches: tuple[Breach, ...],
) -> Scene:
    area_id = f"home-of-{stage.subject}"
    (day, begins), (_, ends) = local_clock(hours[0]), local_clock(hours[1])
    rule: dict[str, Any] = {
        "id": f"curfew-{stage.subject}",
        "effect": "require",
        "subjects": [stage.subject],
        "areas": [area_id],
        "schedule": [{"days": day, "from": begins, "to": ends}],
    }
    return Scene(
        story,
        home[0],
        driven([(times[0], out), (times[1], back)]),
        calm_of(stage, times, back),
        areas=(circle_area(area_id, IDS[home[0]], home[1], HOME_RADIUS_M),),
        rules=(rule,),
        breaches=breaches,
    )
