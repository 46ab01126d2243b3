"""Stories of people who enter a forbidden place: forbidden to everybody, to their group, to themselves, or to others only."""

from __future__ import annotations

from typing import Any

from pipeline.worlds.districts import IDS, PLANE
from pipeline.worlds.people import room_of
from pipeline.worlds.registry_records import circle_area
from pipeline.worlds.stories import Scene, Stage, Story, Trip, driven, reversed_trip
from pipeline.worlds.trips import into_zone
from pipeline.worlds.zones import YOUTH, Zone, circle, points_within

KEEP_OFF_RADIUS_M = 400.0
ROOM_AROUND_M = 1_500.0


def enters_port(stage: Stage) -> Scene:
    """Enters the place of his district that is forbidden to everybody, and leaves it."""
    zone = zone_for(stage, group=None)
    return _visit(stage, "enters_port", zone.district, into_zone(stage, zone.district, zone.shape, zone.centre), zone.rule_id)


def youth_in_arcade(stage: Stage) -> Scene:
    """A member of the group enters a place forbidden to the group, and leaves it."""
    zone = zone_for(stage, group=YOUTH)
    trip = into_zone(stage, zone.district, zone.shape, zone.centre)
    return _visit(stage, "youth_in_arcade", zone.district, trip, zone.rule_id, youth=True)


def breaks_no_contact(stage: Stage) -> Scene:
    """Enters a place forbidden to him alone, and leaves it."""
    district = int(stage.rng.integers(0, 3))
    room = room_of(stage.districts, stage.zones, [district], young=True, margin_m=ROOM_AROUND_M)
    centre = PLANE.snapped(points_within(room, 1, stage.rng))[0]
    trip = into_zone(stage, district, circle(centre, KEEP_OFF_RADIUS_M), centre)
    area_id, rule_id = f"keep-off-{stage.subject}", f"no-contact-{stage.subject}"
    area = circle_area(area_id, IDS[district], centre, KEEP_OFF_RADIUS_M)
    rule = {"id": rule_id, "effect": "forbid", "subjects": [stage.subject], "areas": [area_id]}
    return _visit(stage, "breaks_no_contact", district, trip, rule_id, areas=(area,), rules=(rule,))


def adult_in_arcade(stage: Stage) -> Scene:
    """Somebody who is not of the group enters the place forbidden to the group: nothing is told."""
    zone = zone_for(stage, group=YOUTH)
    return _visit(stage, "adult_in_arcade", zone.district, into_zone(stage, zone.district, zone.shape, zone.centre), None)


STORIES: tuple[Story, ...] = (enters_port, youth_in_arcade, breaks_no_contact, adult_in_arcade)


def zone_for(stage: Stage, *, group: str | None) -> Zone:
    """A place forbidden to a group, or (None) to everybody."""
    zones = [zone for zone in stage.zones if zone.group == group]
    return zones[int(stage.rng.integers(0, len(zones)))]


def _visit(stage: Stage, story: str, district: int, out: Trip, rule_id: str | None, **more: Any) -> Scene:  # noqa: ANN401
    """There and back; a breach of `rule_id` while he is inside, where that is given."""
    back = reversed_trip(out)
    times = stage.visit(out, back)
    depart_ms, leave_ms = times
    calm = (depart_ms - stage.lead_ms, leave_ms + back.ms(back.length_m) + stage.lead_ms)
    if rule_id is not None:
        entered = depart_ms + out.ms(out.maybe_m), depart_ms + out.ms(out.sure_m)
        left = leave_ms + back.ms(back.maybe_m), leave_ms + back.ms(back.sure_m)
        more["breaches"] = (stage.breach(f"rule:{rule_id}", "entered_forbidden", {district}, story, entered, left),)
    return Scene(story, district, driven([(depart_ms, out), (leave_ms, back)]), calm, **more)
