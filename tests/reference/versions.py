"""J7, a new registry version: what lies before its instant comes first, under the old one; then the instant is an edge."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.activity import active_rules
from tests.reference.alerts import Docket, Occasion
from tests.reference.contact import bring_deadlines
from tests.reference.edges import bring_edge, bring_edges
from tests.reference.judging import close, end_slots, living
from tests.reference.registry import Registry, Rule, Terms
from tests.reference.standing import Standing

Content = tuple[dict[str, tuple[str, Terms, list[str]]], Terms | None]


def change_version(docket: Docket, standings: dict[str, Standing], mark: int, new: Registry) -> None:
    """The version `new` at the instant of a mark in line with the records."""
    before: dict[str, Content] = {}
    for subject_id, s in list(standings.items()):
        instant = instant_for(s, mark)
        bring_deadlines(docket, s, mark)
        bring_edges(docket, s, instant - 1)
        s.deadline_floor = mark
        if subject_id not in new.subjects:
            forget(docket, s, instant)
            del standings[subject_id]
            continue
        covered = s.edges_done is not None and s.edges_done >= instant
        just_before = instant if covered else instant - 1
        before[subject_id] = content(docket.registry, subject_id, active_rules(docket.registry, subject_id, just_before))
    effects = {rule.id: rule.effect for rule in docket.registry.rules}
    changed = {f"rule:{rule.id}" for rule in new.rules if effects.get(rule.id, rule.effect) != rule.effect}
    docket.registry = new
    for subject_id, s in standings.items():
        instant = instant_for(s, mark)
        end_slots(docket, s, living(docket, s, instant), Occasion(instant, s.placed, None))
        for slot_id in changed:  # A rule that changes its effect is a new one: it takes over nothing of the old one's past.
            s.lanes.pop(slot_id, None)
            s.past.pop(slot_id, None)
        if before[subject_id] != content(new, subject_id, active_rules(new, subject_id, instant)):
            bring_edge(docket, s, instant)
        s.edges_done = instant if s.edges_done is None else max(instant, s.edges_done)


def instant_for(s: Standing, mark: int) -> int:
    """The instant of the mark; for a subject with a later record, that record's time."""
    return mark if s.last_time is None else max(mark, s.last_time)


def content(registry: Registry, subject_id: str, active: Sequence[Rule]) -> Content:
    """What makes a new version an edge where it differs: the active rules, the shapes of their areas, their policy."""
    rules = {rule.id: (rule.effect, rule.terms, sorted(area.shape.wkb_hex for area in rule.areas)) for rule in active}
    has_area = any(rule.effect == "allow" for rule in registry.rules_of(subject_id))
    return rules, registry.section_terms["allow"] if has_area else None


def forget(docket: Docket, s: Standing, instant: int) -> None:
    """A subject who is no longer in the registry: all his open slots are cleared, under the old version."""
    occasion = Occasion(instant, s.placed, None)
    for slot in s.slots.values():
        close(docket, s, slot, occasion, "rule_ended")
    for episode in s.flags.values():
        docket.cleared(s.subject_id, episode, occasion, "rule_ended")
