"""Stories of permits that end: who comes home in time, who stays too long, and who stays for good.

A permit is approved for a span of time; it stands in a file of its own in `rules.d/`.
"""

from __future__ import annotations

from typing import Any

from pipeline.worlds.days import DAY_MS, MINUTE_MS
from pipeline.worlds.districts import IDS
from pipeline.worlds.stories import Scene, Stage, Story, Trip, driven, full_minute, reversed_trip, rfc3339
from pipeline.worlds.stories_border import AREA, calm_of, crossed, neighbours
from pipeline.worlds.trips import over_border


def overstay(stage: Stage) -> Scene:
    """Works in the neighbouring district on a permit, stays when it ends, comes home: red in both districts, then cleared."""
    home, other = neighbours(stage)
    out = over_border(stage, home, other)
    back = reversed_trip(out)
    depart_ms, leave_ms = times = stage.visit(out, back, between_ms=_around(stage))
    ends_ms = _while_there(stage, depart_ms, out, leave_ms)
    cleared = stage.returned(crossed(leave_ms, back))
    breach = stage.episode(AREA, "overstay", {home, other}, "overstay", (ends_ms, ends_ms), cleared)
    path = driven([(depart_ms, out), (leave_ms, back)])
    rule = _permit(stage, other, depart_ms, ends_ms)
    return Scene("overstay", home, path, calm_of(stage, times, back), rules=(rule,), breaches=(breach,))


def overstay_for_good(stage: Stage) -> Scene:
    """The same, and he is still there at the end: opened, never cleared."""
    home, other = neighbours(stage)
    out = over_border(stage, home, other)
    depart_ms, leave_ms = stage.visit(out, between_ms=_around(stage))
    ends_ms = _while_there(stage, depart_ms, out, leave_ms)
    breach = stage.episode(AREA, "overstay", {home, other}, "overstay_for_good", (ends_ms, ends_ms), None)
    calm = depart_ms - stage.lead_ms, stage.end_ms + DAY_MS
    rule = _permit(stage, other, depart_ms, ends_ms)
    return Scene("overstay_for_good", home, driven([(depart_ms, out)]), calm, rules=(rule,), breaches=(breach,))


def back_in_time(stage: Stage) -> Scene:
    """The same permit, and he is home before it ends: nothing is told."""
    home, other = neighbours(stage)
    out = over_border(stage, home, other)
    back = reversed_trip(out)
    depart_ms, leave_ms = times = stage.visit(out, back)
    ends_ms = full_minute(leave_ms + back.ms(back.length_m) + stage.steps(1.5))
    path = driven([(depart_ms, out), (leave_ms, back)])
    return Scene("back_in_time", home, path, calm_of(stage, times, back), rules=(_permit(stage, other, depart_ms, ends_ms),))


STORIES: tuple[Story, ...] = (overstay, back_in_time, overstay_for_good)


def _around(stage: Stage) -> int:
    """So much longer he stays, that the end of the permit lies well within."""
    return stage.steps(6) + 2 * MINUTE_MS


def _while_there(stage: Stage, depart_ms: int, out: Trip, leave_ms: int) -> int:
    """A full minute while he is there, at least three steps after he came and before he leaves."""
    came_ms = depart_ms + out.ms(out.length_m)
    return full_minute(int(stage.rng.uniform(came_ms + stage.steps(3), leave_ms - stage.steps(3) - MINUTE_MS)))


def _permit(stage: Stage, district: int, depart_ms: int, ends_ms: int) -> dict[str, Any]:
    begins_ms = full_minute(depart_ms) - 2 * MINUTE_MS
    return {
        "id": f"permit-{stage.subject}",
        "effect": "allow",
        "subjects": [stage.subject],
        "areas": [IDS[district]],
        "from": rfc3339(begins_ms),
        "until": rfc3339(ends_ms),
        "permit": f"XB-{stage.subject}",
    }
