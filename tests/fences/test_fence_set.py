"""A compiled registry binds whom the registry binds, to the areas and terms that it names, however the binding is found."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from fences.fence_set import Fences, FenceSet
from fences.load import load_registry
from fences.registry import ALLOW, EFFECTS, FORBID, REQUIRE
from fences.zone_index import cell_key, find_cell
from operators.judge import binds_profile
from tests.operators.small_registry import fence_set as small_fence_set
from tests.strategies import Plan, plans

TERMS = ("tolerance_m", "accuracy_factor", "confirm_ms", "confirm_fixes", "clear_fixes", "level")
Bound = set[tuple[str, str]]


def compiled(plan: Plan, folder: str) -> FenceSet:
    """A plan, written, read and compiled."""
    return FenceSet(load_registry(plan.write(Path(folder) / "registry"))[0])


def named(plan: Plan, subject: dict[str, Any], effect: str) -> Bound:
    """J1, said plainly: rules that name him, one of his groups, or everyone; rule and area."""
    return {
        (rule["id"], area)
        for rule in plan.rules
        if rule["effect"] == effect
        and (
            rule.get("everyone")
            or subject["id"] in rule.get("subjects", [])
            or set(subject["groups"]) & set(rule.get("groups", []))
        )
        for area in rule["areas"]
    }


def found(fence_set: FenceSet, subject: int, effect: int) -> list[tuple[str, str]]:
    """What the arrays bind him to: his own bindings, his profile's, and zones."""
    fences, registry = fence_set.fences, fence_set.registry
    bound = fences.subject[subject]
    owners = [bound, fences.profile[bound["profile"]]]
    pairs = []
    for owner in owners:
        at = int(owner["at"])
        for which, name in ((ALLOW, "allow"), (FORBID, "forbid"), (REQUIRE, "require")):
            count = int(owner[name])
            if which == effect:
                pairs += [(int(b["rule"]), int(b["area"])) for b in fences.binding[at : at + count]]
            at += count
    if effect == FORBID:
        for area in range(len(registry.area_ids)):
            zones = fences.zone_binding[fences.zone_start[area] : fences.zone_start[area + 1]]
            assert all(int(b["area"]) == area for b in zones)
            pairs += [(int(b["rule"]), area) for b in zones if binds_profile(fences, int(b["rule"]), int(bound["profile"]))]
    return [(registry.rule_ids[rule], registry.area_ids[area]) for rule, area in pairs]


@given(plan=plans("full"))
@settings(max_examples=40, deadline=None)
def test_everybody_is_bound_as_the_registry_says_and_once(plan: Plan) -> None:
    """By name, group and everyone, in all combinations; no rule binds an area twice."""
    with TemporaryDirectory() as folder:
        fence_set = compiled(plan, folder)
        for subject in plan.subjects:
            row = fence_set.registry.subject_ids.index(str(subject["id"]))
            for effect, name in enumerate(EFFECTS):
                pairs = found(fence_set, row, effect)
                assert set(pairs) == named(plan, subject, name)
                assert len(pairs) == len(set(pairs))
            assert bool(fence_set.fences.subject[row]["has_allow"]) == bool(named(plan, subject, "allow"))


@given(plan=plans("full"))
@settings(max_examples=30, deadline=None)
def test_every_rule_has_its_own_terms_and_times(plan: Plan) -> None:
    """However many rules share a row of terms; the last three rows are the policy's sections."""
    with TemporaryDirectory() as folder:
        fence_set = compiled(plan, folder)
        registry, fences = fence_set.registry, fence_set.fences
        for r in range(len(registry.rule_ids)):
            row = fences.policy[fences.rule[r]["policy"]]
            assert [row[name] for name in TERMS] == [getattr(registry.rule_policy, name)[r] for name in TERMS]
            assert (fences.rule[r]["from_ms"], fences.rule[r]["until_ms"]) == (registry.rule_from_ms[r], registry.rule_until_ms[r])
        for section in range(3):
            row = fences.policy[len(fences.policy) - 3 + section]
            assert [row[name] for name in TERMS] == [getattr(registry.section_policy, name)[section] for name in TERMS]
        for binding in (*fences.binding, *fences.zone_binding):
            rule = fences.rule[binding["rule"]]
            assert [binding[name] for name in ("from_ms", "until_ms", "policy", "schedule")] == [
                rule[name] for name in ("from_ms", "until_ms", "policy", "schedule")
            ]


@given(plan=plans("full"), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_zones_and_regions_are_found_by_point(plan: Plan, seed: int) -> None:
    """The cell of any point names every region and every shared forbidden area that covers it."""
    with TemporaryDirectory() as folder:
        fence_set = compiled(plan, folder)
        registry = fence_set.registry
        rng = np.random.default_rng(seed)
        corners = np.concatenate([shapely.get_coordinates(shape) for shape in registry.area_shapes])
        points = np.concatenate(
            [corners[rng.integers(0, len(corners), 40)], rng.uniform((120.98, 30.98), (121.08, 31.08), (40, 2))]
        )
        x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
        fences = fence_set.fences_for(x, y)
        shared = set(np.flatnonzero(np.diff(fences.zone_start)).tolist()) | set(range(registry.region_count))
        for px, py in points.tolist():
            covering = {k for k in shared if shapely.intersects_xy(registry.area_shapes[k], px, py)}
            assert covering <= candidates(fences, px, py)


def candidates(fences: Fences, x: float, y: float) -> set[int]:
    """The areas that the point's cell names."""
    key = cell_key(fences.cells, x, y)
    if key < 0:
        return set()
    cell = find_cell(fences.cells, key)
    return set(fences.cells.item[fences.cells.start[cell] : fences.cells.start[cell + 1]].tolist())


@pytest.mark.parametrize("count", [1, 40])
def test_subjects_with_the_same_groups_share_a_profile(count: int, tmp_path: Path) -> None:
    """Groups that no rule binds make no difference, nor does their order."""
    subjects = tuple({"id": f"s{i}", "groups": [["a", "b"], ["b", "a", f"idle {i}"], ["b"], []][i % 4]} for i in range(4 * count))
    rules = [{"effect": "forbid", "areas": ["pond"], "groups": [name]} for name in ("a", "b")]
    fences = small_fence_set(tmp_path, *rules, subjects=subjects).fences
    profiles = fences.subject["profile"].tolist()
    assert len(set(profiles)) == 3
    assert profiles[0::4] == profiles[1::4]
