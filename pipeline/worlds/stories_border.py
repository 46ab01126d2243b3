"""Stories of people who cross into a neighbouring district: with a permit, without one, without coming back, and further on."""

from __future__ import annotations

import numpy as np
import shapely

from pipeline.worlds.days import DAY_MS
from pipeline.worlds.districts import IDS
from pipeline.worlds.people import room_of
from pipeline.worlds.stories import (
    SURELY_OUTSIDE_M,
    TRIP_MPS,
    DoesNotFitError,
    Scene,
    Stage,
    Story,
    Trip,
    driven,
    reversed_trip,
    rfc3339,
)
from pipeline.worlds.trips import ATTEMPTS, FROM_BORDER_M, SLOWEST_CROSSING_M, TRIES, crossing, over_border, ways_within
from pipeline.worlds.zones import points_within

NEAR_MEETING_POINT_M = 3_200.0
AREA = "area"


def no_permit(stage: Stage) -> Scene:
    """Works in the neighbouring district without a permit and comes home: a red alert in both districts, then its clear."""
    home, other = neighbours(stage)
    out = over_border(stage, home, other)
    back = reversed_trip(out)
    times = stage.visit(out, back)
    depart_ms, leave_ms = times
    breach = stage.breach(AREA, "left_area", {home, other}, "no_permit", crossed(depart_ms, out), crossed(leave_ms, back))
    return Scene("no_permit", home, driven([(depart_ms, out), (leave_ms, back)]), calm_of(stage, times, back), breaches=(breach,))


def permit(stage: Stage) -> Scene:
    """The same way with a permit for the neighbouring district that covers the whole recording: nothing is told."""
    home, other = neighbours(stage)
    out = over_border(stage, home, other)
    back = reversed_trip(out)
    times = stage.visit(out, back)
    rule = {
        "id": f"permit-{stage.subject}",
        "effect": "allow",
        "subjects": [stage.subject],
        "areas": [IDS[other]],
        "from": rfc3339(stage.start_ms - DAY_MS),
        "until": rfc3339(stage.end_ms + DAY_MS),
        "permit": f"XB-{stage.subject}",
    }
    return Scene("permit", home, driven([(times[0], out), (times[1], back)]), calm_of(stage, times, back), rules=(rule,))


def stays_away(stage: Stage) -> Scene:
    """Leaves for the neighbouring district without a permit and is still there at the end: opened, never cleared."""
    home, other = neighbours(stage)
    out = over_border(stage, home, other)
    times = stage.visit(out)
    breach = stage.breach(AREA, "left_area", {home, other}, "stays_away", crossed(times[0], out), None)
    calm = (times[0] - stage.lead_ms, stage.end_ms + DAY_MS)
    return Scene("stays_away", home, driven([(times[0], out)]), calm, breaches=(breach,))


def moves_on(stage: Stage) -> Scene:
    """Leaves his district for a second and goes on to the third before he comes home: all three are told of one episode."""
    home, second, third = (int(i) for i in stage.rng.permutation(3))
    out, onward, back = _round_trip(stage, home, second, third)
    times = stage.visit(out, back, between_ms=onward.ms(onward.length_m) + 2 * stage.lead_ms)
    depart_ms, leave_ms = times
    onward_ms = depart_ms + out.ms(out.length_m) + stage.lead_ms
    breach = stage.breach(AREA, "left_area", {0, 1, 2}, "moves_on", crossed(depart_ms, out), crossed(leave_ms, back))
    path = driven([(depart_ms, out), (onward_ms, onward), (leave_ms, back)])
    return Scene("moves_on", home, path, calm_of(stage, times, back), breaches=(breach,))


STORIES: tuple[Story, ...] = (no_permit, permit, stays_away, moves_on)


def neighbours(stage: Stage) -> tuple[int, int]:
    """A home district and a neighbouring one."""
    home = int(stage.rng.integers(0, 3))
    return home, int(home + stage.rng.integers(1, 3)) % 3


def crossed(depart_ms: int, trip: Trip) -> tuple[int, int]:
    """When the line of a trip is crossed: maybe first, surely at last (UTC ms)."""
    return depart_ms + trip.ms(trip.maybe_m), depart_ms + trip.ms(trip.sure_m)


def calm_of(stage: Stage, times: tuple[int, int], back: Trip) -> tuple[int, int]:
    """The span of a visit (when he departs, when he starts back) with its leads."""
    return times[0] - stage.lead_ms, times[1] + back.ms(back.length_m) + stage.lead_ms


def _round_trip(stage: Stage, home: int, second: int, third: int) -> tuple[Trip, Trip, Trip]:
    """Three trips around the point where the districts meet. Raises DoesNotFitError."""
    shapes, rng = stage.districts.shapes, stage.rng
    meeting = shapely.intersection_all(shapes)
    rooms = [room_of(stage.districts, stage.zones, [i], young=True, margin_m=FROM_BORDER_M[0]) for i in (home, second, third)]
    near = [room.intersection(meeting.buffer(NEAR_MEETING_POINT_M)) for room in rooms]
    room = room_of(stage.districts, stage.zones, [0, 1, 2], young=True)
    wide = shapes[home].buffer(SURELY_OUTSIDE_M)
    for _ in range(ATTEMPTS):
        if any(shape.is_empty for shape in near):
            break
        homes = np.repeat(points_within(near[0], 1, rng), TRIES, axis=0)
        outs = crossing(homes, points_within(near[1], TRIES, rng), room, shapes[home], wide, SLOWEST_CROSSING_M[0], rng)
        backs = crossing(homes, points_within(near[2], TRIES, rng), room, shapes[home], wide, SLOWEST_CROSSING_M[0], rng)
        if not outs or not backs:
            continue
        starts, ends = np.repeat(outs[0].points[-1:], TRIES, axis=0), np.repeat(backs[0].points[-1:], TRIES, axis=0)
        ways, lines = ways_within(starts, ends, room, rng)
        ways = ways[shapely.disjoint(lines, wide)]
        if len(ways):
            return outs[0], Trip(ways[0], float(rng.uniform(*TRIP_MPS)), 0.0, 0.0), reversed_trip(backs[0])
    raise DoesNotFitError
