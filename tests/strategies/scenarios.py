"""A whole replay drawn at random: registry, stream, registry changes, closing clock; and what the reference makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.reference import judge_with_doubts
from tests.strategies.registries import Level, Plan, instants, plans, policies, rules
from tests.strategies.shapes import geometries
from tests.strategies.tracks import tracks

MOST_ROUNDS = 12


@dataclass(frozen=True)
class Scenario:
    """A replay as plain data. `changes`: the pairs of `--registry-at`, times in UTC ms."""

    plan: Plan
    lines: list[bytes]
    until_ms: int | None = None
    changes: tuple[tuple[int, Plan], ...] = ()

    def write(self, directory: Path) -> tuple[Path, list[tuple[int, Path]]]:
        """Write the registries into a folder: the first one, and the pairs for `--registry-at`."""
        first = self.plan.write(directory / "registry")
        return first, [(ms, plan.write(directory / f"registry-{i}")) for i, (ms, plan) in enumerate(self.changes, 2)]


@dataclass(frozen=True)
class Judged:
    """What the reference makes of a scenario: compare another judge's alerts (as a set, by id) and report with these."""

    registry: Path
    registry_at: list[tuple[int, Path]]
    lines: list[bytes]
    until_ms: int | None
    alerts: list[dict[str, Any]]
    report: dict[str, Any]


def settle(scenario: Scenario, directory: Path) -> Judged:
    """Judge a scenario by the reference, leaving out the records on which rounding decides.

    Leaving one out changes what comes after it, so it is judged again until no record is in doubt; an example that does not come to
    rest is given up (hypothesis draws another).
    """
    registry, registry_at = scenario.write(directory)
    lines = scenario.lines
    for _ in range(MOST_ROUNDS):
        alerts, report, doubts = judge_with_doubts(registry, lines, scenario.until_ms, registry_at)
        if not doubts:
            return Judged(registry, registry_at, lines, scenario.until_ms, alerts, report)
        assume(len(lines) not in doubts)
        lines = [line for i, line in enumerate(lines) if i not in doubts]
    assume(condition=False)
    raise AssertionError


def is_basic(judged: Judged) -> bool:
    """Whether nothing later than issue 4 shows: no overstay, no end of a rule, no late evidence."""
    data = [alert["data"] for alert in judged.alerts]
    return all(d["kind"] in ("left_area", "entered_forbidden") and not d["late"] and d["reason"] != "rule_ended" for d in data)


@st.composite
def changed(draw: st.DrawFn, plan: Plan, number: int) -> Plan:
    """A later version of a registry: one or two things are otherwise."""
    for _ in range(draw(st.integers(1, 2))):
        plan = draw(one_change(plan, number))
    return plan


@st.composite
def one_change(draw: st.DrawFn, plan: Plan, number: int) -> Plan:
    """A rule less, more, with another effect, end or tolerance; another shape or policy; a subject gone or with another home."""
    subject_ids = [str(s["id"]) for s in plan.subjects]
    area_ids = [f["properties"]["id"] for f in plan.areas]
    what = draw(
        st.sampled_from(["effect", "shape", "terms", "until", "less", "more", "effect", "shape", "policy", "gone", "home", "order"])
    )
    i = draw(st.integers(0, 19))
    rule_list = list(plan.rules)
    if what == "less" and len(rule_list) > 1:
        del rule_list[i % len(rule_list)]
    elif what == "more":
        rule_list.append(draw(rules(f"new-{number}-{len(rule_list)}", "full", area_ids, subject_ids, plan.start_s, 1)))
    elif what in ("effect", "until", "terms"):
        rule = dict(rule_list[i % len(rule_list)])
        if what == "effect":
            rule["effect"] = draw(st.sampled_from(["allow", "forbid", "require"]))
        elif what == "until":
            rule["until"] = max(draw(instants(plan.start_s)), (rule.get("from") or 0) + 1000)
        else:
            rule |= {"tolerance_m": draw(st.sampled_from([0, 45, 250])), "confirm_fixes": draw(st.integers(1, 3))}
        rule_list[i % len(rule_list)] = rule
    elif what == "shape":
        geometry, radius_m = draw(geometries())
        old = plan.areas[i % len(plan.areas)]["properties"]
        properties = {k: v for k, v in old.items() if k != "radius_m"} | ({} if radius_m is None else {"radius_m": radius_m})
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        return replace(plan, areas=tuple(feature if a["properties"]["id"] == old["id"] else a for a in plan.areas))
    elif what == "policy":
        return replace(plan, policy=draw(policies("full", 1)))
    elif what == "gone" and len(subject_ids) > 1:
        left = tuple(s for s in plan.subjects if s["id"] != subject_ids[i % len(subject_ids)])
        return replace(plan, subjects=left, rules=tuple(without_unknown(rule, {str(s["id"]) for s in left}) for rule in rule_list))
    elif what == "home":
        home = draw(st.sampled_from([None, "west", "east", "north"]))
        which = subject_ids[i % len(subject_ids)]
        return replace(plan, subjects=tuple(s | {"home_region": home} if s["id"] == which else s for s in plan.subjects))
    elif what == "order":
        rule_list.reverse()
    return replace(plan, rules=tuple(rule_list))


def without_unknown(rule: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The rule without the subjects that are gone; one that bound only them binds a group instead."""
    if "subjects" not in rule:
        return rule
    left = [subject for subject in rule["subjects"] if subject in known]
    kept = {key: value for key, value in rule.items() if key != "subjects"}
    if left:
        return kept | {"subjects": left}
    return kept if "groups" in kept else kept | {"groups": ["youth"]}


@st.composite
def scenarios(draw: st.DrawFn, level: Level = "basic", *, most: int = 90) -> Scenario:
    """A replay. `basic`: no registry changes and no closing clock; filter what the reference makes of it by `is_basic`."""
    plan = draw(plans(level))
    lines = draw(tracks(plan, level, most=most))
    if level == "basic":
        return Scenario(plan, lines)
    changes = []
    newest = plan
    for number, instant_ms in enumerate(sorted(draw(st.lists(instants(plan.start_s), max_size=3, unique=True)))):
        newest = draw(changed(newest, number))
        changes.append((instant_ms + draw(st.sampled_from([0, 0, 1])), newest))
    until_ms = draw(st.none() | instants(plan.start_s) | st.just((plan.start_s + 40_000) * 1000))
    return Scenario(plan, lines, until_ms, tuple(changes))
