"""A state saved and taken up again: under the same registry, and under others in which things were added, removed or reordered."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from fences.fence_set import FenceSet
from fences.numbering import Ids, ids_of, numbering_of
from operators.alert import Alert
from operators.snapshot import from_snapshot, to_snapshot
from operators.state import OPEN_EPISODES, State
from tests.operators.small_registry import AREAS, REGIONS, Fix, Json, compiled_plan, fence_set, new_state, run, track
from tests.strategies.registries import Plan
from tests.strategies.shapes import feature, rectangle

pytestmark = pytest.mark.jitless

COUNT = 7
PLACES: list[tuple[float, float] | None] = [
    (2.5, 2.5),
    (3.5, 3.5),
    (5.5, 5.5),
    (10.0, 10.0),
    (15.0, 3.0),
    (25.0, 3.0),
    (40.0, 40.0),
    None,
]
SUBJECTS = tuple(
    {"id": f"s{i}", "home_region": ["west", "east", None][i % 3], "groups": ["g"] if i % 2 else []} for i in range(COUNT)
)
RULES: tuple[Json, ...] = (
    {"id": "allow home", "effect": "allow", "areas": ["home"], "everyone": True},
    {"id": "no pond", "effect": "forbid", "areas": ["pond", "island"], "everyone": True},
    {"id": "no school", "effect": "forbid", "areas": ["school", "pond"], "groups": ["g"], "confirm_fixes": 2},
    {"id": "be there", "effect": "require", "areas": ["school"], "subjects": ["s0", "s3", "s4"]},
)
SPARE_RULES: tuple[Json, ...] = tuple(
    {"id": f"spare {i}", "effect": "forbid", "areas": ["west", "middle", "east"], "groups": ["nobody"]} for i in range(3)
)
SPARE_REGIONS = tuple(feature(f"far {i}", rectangle(100 + i, 100, 1, 1), timezone="UTC") for i in range(70))
PLAN = Plan(1_780_300_800, REGIONS, AREAS, SUBJECTS, RULES, {"clear_fixes": 2})


def restless(seed: int, rounds: int) -> list[Fix]:
    """Records of all at the places where something changes."""
    rng = np.random.default_rng(seed)
    return [
        Fix(str(subject["id"]), 60 * t, PLACES[rng.integers(len(PLACES))], rng.choice([0.0, 40.0]))
        for t in range(rounds)
        for subject in SUBJECTS
    ]


def saved(fences: FenceSet, state: State) -> dict[str, Any]:
    """The snapshot as it comes back from a store."""
    stored: dict[str, Any] = pickle.loads(pickle.dumps(to_snapshot(state, numbering_of(ids_of(fences.registry)))))  # noqa: S301 - our own
    return stored


def by_id(alerts: list[Alert]) -> dict[str, Alert]:
    """Alerts by id, versions left out; no id twice."""
    made = {alert.id: changed(alert, rules_version="") for alert in alerts}
    assert len(made) == len(alerts)
    return made


def reordered(rng: np.random.Generator, plan: Plan) -> Plan:
    """The same records in another order: the same version."""
    return replace(
        plan,
        subjects=tuple(plan.subjects[i] for i in rng.permutation(len(plan.subjects))),
        rules=tuple(plan.rules[i] for i in rng.permutation(len(plan.rules))),
        regions=tuple(plan.regions[i] for i in rng.permutation(len(plan.regions))),
        areas=tuple(plan.areas[i] for i in rng.permutation(len(plan.areas))),
    )


def with_spare(rng: np.random.Generator, plan: Plan) -> Plan:
    """More subjects, rules and regions (so many that told regions take another word), none of which concerns the records."""
    return replace(
        plan,
        subjects=(*({"id": f"new {i}"} for i in range(rng.integers(1, 5))), *plan.subjects),
        rules=(*SPARE_RULES[: rng.integers(1, 3)], *plan.rules),
        regions=(*SPARE_REGIONS[: rng.integers(1, 70)], *plan.regions),
    )


def without_spare(plan: Plan) -> Plan:
    """Only what concerns the records."""
    return replace(plan, subjects=SUBJECTS, rules=RULES, regions=REGIONS)


@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 30 * COUNT), max_size=3))
@settings(max_examples=15, deadline=None)
def test_a_restart_changes_nothing(seed: int, cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    """J13: stopped at any record and taken up again, several times: the alerts of one run."""
    fences = compiled_plan(tmp_path_factory.mktemp("registry"), PLAN)
    fixes = restless(seed, 30)
    whole = run(fences, new_state(fences), fixes)
    state, alerts = new_state(fences), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(fixes)], strict=True):
        alerts += run(fences, state, fixes[begin:end], 11)
        state = from_snapshot(saved(fences, state), fences)
    assert whole == alerts
    assert len(whole) > 20


@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 30 * COUNT), min_size=1, max_size=3))
@settings(max_examples=15, deadline=None)
def test_another_registry_that_says_the_same_changes_nothing(
    seed: int, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At each restart the records stand in another order, and spare subjects, rules and regions have come or gone."""
    rng = np.random.default_rng(seed)
    fixes = restless(seed, 30)
    folder = tmp_path_factory.mktemp("registries")
    fences = compiled_plan(folder / "first", PLAN)
    whole = run(fences, new_state(fences), fixes)
    state, alerts = new_state(fences), []
    for number, (begin, end) in enumerate(zip([0, *sorted(cuts)], [*sorted(cuts), len(fixes)], strict=True)):
        alerts += run(fences, state, fixes[begin:end], 11)
        plan = with_spare(rng, PLAN) if rng.random() < 0.5 else without_spare(PLAN)
        other = compiled_plan(folder / f"{number}", reordered(rng, plan))
        state = from_snapshot(saved(fences, state), other, ids_of(fences.registry))
        fences = other
    assert by_id(whole) == by_id(alerts)


def test_the_version_of_a_reordered_registry_is_the_same_its_numbering_is_not(tmp_path: Path) -> None:
    """So a snapshot cannot go by the version: subject 0 of the one is subject 6 of the other."""
    one = compiled_plan(tmp_path / "one", PLAN)
    other = compiled_plan(tmp_path / "other", replace(PLAN, subjects=SUBJECTS[::-1]))
    assert one.version == other.version
    assert numbering_of(ids_of(one.registry)) != numbering_of(ids_of(other.registry))
    state = new_state(one)
    run(one, state, [Fix("s0", 0, PLACES[4]), Fix("s6", 500, PLACES[0])])
    taken_up = from_snapshot(saved(one, state), other, ids_of(one.registry))
    assert taken_up.memory.row["last_ms"][[6, 0]].tolist() == state.memory.row["last_ms"][[0, 6]].tolist()
    with pytest.raises(ValueError, match="another registry"):
        from_snapshot(saved(one, state), other)


def test_numberings_tell_apart_which_list_an_id_stands_in() -> None:
    """A name that moves from one list to another is another numbering."""
    names = [Ids(["a"], ["b"]), Ids(["a", "b"], []), Ids([], ["a", "b"]), Ids(["ab"], [])]
    assert len({numbering_of(ids) for ids in names}) == 4


def test_who_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    """A subject who is gone leaves no state; who comes anew, under a number that was another's, has none."""
    one = compiled_plan(tmp_path / "one", PLAN)
    state = new_state(one)
    run(one, state, [Fix(str(subject["id"]), 60 * t, PLACES[1]) for t in range(3) for subject in SUBJECTS])
    opened = int(state.memory.pool.head[OPEN_EPISODES])
    fewer = replace(
        PLAN, subjects=({"id": "new"}, *SUBJECTS[1:]), rules=({**RULES[3], "subjects": ["s3", "s4"]}, *RULES[1:3], RULES[0])
    )
    other = compiled_plan(tmp_path / "other", fewer)
    taken_up = from_snapshot(saved(one, state), other, ids_of(one.registry))
    assert taken_up.memory.row["last_ms"][0] < 0
    assert taken_up.memory.row["first_slot"][0] == -1
    # s0 had two open episodes: "no pond" and "be there"; the allowed home covers the pond's corner.
    assert taken_up.memory.pool.head[OPEN_EPISODES] == opened - 2
    assert run(other, taken_up, [Fix("new", 0, PLACES[0])]) == []


def test_slots_of_a_rule_that_is_gone_become_calm_those_of_others_stay(tmp_path: Path) -> None:
    """The rule "no pond" is gone: its episode is over, "no school" goes on and clears as one episode."""
    one = compiled_plan(tmp_path / "one", PLAN)
    state = new_state(one)
    first = run(one, state, track("s1", PLACES[1], PLACES[1]))
    assert sorted(a.slot for a in first) == ["rule:no pond", "rule:no school"]
    other = compiled_plan(tmp_path / "other", replace(PLAN, rules=(RULES[2], RULES[0])))
    taken_up = from_snapshot(saved(one, state), other, ids_of(one.registry))
    then = run(other, taken_up, [Fix("s1", 600 + i, PLACES[0]) for i in range(3)])
    assert [(a.change, a.slot, a.onset_ms) for a in then] == [("cleared", "rule:no school", first[0].onset_ms)]
    assert taken_up.memory.pool.head[OPEN_EPISODES] == 0


def test_regions_told_go_by_id(tmp_path: Path) -> None:
    """Told to "middle" and home.

    "middle" is gone and 70 regions stand before the others: the clear still goes to all that was told.
    """
    one = fence_set(tmp_path / "one", RULES[0] | {"confirm_fixes": 1}, subjects=SUBJECTS)
    state = new_state(one)
    run(one, state, track("s0", PLACES[4], PLACES[5]))
    plan = replace(PLAN, regions=(*SPARE_REGIONS, REGIONS[2], REGIONS[0]), rules=({**RULES[0], "id": "r0", "confirm_fixes": 1},))
    other = compiled_plan(tmp_path / "other", plan)
    taken_up = from_snapshot(saved(one, state), other, ids_of(one.registry))
    assert run(other, taken_up, [Fix("s0", 600, PLACES[5])]) == []
    cleared = run(other, taken_up, [Fix("s0", 700 + i, PLACES[0]) for i in range(2)])
    assert [a.regions for a in cleared] == [("east", "middle", "west")]


def test_a_snapshot_holds_only_what_is_used(tmp_path: Path) -> None:
    """Rows of all subjects, slots and told regions that are in use; it is as long after as before a restart."""
    fences = compiled_plan(tmp_path, PLAN)
    state = new_state(fences)
    run(fences, state, restless(1, 10))
    snapshot = saved(fences, from_snapshot(saved(fences, state), fences))  # a start forgets hints, such as the region seen last
    again = saved(fences, from_snapshot(snapshot, fences))
    assert {key: len(value) for key, value in snapshot.items() if isinstance(value, bytes)} == {
        key: len(value) for key, value in again.items() if isinstance(value, bytes)
    }
    assert snapshot == again
