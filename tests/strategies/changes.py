"""Random changes of a registry, for the versions that follow one another in a replay.

A rule less, more, with another effect, end, schedule, policy, areas or people; a subject gone, new or back, with another home,
other groups or another patience; another shape, region, time zone or policy; and the same in another order, which is none at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tests.strategies.registries import GROUPS, HOMES, SUBJECTS, ZONES, Plan, bound, instants, policies, rules, schedules
from tests.strategies.shapes import feature, geometries, rectangle

Record = dict[str, Any]
Draw = st.DrawFn


@st.composite
def changed(draw: Draw, plan: Plan, number: int) -> Plan:
    """A later version of a registry, the `number`th: one or two things are otherwise."""
    for _ in range(draw(st.integers(1, 2))):
        what = draw(st.sampled_from([*OF_RULES, *OF_RULES, *OF_SUBJECTS, *OF_THE_REST]))
        if what in OF_RULES:
            plan = replace(plan, rules=with_other_rules(draw, plan, what, number))
        elif what in OF_SUBJECTS:
            plan = OF_SUBJECTS[what](draw, plan)
        else:
            plan = OF_THE_REST[what](draw, plan)
    return plan


def with_other_rules(draw: Draw, plan: Plan, what: str, number: int) -> tuple[Record, ...]:
    """The rules, one of them less, more or otherwise."""
    rule_list = list(plan.rules)
    i = draw(st.integers(0, len(rule_list) - 1))
    if what == "less":
        return tuple(rule_list if len(rule_list) == 1 else rule_list[:i] + rule_list[i + 1 :])
    if what == "more":
        return (
            *rule_list,
            draw(rules(f"new-{number}-{len(rule_list)}", "full", area_ids(plan), subject_ids(plan), plan.start_s, 1)),
        )
    if what == "order":
        return tuple(reversed(rule_list))
    rule_list[i] = OF_A_RULE[what](draw, plan, rule_list[i])
    return tuple(rule_list)


def other_effect(draw: Draw, _plan: Plan, rule: Record) -> Record:
    """It forbids what it allowed: a new rule."""
    return rule | {"effect": draw(st.sampled_from(["allow", "forbid", "require"]))}


def other_end(draw: Draw, plan: Plan, rule: Record) -> Record:
    """A permit is prolonged, or shortened."""
    return rule | {"until": max(draw(instants(plan.start_s)), (rule.get("from") or 0) + 1000)}


def other_terms(draw: Draw, _plan: Plan, rule: Record) -> Record:
    """Its own policy."""
    return rule | {"tolerance_m": draw(st.sampled_from([0, 45, 250])), "confirm_fixes": draw(st.integers(1, 3))}


def other_schedule(draw: Draw, plan: Plan, rule: Record) -> Record:
    """Other hours, or none."""
    always = {key: value for key, value in rule.items() if key not in ("schedule", "except", "timezone")}
    return always | draw(st.just(dict[str, Any]()) | schedules(plan.start_s))


def other_areas(draw: Draw, plan: Plan, rule: Record) -> Record:
    """Other areas; or the same ones in another order."""
    ids = st.lists(st.sampled_from(area_ids(plan)), min_size=1, max_size=3, unique=True)
    return rule | {"areas": draw(ids | st.just(rule["areas"][::-1]))}


def other_people(draw: Draw, plan: Plan, rule: Record) -> Record:
    """It binds others."""
    return {key: value for key, value in rule.items() if key not in BINDING} | draw(bound(subject_ids(plan)))


def gone(draw: Draw, plan: Plan) -> Plan:
    """A subject less, where there is another one; no rule names him any longer."""
    if len(plan.subjects) == 1:
        return plan
    i = draw(st.integers(0, len(plan.subjects) - 1))
    left = plan.subjects[:i] + plan.subjects[i + 1 :]
    return replace(plan, subjects=left, rules=tuple(without_unknown(rule, subject_ids(plan, left)) for rule in plan.rules))


def comes(draw: Draw, plan: Plan) -> Plan:
    """One more: somebody new, or one who was gone and begins anew. Not always behind the others: numbers shift."""
    new = [subject for subject in SUBJECTS if subject not in subject_ids(plan)]
    if not new:
        return plan
    record = {"id": draw(st.sampled_from(new)), "home_region": draw(HOMES), "groups": draw(GROUP_LISTS)}
    at = draw(st.integers(0, len(plan.subjects)))
    return replace(plan, subjects=(*plan.subjects[:at], record, *plan.subjects[at:]))


def other_subject(draw: Draw, plan: Plan, key: str, values: st.SearchStrategy[Any]) -> Plan:
    """A subject with another value of a key."""
    i = draw(st.integers(0, len(plan.subjects) - 1))
    return replace(plan, subjects=tuple(s | {key: draw(values)} if k == i else s for k, s in enumerate(plan.subjects)))


def other_shape(draw: Draw, plan: Plan) -> Plan:
    """An area is drawn anew."""
    geometry, radius_m = draw(geometries())
    i = draw(st.integers(0, len(plan.areas) - 1))
    properties = {key: value for key, value in plan.areas[i]["properties"].items() if key not in ("id", "radius_m")}
    redrawn = feature(plan.areas[i]["properties"]["id"], geometry, **properties, radius_m=radius_m)
    return replace(plan, areas=tuple(redrawn if k == i else area for k, area in enumerate(plan.areas)))


def other_region(draw: Draw, plan: Plan) -> Plan:
    """A region over the others that nobody lives in comes, or goes."""
    others = tuple(region for region in plan.regions if region["properties"]["id"] != "centre")
    if len(others) < len(plan.regions):
        return replace(plan, regions=others)
    centre = feature("centre", rectangle(8, 8, 20, 16), timezone=draw(st.sampled_from(ZONES)))
    return replace(plan, regions=(centre, *others))


def other_zone(draw: Draw, plan: Plan) -> Plan:
    """The hours of a region are another time zone's."""
    i = draw(st.integers(0, len(plan.regions) - 1))
    region = plan.regions[i]
    moved = {**region, "properties": region["properties"] | {"timezone": draw(st.sampled_from(ZONES))}}
    return replace(plan, regions=tuple(moved if k == i else other for k, other in enumerate(plan.regions)))


GROUP_LISTS = st.lists(st.sampled_from(GROUPS), max_size=2, unique=True)
BINDING = ("subjects", "groups", "everyone")
OF_A_RULE: dict[str, Callable[[Draw, Plan, Record], Record]] = {
    "effect": other_effect,
    "until": other_end,
    "terms": other_terms,
    "schedule": other_schedule,
    "areas": other_areas,
    "people": other_people,
}
OF_RULES = (*OF_A_RULE, "effect", "less", "more", "order")
OF_SUBJECTS: dict[str, Callable[[Draw, Plan], Plan]] = {
    "gone": gone,
    "comes": comes,
    "home": lambda draw, plan: other_subject(draw, plan, "home_region", HOMES),
    "groups": lambda draw, plan: other_subject(draw, plan, "groups", GROUP_LISTS),
    "patience": lambda draw, plan: other_subject(draw, plan, "silent_after_s", st.sampled_from([None, 60, 300, 3600])),
}
OF_THE_REST: dict[str, Callable[[Draw, Plan], Plan]] = {
    "shape": other_shape,
    "region": other_region,
    "zone": other_zone,
    "policy": lambda draw, plan: replace(plan, policy=draw(policies("full", 1))),
}


def subject_ids(plan: Plan, subjects: tuple[Record, ...] | None = None) -> list[str]:
    """The ids of a plan's subjects, or of some others."""
    return [str(subject["id"]) for subject in (plan.subjects if subjects is None else subjects)]


def area_ids(plan: Plan) -> list[str]:
    """The ids of a plan's areas."""
    return [str(area["properties"]["id"]) for area in plan.areas]


def without_unknown(rule: Record, known: list[str]) -> Record:
    """The rule without the subjects that are gone; one that bound only them binds a group instead."""
    if "subjects" not in rule:
        return rule
    left = [subject for subject in rule["subjects"] if subject in known]
    kept = {key: value for key, value in rule.items() if key != "subjects"}
    if left:
        return kept | {"subjects": left}
    return kept if "groups" in kept else kept | {"groups": ["youth"]}
