"""J1-J5: what each rule makes of a position; a rule of the contract, then where it ends."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from fences.metres import scale_at
from operators.judge import BREACH, FINE, NOT_JUDGED, UNCERTAIN, judge, region_of
from tests.operators.small_registry import (
    AREAS,
    Fix,
    Json,
    accepted,
    compiled_plan,
    fence_set,
    judged,
    make_plan,
    place,
    verdicts_of,
)
from tests.strategies.shapes import LAT_0, PER_DEGREE, feature, rectangle

pytestmark = pytest.mark.jitless

EAST_M = scale_at(LAT_0 + 3 / PER_DEGREE)[0] / PER_DEGREE
"""Metres of a grid unit eastwards near home."""
P: Json = {"subjects": ["p"]}
ALLOW_HOME: Json = {"effect": "allow", "areas": ["home"], **P}
FORBID_POND: Json = {"effect": "forbid", "areas": ["pond"], **P}
OF_ALL: Json = {"everyone": True}
OF_GROUP: Json = {"groups": ["youth"]}
PEOPLE = ({"id": "p", "home_region": "west", "groups": ["youth", "drink"]}, {"id": "q", "groups": ["drink"]}, {"id": "r"})


def east_of_home(metres: float) -> tuple[float, float]:
    """A place so many metres east of home's eastern side (less than 0: inside)."""
    return 4 + metres / EAST_M, 3


@pytest.mark.parametrize(
    ("metres", "accuracy_m", "verdict"),
    [
        (-50, 0, FINE),
        (0, math.nan, FINE),
        (29, 0, FINE),
        (29, 500, FINE),
        (31, 0, BREACH),
        (31, math.nan, BREACH),
        (49, 20, UNCERTAIN),
        (51, 20, BREACH),
        (900, 1000, UNCERTAIN),
        (2000, 1000, BREACH),
    ],
)
def test_j2_covered_tolerance_accuracy(tmp_path: Path, metres: float, accuracy_m: float, verdict: int) -> None:
    """Within 30 m fine, within 30 m and the accuracy uncertain, else a breach; a missing accuracy is 0."""
    fences = fence_set(tmp_path, ALLOW_HOME)
    assert verdicts_of(fences, [Fix("p", 0, east_of_home(metres), accuracy_m)]) == [(verdict, {})]


@pytest.mark.parametrize(
    ("terms", "metres", "accuracy_m", "verdict"),
    [
        ({"tolerance_m": 100}, 99, 0, FINE),
        ({"tolerance_m": 100}, 101, 0, BREACH),
        ({"tolerance_m": 0}, 1, 0, BREACH),
        ({"tolerance_m": 0}, 1, 2, UNCERTAIN),
        ({"accuracy_factor": 0.5}, 49, 40, UNCERTAIN),
        ({"accuracy_factor": 0.5}, 51, 40, BREACH),
        ({"accuracy_factor": 0}, 31, 900, BREACH),
        ({"tolerance_m": 10000, "accuracy_factor": 10}, 9900, 1000, FINE),
        ({"tolerance_m": 10000, "accuracy_factor": 10}, 19800, 1000, UNCERTAIN),
        ({"tolerance_m": 10000, "accuracy_factor": 10}, 20200, 1000, BREACH),
    ],
)
def test_j2_by_the_rules_own_terms(tmp_path: Path, terms: Json, metres: float, accuracy_m: float, verdict: int) -> None:
    """The rule's tolerance and factor, up to the largest there are."""
    fences = fence_set(tmp_path, ALLOW_HOME | terms)
    assert verdicts_of(fences, [Fix("p", 0, east_of_home(metres), accuracy_m)]) == [(verdict, {})]


def test_j2_without_tolerance_the_cover_test_alone_decides(tmp_path: Path) -> None:
    """A unit beside a slanted border the distance rounds to 0 m: with a tolerance of 0 it is a breach all the same."""
    corners = [[1.1, 31.2], [1.3, 31.25], [1.2, 31.4], [1.1, 31.2]]
    slanted = feature("slanted", {"type": "Polygon", "coordinates": [corners]})
    plan = make_plan({"effect": "allow", "areas": ["slanted"], "tolerance_m": 0, **P})
    fences = compiled_plan(tmp_path, replace(plan, areas=(*AREAS, slanted)))
    part = np.random.default_rng(1).random(400)
    lon, lat = 1.1 + part * (1.3 - 1.1), 31.2 + part * (31.25 - 31.2)
    shape = fences.registry.area_shapes[fences.registry.area_ids.index("slanted")]
    outside = ~np.asarray(shapely.covers(shape, shapely.points(lon, lat)))
    assert 100 < outside.sum() < 300
    for accuracy_m, beside in ((math.nan, BREACH), (0.0, BREACH), (5.0, UNCERTAIN)):
        n = len(lon)
        verdicts = judge(
            fences.fences_for(lon, lat), np.zeros(n, np.int32), np.full(n, 10**12), lon, lat, np.full(n, accuracy_m)
        ).area
        assert verdicts.tolist() == np.where(outside, beside, FINE).tolist()


def test_j2_the_union_of_all_active_allow_rules(tmp_path: Path) -> None:
    """Fine in the area of any rule, own, of a group or of everyone; uncertain by any; else a breach."""
    rules = ({"effect": "allow", "areas": ["home", "school"], **P}, {"effect": "allow", "areas": ["island"], **OF_GROUP})
    fences = fence_set(tmp_path, *rules, subjects=PEOPLE)
    stops = {(3, 3): FINE, (5.5, 5.5): FINE, (10, 10): FINE, (15, 15): BREACH}
    fixes = [Fix("p", i, at) for i, at in enumerate(stops)] + [Fix("p", 9, (11 + 100 / EAST_M, 10), 90)]
    assert [area for area, _ in verdicts_of(fences, fixes)] == [*stops.values(), UNCERTAIN]


@pytest.mark.parametrize("areas", [["island", "home"], ["home", "island"]])
def test_j2_the_best_of_several_areas_decides(tmp_path: Path, areas: list[str]) -> None:
    """Uncertain at the one and far from the other is uncertain, whichever comes first; for a require rule, too."""
    rules = [{"effect": effect, "areas": areas, **P} for effect in ("allow", "require")]
    fences = fence_set(tmp_path, *rules)
    assert verdicts_of(fences, [Fix("p", 0, east_of_home(100), 90)]) == [(UNCERTAIN, {"r1": UNCERTAIN})]


def test_j2_who_has_no_allow_rule_is_not_judged(tmp_path: Path) -> None:
    """Slot `area` is judged where any allow rule binds a subject, whether it is active or not."""
    past: Json = {"effect": "allow", "areas": ["home"], "subjects": ["q"], "until": 1_700_000_000_000}
    fences = fence_set(tmp_path, ALLOW_HOME, past, subjects=PEOPLE)
    fixes = [Fix(name, 0, (3, 3)) for name in ("p", "q", "r")]
    assert [area for area, _ in verdicts_of(fences, fixes)] == [FINE, BREACH, NOT_JUDGED]


@pytest.mark.parametrize("binding", [P, OF_GROUP, OF_ALL])
def test_j1_from_is_included_until_is_not(tmp_path: Path, binding: Json) -> None:
    """To the millisecond, for a rule however it binds."""
    window: Json = {"from": "2026-06-01T08:01:00Z", "until": "2026-06-01T08:02:00.500Z", **binding}
    fences = fence_set(
        tmp_path,
        {"effect": "allow", "areas": ["home"], **window},
        {"effect": "forbid", "areas": ["pond"], **window},
        subjects=PEOPLE,
    )
    inside = [(59.999, BREACH, {}), (60, FINE, {"r1": BREACH}), (120.499, FINE, {"r1": BREACH}), (120.5, BREACH, {})]
    assert verdicts_of(fences, [Fix("p", t, (3.5, 3.5)) for t, *_ in inside]) == [(area, rules) for _, area, rules in inside]


@pytest.mark.parametrize("binding", [P, OF_GROUP, OF_ALL])
@pytest.mark.parametrize(
    ("terms", "x", "accuracy_m", "verdict"),
    [
        ({}, 3.0, 900, BREACH),
        ({}, 2.999, 0, FINE),
        ({}, math.nextafter(3.0, 4), math.nan, BREACH),
        ({"accuracy_factor": 1}, 3.0, 0, BREACH),
        ({"accuracy_factor": 1}, 3.0, math.nan, BREACH),
        ({"accuracy_factor": 1}, 3.0, 1, UNCERTAIN),
        ({"accuracy_factor": 1}, 3 + 49 / EAST_M, 50, UNCERTAIN),
        ({"accuracy_factor": 1}, 3 + 51 / EAST_M, 50, BREACH),
        ({"accuracy_factor": 2}, 3 + 51 / EAST_M, 26, UNCERTAIN),
        ({"accuracy_factor": 1, "tolerance_m": 500}, 2.9, 900, FINE),
        ({"tolerance_m": 500}, 2.9, 0, FINE),
    ],
)
def test_j3_covered_and_how_deep(tmp_path: Path, binding: Json, terms: Json, x: float, accuracy_m: float, verdict: int) -> None:
    """Covered so deep as the accuracy asks: breach; covered less deeply: uncertain; a tolerance means nothing."""
    fences = fence_set(tmp_path, {"effect": "forbid", "areas": ["pond"], **binding} | terms, subjects=PEOPLE)
    expected = {} if verdict == FINE else {"r0": verdict}
    assert verdicts_of(fences, [Fix("p", 0, (x, 4), accuracy_m)]) == [(NOT_JUDGED, expected)]


@pytest.mark.parametrize("binding", [P, OF_GROUP, OF_ALL])
def test_j3_the_deepest_of_several_areas_decides(tmp_path: Path, binding: Json) -> None:
    """In the corner of home the pond is deep: one rule of both areas is broken, whichever comes first."""
    rule: Json = {"effect": "forbid", "accuracy_factor": 1, **binding}
    fences = fence_set(
        tmp_path,
        rule | {"areas": ["home", "pond"]},
        rule | {"areas": ["pond", "home"]},
        rule | {"areas": ["home"]},
        subjects=PEOPLE,
    )
    point = (4 - 20 / EAST_M, 3.6)
    assert verdicts_of(fences, [Fix("p", 0, point, 50)]) == [(NOT_JUDGED, {"r0": BREACH, "r1": BREACH, "r2": UNCERTAIN})]


def test_j1_j3_a_zone_binds_its_group_and_nobody_else(tmp_path: Path) -> None:
    """A rule of a group, of everyone, and one that names a subject who also is of its group: each binds whom it binds, once."""
    rules: list[Json] = [
        {"effect": "forbid", "areas": ["pond"], **OF_GROUP},
        {"effect": "forbid", "areas": ["pond"], **OF_ALL},
        {"effect": "forbid", "areas": ["pond"], "subjects": ["r", "p"], **OF_GROUP},
        {"effect": "forbid", "areas": ["pond"], "groups": ["youth", "drink"]},
        {"effect": "forbid", "areas": ["pond"], "subjects": ["r"]},
        {"effect": "forbid", "areas": ["school"], **OF_ALL},
    ]
    fences = fence_set(tmp_path, *rules, subjects=PEOPLE)
    got = verdicts_of(fences, [Fix(name, 0, (4, 4)) for name in ("p", "q", "r")])
    assert [sorted(hits) for _, hits in got] == [["r0", "r1", "r2", "r3"], ["r1", "r3"], ["r1", "r2", "r4"]]


@pytest.mark.parametrize("binding", [P, OF_GROUP, OF_ALL])
def test_j4_require_is_allow_over_its_own_areas(tmp_path: Path, binding: Json) -> None:
    """Fine near any of them, uncertain by the accuracy, else a breach; another rule's area does not help."""
    rules = ({"effect": "require", "areas": ["home", "school"], **binding}, {"effect": "require", "areas": ["island"], **binding})
    fences = fence_set(tmp_path, *rules, subjects=PEOPLE)
    fixes = [Fix("p", 0, (3, 3)), Fix("p", 1, (5.5, 6.2), 0), Fix("p", 2, (10, 10)), Fix("p", 3, east_of_home(49), 20)]
    hits = [hits for _, hits in verdicts_of(fences, fixes)]
    assert hits == [{"r1": BREACH}, {"r1": BREACH}, {"r0": BREACH}, {"r0": UNCERTAIN, "r1": BREACH}]


def test_j4_an_inactive_require_rule_asks_for_nothing(tmp_path: Path) -> None:
    """Before its `from`, beside one that is active."""
    later: Json = {"effect": "require", "areas": ["island"], "from": "2026-06-02T08:00:00Z", **P}
    fences = fence_set(tmp_path, later, {"effect": "require", "areas": ["school"], **P})
    assert verdicts_of(fences, [Fix("p", 0, (3, 3))]) == [(NOT_JUDGED, {"r1": BREACH})]


def test_rejected_records_and_contacts_are_left_out(tmp_path: Path) -> None:
    """Subject -1 and positions that are NaN have no verdict; their neighbours have theirs."""
    fences = fence_set(tmp_path, ALLOW_HOME, FORBID_POND)
    fixes = accepted(fences, [Fix("p", 0, (3.5, 3.5)), Fix("p", 1, None), Fix("p", 2, (3.5, 3.5)), Fix("p", 3, (15, 15))])
    subject = np.array([0, 0, -1, 0], np.int32)
    verdicts = judged(fences, replace(fixes, subject=subject))
    assert verdicts.area.tolist() == [FINE, NOT_JUDGED, NOT_JUDGED, BREACH]
    assert np.diff(verdicts.hit_start).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("binding", [P, OF_ALL])
def test_more_broken_rules_than_the_first_arrays_hold(tmp_path: Path, binding: Json) -> None:
    """300 rules broken by each of 9 records: the lists grow, nothing is lost or told twice."""
    rules: list[Json] = [{"effect": "forbid", "areas": ["pond", "home"], **binding} for _ in range(150)]
    rules += [{"effect": "require", "areas": ["island"], **binding} for _ in range(150)]
    fences = fence_set(tmp_path, *rules)
    got = verdicts_of(fences, [Fix("p", i, (3.5, 3.5)) for i in range(9)])
    assert [hits for _, hits in got] == [{f"r{i}": BREACH for i in range(300)}] * 9


def test_a_registry_without_rules_judges_nothing(tmp_path: Path) -> None:
    """There may be no rule yet, and not one area."""
    fences = compiled_plan(tmp_path / "none", replace(make_plan(), areas=(), regions=(), subjects=({"id": "p"},)))
    assert verdicts_of(fences, [Fix("p", 0, (3, 3)), Fix("p", 1, None)]) == [(NOT_JUDGED, {})] * 2
    known = fences.fences
    assert region_of(known.shapes, known.cells, known.region_rank, *place((3, 3))) == -1


def test_the_region_of_a_point_is_the_least_id_of_those_that_cover_it(tmp_path: Path) -> None:
    """A shared border belongs to both; the least id wins, whatever the order in the file."""
    regions = tuple(feature(name, rectangle(x, 0, 10, 20), timezone="UTC") for name, x in (("zeta", 0), ("alpha", 10), ("mid", 5)))
    fences = compiled_plan(tmp_path, replace(make_plan(), regions=regions, subjects=({"id": "p"},)))
    places = {(1, 1): "zeta", (5, 1): "mid", (7, 1): "mid", (10, 1): "alpha", (math.nextafter(10, 0), 20): "alpha", (21, 1): None}
    for at, expected in places.items():
        x, y = place(at)
        known = fences.fences_for(np.array([x]), np.array([y]))
        found = region_of(known.shapes, known.cells, known.region_rank, x, y)
        assert fences.region_id(found) == expected, at


def test_verdicts_do_not_depend_on_what_stands_beside_a_record(tmp_path: Path) -> None:
    """One batch, single records, or any order: the same verdicts."""
    rng = np.random.default_rng(2)
    rules = (ALLOW_HOME | OF_GROUP, FORBID_POND | OF_ALL, {"effect": "require", "areas": ["school"], **P})
    fences = fence_set(tmp_path, *rules, subjects=PEOPLE)
    fixes = [Fix("pqr"[rng.integers(3)], i, (rng.uniform(0, 12), rng.uniform(0, 12)), rng.uniform(0, 200)) for i in range(200)]
    whole = verdicts_of(fences, fixes)
    assert [verdicts_of(fences, [fix])[0] for fix in fixes] == whole
    order = rng.permutation(len(fixes))
    assert verdicts_of(fences, [fixes[i] for i in order]) == [whole[i] for i in order]
