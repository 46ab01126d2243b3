"""Stories of devices that were out of reach while their people broke a rule, and reported it all when they were home again (J9)."""

from __future__ import annotations

from pipeline.worlds.devices import Script, Span
from pipeline.worlds.sampling import JITTER
from pipeline.worlds.stories import Breach, DoesNotFitError, Scene, Stage, Story, Trip, driven, reversed_trip
from pipeline.worlds.stories_border import AREA, calm_of, crossed, neighbours
from pipeline.worlds.stories_forbidden import zone_for
from pipeline.worlds.trips import into_zone, over_border

PATIENCE_S = 4 * 3600
"""These devices are known to be out of reach at times: their people have a limit of their own."""
LONGEST_MS = 14 * 60_000
"""Late evidence within a quarter of an hour of the first is the same: so nobody is away for longer."""
TRIES = 20


def reports_leaving_late(stage: Stage) -> Scene:
    """Goes to the neighbouring district without a permit while his device is out of reach: told when it reports it."""
    home, other = neighbours(stage)
    for _ in range(TRIES):
        out = over_border(stage, home, other)
        stay_ms = _stay_ms(stage, out, fixes=2)
        if stay_ms is not None:
            break
    else:
        raise DoesNotFitError
    depart_ms, leave_ms = _times(stage, out, stay_ms)
    found = crossed(depart_ms, out)
    # The second breach makes the evidence: as the second fine fix clears.
    breach = stage.breach(AREA, "left_area", {home, other}, "reports_leaving_late", found, found, late=True)
    return _scene(stage, "reports_leaving_late", home, out, (depart_ms, leave_ms), breach)


def reports_entering_late(stage: Stage) -> Scene:
    """Enters the place forbidden to everybody while his device is out of reach: told when it reports it."""
    zone = zone_for(stage, group=None)
    out = into_zone(stage, zone.district, zone.shape, zone.centre)
    stay_ms = _stay_ms(stage, out, fixes=1)
    if stay_ms is None:
        raise DoesNotFitError
    depart_ms, leave_ms = _times(stage, out, stay_ms)
    first, last = crossed(depart_ms, out)
    onset = first, last + stage.steps(1 + JITTER)
    slot = f"rule:{zone.rule_id}"
    breach = stage.episode(slot, "entered_forbidden", {zone.district}, "reports_entering_late", onset, onset, late=True)
    return _scene(stage, "reports_entering_late", zone.district, out, (depart_ms, leave_ms), breach)


STORIES: tuple[Story, ...] = (reports_leaving_late, reports_entering_late)


def _stay_ms(stage: Stage, out: Trip, fixes: int) -> int | None:
    """How long to stay, that surely so many fixes and one more lie beyond the line; None where that would be too long."""
    surely_ms, maybe_ms = 2 * out.ms(out.length_m - out.sure_m), 2 * out.ms(out.length_m - out.maybe_m)
    stay_ms = max(stage.steps(fixes * (1 + JITTER)) + 15_000 - surely_ms, 0)
    return stay_ms if stay_ms + maybe_ms < LONGEST_MS else None


def _times(stage: Stage, out: Trip, stay_ms: int) -> tuple[int, int]:
    """When to leave home and when to start back. Raises DoesNotFitError."""
    way_ms = out.ms(out.length_m)
    whole_ms = 2 * way_ms + stay_ms
    depart_ms = stage.span(whole_ms + stage.lead_ms, whole_ms + stage.lead_ms)[0]
    return depart_ms, depart_ms + way_ms + stay_ms


def _scene(stage: Stage, story: str, district: int, out: Trip, times: tuple[int, int], breach: Breach) -> Scene:
    back = reversed_trip(out)
    home_ms = times[1] + back.ms(back.length_m)
    # Sent when a later record has surely arrived: all of them are late.
    held = Span("held", times[0], home_ms, home_ms + stage.steps(1.4))
    device = Script((float(out.points[0, 0]), float(out.points[0, 1])), (held,))
    path = driven([(times[0], out), (times[1], back)])
    calm = calm_of(stage, times, back)
    return Scene(story, district, path, calm, breaches=(breach,), device=device, silent_after_s=PATIENCE_S)
