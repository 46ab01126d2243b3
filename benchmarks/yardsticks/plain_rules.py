"""The rules one fix at a time in plain Python: J1-J6, J9, J13, written to be as fast as plain Python goes.

The usual fix, which is inside an own area and near no zone, costs two calls into C: one prepared cover test and one question to the
R-tree. Everything else is comparisons on slots. Only what is rare (close to a border, an opening) is written for clarity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import shapely
from shapely import lib

from benchmarks.yardsticks.plain_registry import CALM, OPEN, PENDING, Area, Person, PlainRegistry, Rule, Slot
from fences.metres import METRES_PER_DEGREE_LAT_MIN, METRES_PER_DEGREE_LON_MIN_AT_EQUATOR, scale_at
from fences.registry import FORBID
from operators.alert import LEVELS, Alert, Change, alert_id, episode_id

FINE, UNCERTAIN, BREACH = 0, 1, 2
NOWHERE = -1
_covers = lib.intersects_xy
"""`shapely.intersects_xy` without its Python wrapper, which costs as much as the test; of a point it equals `covers`."""


class PlainRules:
    """Judges fixes of a registry and keeps the people's state; `take` gives the alerts that a fix makes."""

    def __init__(self, registry: PlainRegistry) -> None:
        self.registry = registry
        self.people = registry.people
        self.max_accuracy_m = registry.max_accuracy_m
        self.in_order = self.contacts = self.late = self.rejected = 0
        # Point form of the coordinates: half the cost of a box. Few points are in a zone's box, so to count comes first.
        self._zones_at = registry.zone_tree.count

    def take(
        self, person: Person, time_ms: int, lon: float | None, lat: float | None, accuracy_m: float | None
    ) -> list[Alert] | None:
        """What one fix makes: alerts, or None."""
        if time_ms <= person.last_ms:
            self.late += 1
            return None
        person.last_ms = time_ms
        if lon is None or lat is None or (accuracy_m is not None and accuracy_m > self.max_accuracy_m):
            self.contacts += 1
            return None
        self.in_order += 1
        alerts: list[Alert] | None = None
        slot = person.area
        for rule in person.allow:
            if rule.from_ms <= time_ms < rule.until_ms:
                for x0, y0, x1, y1, shape in rule.areas:
                    if x0 <= lon <= x1 and y0 <= lat <= y1 and _covers(shape, lon, lat):
                        break
                else:
                    continue
                if slot.state != CALM:
                    alerts = self._step_area(person, FINE, time_ms, lon, lat, accuracy_m)
                break
        else:
            if person.allow:
                verdict = self._near_any(person.allow, time_ms, lon, lat, accuracy_m)
                if verdict != BREACH or slot.state != OPEN or slot.clear_count or self._region(person, lon, lat) not in slot.told:
                    alerts = self._step_area(person, verdict, time_ms, lon, lat, accuracy_m)
        if person.slots or person.forbid or person.require or self._zones_at((lon, lat)):
            verdicts = self._verdicts(person, time_ms, lon, lat, accuracy_m)
            if verdicts or person.slots:
                told = self._step_rules(person, verdicts, time_ms, lon, lat, accuracy_m)
                alerts = told if alerts is None else alerts + told
        return alerts

    # ---------------------------------------------------------------------------------------------------------- verdicts

    def _near_any(self, rules: Iterable[Rule], time_ms: int, lon: float, lat: float, accuracy_m: float | None) -> int:
        """J2 and J4 where no area covers the point: the best verdict over the active rules."""
        best = BREACH
        for rule in rules:
            if rule.from_ms <= time_ms < rule.until_ms:
                reach_m = rule.tolerance_m + rule.accuracy_factor * (accuracy_m or 0.0)
                for area in rule.areas:
                    away_m = _outside_m(area, lon, lat, reach_m)
                    if away_m <= rule.tolerance_m:
                        return FINE
                    if away_m <= reach_m:
                        best = UNCERTAIN
        return best

    def _verdicts(self, person: Person, time_ms: int, lon: float, lat: float, accuracy_m: float | None) -> dict[int, int]:
        """J3 and J4: verdicts other than fine, by rule number."""
        out: dict[int, int] = {}
        for rule in person.forbid:
            if not (rule.everyone or not rule.groups.isdisjoint(person.groups)):
                for area in rule.areas:
                    _note(out, rule, _inside(rule, area, time_ms, lon, lat, accuracy_m))
        for z in self.registry.zone_tree.intersection((lon, lat)):
            rule, area = self.registry.zones[z]
            if rule.everyone or not rule.groups.isdisjoint(person.groups):
                _note(out, rule, _inside(rule, area, time_ms, lon, lat, accuracy_m))
        for rule in person.require:
            if rule.from_ms <= time_ms < rule.until_ms and not any(_in(area, lon, lat) for area in rule.areas):
                _note(out, rule, self._near_any((rule,), time_ms, lon, lat, accuracy_m))
        return out

    def _region(self, person: Person, lon: float, lat: float) -> int:
        """The region of a point, of several the one of the least id; most often it is the one he was found in before."""
        registry = self.registry
        if person.found >= 0 and _in(registry.regions[person.found], lon, lat):
            for rival in registry.rivals[person.found]:
                if _in(registry.regions[rival], lon, lat):
                    break
            else:
                return person.found
        person.found = NOWHERE
        for region in sorted(registry.region_tree.intersection((lon, lat))):
            if _in(registry.regions[region], lon, lat):
                person.found = region
                break
        return person.found

    # -------------------------------------------------------------------------------------------------------------- slots

    def _step_area(
        self, person: Person, verdict: int, time_ms: int, lon: float, lat: float, accuracy_m: float | None
    ) -> list[Alert] | None:
        active = [rule for rule in person.allow if rule.from_ms <= time_ms < rule.until_ms]
        if active:
            policy = (
                max(rule.confirm_fixes for rule in active),
                max(rule.confirm_ms for rule in active),
                max(rule.clear_fixes for rule in active),
                min(rule.level for rule in active),
            )
        else:
            policy = self.registry.allow_policy
        return self._advance(person, None, active, person.area, "left_area", verdict, policy, time_ms, lon, lat, accuracy_m)

    def _step_rules(
        self, person: Person, verdicts: dict[int, int], time_ms: int, lon: float, lat: float, accuracy_m: float | None
    ) -> list[Alert]:
        alerts: list[Alert] = []
        for number in [*person.slots, *[n for n in verdicts if n not in person.slots and verdicts[n] == BREACH]]:
            rule, verdict = self.registry.rules[number], verdicts.get(number, FINE)
            slot = person.slots.setdefault(number, Slot())
            kind = "entered_forbidden" if rule.effect == FORBID else "absent"
            policy = (rule.confirm_fixes, rule.confirm_ms, rule.clear_fixes, rule.level)
            alerts += self._advance(person, rule, [rule], slot, kind, verdict, policy, time_ms, lon, lat, accuracy_m) or []
            if slot.state == CALM:
                del person.slots[number]
        return alerts

    def _advance(
        self,
        person: Person,
        rule: Rule | None,
        rules: list[Rule],
        slot: Slot,
        kind: str,
        verdict: int,
        policy: tuple[int, int, int, int],
        time_ms: int,
        lon: float,
        lat: float,
        accuracy_m: float | None,
    ) -> list[Alert] | None:
        """J6, and whom it is told to."""
        confirm_fixes, confirm_ms, clear_fixes, level = policy
        was_open = slot.state == OPEN
        change: Change | None = None
        if verdict == BREACH:
            if was_open:
                slot.clear_count = 0
            else:
                if slot.state == CALM:
                    slot.state, slot.onset_ms, slot.kind, slot.count = PENDING, time_ms, kind, 0
                slot.count += 1
                if slot.count >= confirm_fixes and time_ms - slot.onset_ms >= confirm_ms:
                    slot.state, slot.level, slot.clear_count, slot.told = OPEN, level, 0, {person.home}
                    change = "opened"
        elif verdict == FINE:
            if was_open:
                slot.clear_count += 1
                if slot.clear_count >= clear_fixes:
                    slot.state = CALM
                    change = "cleared"
            else:
                slot.state = CALM
        if change is None and not was_open:
            return None
        found = self._region(person, lon, lat)
        if change is None and found >= 0 and found not in slot.told:
            change = "moved"
        if change is None:
            return None
        if change != "cleared":
            slot.told.add(found)
        return [self._alert(person, rule, rules, slot, change, found, time_ms, lon, lat, accuracy_m)]

    def _alert(
        self,
        person: Person,
        rule: Rule | None,
        rules: list[Rule],
        slot: Slot,
        change: Change,
        found: int,
        time_ms: int,
        lon: float,
        lat: float,
        accuracy_m: float | None,
    ) -> Alert:
        ids = self.registry.region_ids
        name = "area" if rule is None else f"rule:{rule.id}"
        found_id = ids[found] if found >= 0 else None
        distance_m: float | None = None
        if change == "opened":
            outside = [_outside_m(area, lon, lat, math.inf) for r in rules for area in r.areas]
            inside = [_depth_m(area, lon, lat) for r in rules for area in r.areas if _in(area, lon, lat)]
            distance_m = max(inside, default=None) if rule is not None and rule.effect == FORBID else min(outside, default=None)
        return Alert(
            id=alert_id(person.id, name, slot.onset_ms, change, str(found_id) if change == "moved" else None),
            change=change,
            time_ms=time_ms,
            subject=person.id,
            slot=name,
            kind=slot.kind,
            level=LEVELS[slot.level],
            episode=episode_id(person.id, name, slot.onset_ms),
            rule=None if rule is None else rule.id,
            onset_ms=slot.onset_ms,
            reason="returned" if change == "cleared" else None,
            lon=lon,
            lat=lat,
            accuracy_m=accuracy_m,
            distance_m=distance_m,
            home_region=ids[person.home] if person.home >= 0 else None,
            found_region=found_id,
            rules_version=self.registry.version,
            late=False,
            received_ms=time_ms,
            regions=tuple(sorted([ids[r] for r in slot.told | {person.home} if r >= 0])),
        )


def _in(area: Area, lon: float, lat: float) -> bool:
    x0, y0, x1, y1, shape = area
    return bool(x0 <= lon <= x1 and y0 <= lat <= y1 and _covers(shape, lon, lat))


def _note(verdicts: dict[int, int], rule: Rule, verdict: int) -> None:
    if verdict != FINE:
        verdicts[rule.number] = max(verdict, verdicts.get(rule.number, FINE))


def _inside(rule: Rule, area: Area, time_ms: int, lon: float, lat: float, accuracy_m: float | None) -> int:
    """J3 for one area."""
    if not rule.from_ms <= time_ms < rule.until_ms or not _in(area, lon, lat):
        return FINE
    deep_m = rule.accuracy_factor * (accuracy_m or 0.0)
    return BREACH if deep_m <= 0.0 or _depth_m(area, lon, lat) >= deep_m else UNCERTAIN


def _outside_m(area: Area, lon: float, lat: float, limit_m: float) -> float:
    """Metres from a point outside of an area to it where it is at most about `limit_m`, else infinity."""
    x0, y0, x1, y1, shape = area
    if limit_m < math.inf:
        up = limit_m / METRES_PER_DEGREE_LAT_MIN
        if not y0 - up <= lat <= y1 + up:
            return math.inf
        aside = limit_m / (METRES_PER_DEGREE_LON_MIN_AT_EQUATOR * math.cos(math.radians(abs(lat) + up)))
        if not x0 - aside <= lon <= x1 + aside or not shapely.dwithin(shape, shapely.Point(lon, lat), max(up, aside)):
            return math.inf
    return 0.0 if _covers(shape, lon, lat) else _depth_m(area, lon, lat)


def _depth_m(area: Area, lon: float, lat: float) -> float:
    """Metres from a point to the border of an area, in the plane that touches the ellipsoid there."""
    east_m, north_m = scale_at(lat)
    border = shapely.transform(shapely.boundary(area[4]), lambda xy: (xy - (lon, lat)) * (east_m, north_m))
    return float(shapely.distance(border, shapely.Point(0.0, 0.0)))
