"""J6, the slot machine over real judgements; the regions that are told; pools, batches and the order of subjects do not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fences.fence_set import FenceSet
from operators.alert import Alert
from operators.state import OPEN_EPISODES
from tests.operators.small_registry import Fix, Json, fence_set, new_state, run, story, track

pytestmark = pytest.mark.jitless

IN, OUT, VAGUE = (2.5, 3.0), (8.0, 3.0), (4.6, 3.0)
"""At home; out; and 57 m out, where an accuracy of 50 m leaves it open."""
P: Json = {"subjects": ["p"]}
HOME: Json = {"effect": "allow", "areas": ["home"], **P}
POND: Json = {"effect": "forbid", "areas": ["pond"], **P}
MAY_BE_ANYWHERE: Json = {"effect": "allow", "areas": ["west", "middle", "east"], **P}


def told(tmp_path: Path, rule: Json, path: str, **also: object) -> list[str]:
    """A path of one letter a minute (i in, o out, v vague, - no position): what was told, as "opened 2 (1)" for time and onset."""
    fences = fence_set(tmp_path, rule | also)
    letters = {"i": (IN, 0.0), "o": (OUT, 0.0), "v": (VAGUE, 50.0), "-": (None, 0.0)}
    fixes = [Fix("p", 60 * i, *letters[letter]) for i, letter in enumerate(path)]
    alerts = run(fences, new_state(fences), fixes)
    return [f"{change} {t / 60:g} ({onset / 60:g})" for change, _, t, onset in story(alerts)]


@pytest.mark.parametrize(
    ("path", "terms", "expected"),
    [
        ("ioo", {}, ["opened 2 (1)"]),
        ("oo", {}, ["opened 1 (0)"]),
        ("ioi", {}, []),
        ("ioioio", {}, []),
        ("iovo", {}, ["opened 3 (1)"]),
        ("ivvvv", {}, []),
        ("iovvi", {}, []),
        ("io-o", {}, ["opened 3 (1)"]),
        ("iooii", {}, ["opened 2 (1)", "cleared 4 (1)"]),
        ("iooioi", {}, ["opened 2 (1)"]),
        ("iooivi", {}, ["opened 2 (1)", "cleared 5 (1)"]),
        ("iooioii", {}, ["opened 2 (1)", "cleared 6 (1)"]),
        ("iooi-i", {}, ["opened 2 (1)", "cleared 5 (1)"]),
        ("iooiioo", {}, ["opened 2 (1)", "cleared 4 (1)", "opened 6 (5)"]),
        ("io", {"confirm_fixes": 1}, ["opened 1 (1)"]),
        ("iooo", {"confirm_fixes": 3}, ["opened 3 (1)"]),
        ("iooioo", {"confirm_fixes": 3}, []),
        ("iooii", {"clear_fixes": 1}, ["opened 2 (1)", "cleared 3 (1)"]),
        ("iooiii", {"clear_fixes": 3}, ["opened 2 (1)", "cleared 5 (1)"]),
        ("iooo", {"confirm_s": 120}, ["opened 3 (1)"]),
        ("iooo", {"confirm_s": 119}, ["opened 3 (1)"]),
        ("iooo", {"confirm_s": 60}, ["opened 2 (1)"]),
        ("ioooo", {"confirm_s": 61, "confirm_fixes": 1}, ["opened 3 (1)"]),
        ("ooii" * 2, {"confirm_fixes": 1, "clear_fixes": 1}, ["opened 0 (0)", "cleared 2 (0)", "opened 4 (4)", "cleared 6 (4)"]),
    ],
)
def test_j6_slot_area(tmp_path: Path, path: str, terms: Json, expected: list[str]) -> None:
    """Pending, open, clearing; uncertain neither counts nor resets; the first fix is judged like any other."""
    assert told(tmp_path, HOME, path, **terms) == expected


@pytest.mark.parametrize(
    ("path", "terms", "expected"),
    [
        ("io", {}, ["opened 1 (1)"]),
        ("ioo", {"confirm_fixes": 2}, ["opened 2 (1)"]),
        ("ioio", {"confirm_fixes": 2}, []),
        ("iovo", {"confirm_fixes": 2}, ["opened 3 (1)"]),
        ("ivv", {}, []),
        ("ioii", {}, ["opened 1 (1)", "cleared 3 (1)"]),
        ("ioiovii", {}, ["opened 1 (1)", "cleared 6 (1)"]),
        ("ioiioii", {}, ["opened 1 (1)", "cleared 3 (1)", "opened 4 (4)", "cleared 6 (4)"]),
        ("iooo", {"confirm_s": 120, "confirm_fixes": 2}, ["opened 3 (1)"]),
    ],
)
@pytest.mark.parametrize("effect", ["forbid", "require"])
def test_j6_slots_of_rules(tmp_path: Path, effect: str, path: str, terms: Json, expected: list[str]) -> None:
    """The same machine for a forbid and for a require rule."""
    if effect == "require":
        assert told(tmp_path, {**HOME, "effect": "require"}, path, **{"confirm_fixes": 1, **terms}) == expected
    else:  # in is out of the pond, out is deep in it, vague is on its border
        fences = fence_set(tmp_path, POND | {"accuracy_factor": 1.0} | terms)
        letters = {"i": ((8.0, 3.0), 0.0), "o": ((4.0, 4.0), 0.0), "v": ((3.0, 4.0), 10.0)}
        fixes = [Fix("p", 60 * i, *letters[letter]) for i, letter in enumerate(path)]
        alerts = story(run(fences, new_state(fences), fixes))
        assert [f"{change} {t / 60:g} ({onset / 60:g})" for change, _, t, onset in alerts] == expected


def test_j5_counts_of_slot_area_are_the_largest_among_active_allow_rules(tmp_path: Path) -> None:
    """Own and of everyone; the level is the gravest; once one ends, the others' hold: those at the judgement in hand."""
    rules: list[Json] = [
        HOME | {"confirm_fixes": 3, "clear_fixes": 1, "level": "yellow"},
        {
            "effect": "allow",
            "areas": ["school"],
            "everyone": True,
            "confirm_fixes": 1,
            "clear_fixes": 3,
            "level": "info",
        },
        HOME | {"confirm_fixes": 9, "clear_fixes": 9, "level": "red", "until": "2026-06-01T08:01:30Z"},
    ]
    fences = fence_set(tmp_path, *rules)
    alerts = run(fences, new_state(fences), track("p", IN, OUT, OUT, OUT, IN, IN, IN))
    assert story(alerts) == [("opened", "area", 180, 60), ("cleared", "area", 360, 60)]
    assert [alert.level for alert in alerts] == ["yellow", "yellow"]


def test_j5_confirm_s_of_slot_area_is_the_largest(tmp_path: Path) -> None:
    """Two breaches are enough by their number, but not by their time."""
    rules: list[Json] = [
        HOME,
        {"effect": "allow", "areas": ["school"], "everyone": True, "confirm_s": 100},
        HOME | {"confirm_s": 30},
    ]
    fences = fence_set(tmp_path, *rules)
    assert story(run(fences, new_state(fences), track("p", IN, OUT, OUT, OUT))) == [("opened", "area", 180, 60)]


def test_j5_with_no_active_allow_rule_the_section_holds(tmp_path: Path) -> None:
    """Counts and level of `[policy.allow]`, not those of the rule that is over."""
    over = HOME | {"confirm_fixes": 5, "level": "info", "until": "2026-06-01T07:00:00Z"}
    policy = {"level": "info", "allow": {"confirm_fixes": 3, "level": "yellow"}}
    fences = fence_set(tmp_path, over, policy=policy)
    alerts = run(fences, new_state(fences), track("p", IN, IN, IN))
    assert [(a.change, a.level, a.distance_m) for a in alerts] == [("opened", "yellow", None)]


def regions_told(alerts: list[Alert]) -> list[tuple[str, str | None, tuple[str, ...]]]:
    """Change, region found, regions told."""
    return [(a.change, a.found_region, a.regions) for a in alerts]


WEST, MIDDLE, EAST, NOWHERE = (8.0, 3.0), (12.0, 3.0), (22.0, 3.0), (40.0, 40.0)


@pytest.mark.parametrize("slot", ["area", "rule"])
def test_an_open_episode_moves_once_into_each_region(tmp_path: Path, slot: str) -> None:
    """Home and the region found are told; each new region makes one `moved`; a clear goes to all of them."""
    rule = HOME if slot == "area" else {**HOME, "effect": "require", "confirm_fixes": 2}
    fences = fence_set(tmp_path, rule)
    path = [MIDDLE, MIDDLE, MIDDLE, EAST, MIDDLE, EAST, NOWHERE, WEST, IN, IN]
    assert regions_told(run(fences, new_state(fences), track("p", *path))) == [
        ("opened", "middle", ("middle", "west")),
        ("moved", "east", ("east", "middle", "west")),
        ("cleared", "west", ("east", "middle", "west")),
    ]


def test_a_fine_or_uncertain_fix_in_a_new_region_moves_an_episode_that_stays_open(tmp_path: Path) -> None:
    """Any in-order fix does; the fix that clears does not, its region is not told."""
    fences = fence_set(tmp_path, {"effect": "allow", "areas": ["home", "island"], **P})
    fine, on_the_border = (10.5, 10.0), (11.9, 10.0)  # the island reaches from "west" into "middle"
    path = [Fix("p", 0, NOWHERE), Fix("p", 60, NOWHERE), Fix("p", 120, fine), Fix("p", 180, fine)]
    assert regions_told(run(fences, new_state(fences), path)) == [
        ("opened", None, ("west",)),
        ("moved", "middle", ("middle", "west")),
        ("cleared", "middle", ("middle", "west")),
    ]
    once = fence_set(tmp_path / "once", {"effect": "allow", "areas": ["home", "island"], "clear_fixes": 1, **P})
    assert regions_told(run(once, new_state(once), path)) == [("opened", None, ("west",)), ("cleared", "middle", ("west",))]
    unsure = [*path[:2], Fix("p", 120, on_the_border, 80.0)]
    assert regions_told(run(fences, new_state(fences), unsure))[1:] == [("moved", "middle", ("middle", "west"))]


def test_a_pending_slot_and_a_late_fix_move_nothing(tmp_path: Path) -> None:
    """Only open episodes move, only by fixes in order; the region of a contact is none."""
    fences = fence_set(tmp_path, HOME)
    path = [
        Fix("p", 100, WEST),
        Fix("p", 50, EAST),
        Fix("p", 160, MIDDLE),
        Fix("p", 170, None),
        Fix("p", 165, EAST),
        Fix("p", 160, EAST),
    ]
    assert regions_told(run(fences, new_state(fences), path)) == [("opened", "middle", ("middle", "west"))]


def test_who_has_no_home_tells_only_where_he_is_found(tmp_path: Path) -> None:
    """Nobody is told of an episode outside of all regions."""
    subjects = ({"id": "p", "home_region": None},)
    fences = fence_set(tmp_path, HOME, subjects=subjects)
    path = track("p", NOWHERE, NOWHERE, MIDDLE, IN, IN)
    assert [regions for *_, regions in regions_told(run(fences, new_state(fences), path))] == [
        (),
        ("middle",),
        ("middle", "west"),
        ("middle", "west"),
    ]


def test_a_second_episode_begins_with_nobody_told(tmp_path: Path) -> None:
    """Rows of told regions and slots are used again without a trace of their last episode."""
    fences = fence_set(tmp_path, HOME | {"confirm_fixes": 1, "clear_fixes": 1}, POND)
    path = track("p", MIDDLE, EAST, IN, EAST, IN, MIDDLE, IN)
    got = regions_told(run(fences, new_state(fences), path))
    assert [(change, regions) for change, _, regions in got] == [
        ("opened", ("middle", "west")),
        ("moved", ("east", "middle", "west")),
        ("cleared", ("east", "middle", "west")),
        ("opened", ("east", "west")),
        ("cleared", ("east", "west")),
        ("opened", ("middle", "west")),
        ("cleared", ("middle", "west")),
    ]


def test_slots_of_several_rules_go_their_own_ways(tmp_path: Path) -> None:
    """Overlapping zones are entered and left one after the other; the last that opened may be the first to clear."""
    rules = [{"effect": "forbid", "areas": [area], "clear_fixes": 1, **P} for area in ("home", "pond", "school")]
    fences = fence_set(tmp_path, *rules)
    path = track("p", (2.5, 2.5), (3.5, 3.5), (4.5, 4.5), (3.5, 3.5), (2.5, 2.5), (5.5, 5.5), (1.0, 1.0))
    assert [(change, slot, t) for change, slot, t, _ in story(run(fences, new_state(fences), path))] == [
        ("opened", "rule:r0", 0),
        ("opened", "rule:r1", 60),
        ("cleared", "rule:r0", 120),
        ("opened", "rule:r0", 180),
        ("cleared", "rule:r1", 240),
        ("cleared", "rule:r0", 300),
        ("opened", "rule:r2", 300),
        ("cleared", "rule:r2", 360),
    ]


def many_people(tmp_path: Path, count: int) -> FenceSet:
    """A registry of many, all with an area, two zones, and a duty."""
    subjects = tuple(
        {"id": f"s{i}", "home_region": ["west", "east", None][i % 3], "groups": ["g"] if i % 2 else []} for i in range(count)
    )
    rules: list[Json] = [
        {"effect": "allow", "areas": ["home"], "everyone": True, "confirm_fixes": 1, "clear_fixes": 1},
        {"effect": "forbid", "areas": ["pond", "island"], "everyone": True, "clear_fixes": 1},
        {"effect": "forbid", "areas": ["pond"], "groups": ["g"]},
        {"effect": "require", "areas": ["school"], "groups": ["g"], "confirm_fixes": 1, "clear_fixes": 1},
        {"effect": "forbid", "areas": ["school"], "subjects": [f"s{i}" for i in range(0, count, 3)]},
    ]
    return fence_set(tmp_path, *rules, subjects=subjects)


def restless(rng: np.random.Generator, count: int, rounds: int) -> list[Fix]:
    """Records of all in random order of subjects, at the places where something changes; some late, twice, or without position."""
    places: list[tuple[float, float] | None] = [
        (2.5, 2.5),
        (3.5, 3.5),
        (5.5, 5.5),
        (10.0, 10.0),
        (15.0, 3.0),
        (25.0, 3.0),
        (40.0, 40.0),
        None,
    ]
    fixes = []
    for t in range(rounds):
        for i in rng.permutation(count).tolist():
            late = rng.random() < 0.1
            fixes.append(
                Fix(f"s{i}", 60 * t - (90 if late else 0), places[rng.integers(len(places))], rng.choice([0.0, 40.0, 300.0]))
            )
            if rng.random() < 0.05:
                fixes.append(fixes[-1])
    return fixes


def by_id(alerts: list[Alert]) -> list[Alert]:
    """In an order that does not depend on the subjects' order; no id twice."""
    assert len({alert.id for alert in alerts}) == len(alerts)
    return sorted(alerts, key=lambda alert: alert.id)


def test_more_events_than_the_first_arrays_hold(tmp_path: Path) -> None:
    """Some thousand events in one batch: lists of events, slots and told regions grow in the middle of it, nothing is lost."""
    fences = many_people(tmp_path, 300)
    fixes = restless(np.random.default_rng(1), 300, 12)
    state, small = new_state(fences), new_state(fences)
    at_once, one_by_one = run(fences, state, fixes), run(fences, small, fixes, 37)
    assert len(at_once) > 3000
    assert at_once == one_by_one
    assert state.memory.pool.head[OPEN_EPISODES] == small.memory.pool.head[OPEN_EPISODES]


@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 50))
@settings(max_examples=15, deadline=None)
def test_batches_and_the_order_of_subjects_do_not_matter(seed: int, batch: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """J13: one batch or many, in the order of arrival or stable by subject: the same alerts, the same state."""
    rng = np.random.default_rng(seed)
    fences = many_people(tmp_path_factory.mktemp("registry"), 9)
    fixes = restless(rng, 9, 10)
    states = [new_state(fences) for _ in range(3)]
    whole = run(fences, states[0], fixes)
    assert whole == run(fences, states[1], fixes, batch)
    by_subject = run(fences, states[2], sorted(fixes, key=lambda fix: fix.subject), batch)
    assert by_id(whole) == by_id(by_subject)
    for other in states[1:]:
        assert np.array_equal(states[0].memory.row["last_ms"], other.memory.row["last_ms"])
        assert np.array_equal(states[0].memory.row["area_state"], other.memory.row["area_state"])
        assert np.array_equal(states[0].memory.counts, other.memory.counts)
        assert states[0].memory.pool.head[OPEN_EPISODES] == other.memory.pool.head[OPEN_EPISODES]


def test_pools_do_not_grow_with_the_number_of_episodes(tmp_path: Path) -> None:
    """A thousand episodes one after another take the room of those that are open at once."""
    fences = many_people(tmp_path, 3)
    state = new_state(fences)
    run(fences, state, restless(np.random.default_rng(3), 3, 40), 10)
    used = state.memory.pool.head[:4].copy()
    later = [Fix(fix.subject, fix.t + 3600 * 24, fix.at, fix.accuracy_m) for fix in restless(np.random.default_rng(3), 3, 900)]
    run(fences, state, later, 1000)
    assert state.memory.pool.head[0] <= used[0] + 6
    assert state.memory.pool.head[2] <= used[2] + 6
