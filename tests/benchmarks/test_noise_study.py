"""The noise study judges with the program's own judge, and counts what it says it counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from benchmarks.noise_policies import SHIPPED, Episodes, Judge, Policy, all_policies
from benchmarks.noise_study import one_key_changed, studied, told
from benchmarks.noise_tracks import (
    CIRCLE_RADIUS_M,
    FROM_BORDER_M,
    JUMP_M,
    NEVER_NEARER,
    START_MS,
    Excursions,
    Neighbours,
    Noise,
    make_neighbours,
    seen_by_devices,
    trespassing_tracks,
)
from fences.fence_set import FenceSet
from fences.load import load_registry
from pipeline.replay import ReplayOptions, run_replay
from pipeline.sources.files import FileOptions
from pipeline.worlds.days import DAY_MS, Paths, daily_paths
from pipeline.worlds.districts import PLANE, Districts, make_districts

NEVER = int(np.iinfo(np.int64).max)


@pytest.fixture(scope="module")
def place() -> tuple[Districts, Neighbours]:
    """A map and three people at each distance."""
    districts = make_districts(np.random.default_rng(1))
    return districts, make_neighbours(districts, 3, np.random.default_rng(2))


def test_the_honest_never_come_near(place: tuple[Districts, Neighbours]) -> None:
    """At no time is anybody nearer to the border or his circle than three quarters of what his home is."""
    districts, some = place
    paths = daily_paths(some.people, START_MS, START_MS + DAY_MS, np.random.default_rng(3))
    times = np.tile(START_MS + np.arange(0, DAY_MS, 20_000), (len(some), 1))
    x, y, _, _ = paths.at(0, times)
    for i, away_m in enumerate(some.from_border_m):
        points = shapely.points(x[i], y[i])
        shape = districts.shapes[some.people.district[i]]
        assert shapely.covers(shape, points).all()
        assert shapely.distance(points, shape.boundary).min() > NEVER_NEARER * away_m - 0.5
        assert shapely.distance(points, shapely.Point(some.centre[i])).min() > CIRCLE_RADIUS_M + NEVER_NEARER * away_m - 0.5
    assert sorted(set(np.round(some.from_border_m).tolist())) == list(FROM_BORDER_M)


@pytest.mark.parametrize("noise", [Noise(), Noise(step_ms=15_000), Noise(jump_memory_s=0.0), Noise(worse=1.5)])
def test_devices_are_as_imprecise_as_is_said(noise: Noise) -> None:
    """Of people who do not move: how many fixes are within what they report, how many jump, how far, and how many are not sent."""
    people, days = 60, 3
    at_home = Paths(np.arange(people + 1), np.full(people, START_MS), np.zeros(people, np.float32), np.zeros(people, np.float32))
    tracks = seen_by_devices(at_home, people, days, noise, np.random.default_rng(4))
    off_m = np.hypot(*PLANE.to_metres(np.column_stack([tracks.lon, tracks.lat])).T)
    within = (off_m < tracks.accuracy_m).mean()
    assert 0.62 < within < 0.72 if noise.worse == 1 else 0.35 < within < 0.5
    usual_m = np.array([np.median(tracks.accuracy_m[tracks.person == i]) for i in range(people)])[tracks.person]
    jumped = (off_m > 6 * usual_m) & (off_m > JUMP_M[0])
    assert 0.001 < jumped.mean() < 0.006
    assert off_m[jumped].max() < 1.2 * JUMP_M[1]
    goes_on = jumped[1:][jumped[:-1] & (np.diff(tracks.person) == 0)].mean()
    assert abs(goes_on - noise.goes_on(noise.jump_memory_s)) < 0.12
    sent = len(tracks) / (people * days * DAY_MS / noise.step_ms)
    assert 0.98 < sent < 0.992
    assert np.diff(tracks.time_ms)[np.diff(tracks.person) == 0].max() < 14 * 60_000


@pytest.mark.parametrize("effect", ["allow", "forbid"])
def test_its_episodes_are_those_of_a_replay(place: tuple[Districts, Neighbours], tmp_path: Path, effect: str) -> None:
    """The same tracks through the dataflow under the same registry: the same openings and clears."""
    districts, some = place
    policy = SHIPPED["allow"] if effect == "allow" else SHIPPED["forbid"]
    other = replace(policy, confirm_fixes=3)
    judge = Judge(some, districts, [other, policy], tmp_path / "registry")
    tracks, _, _ = trespassing_tracks(some, districts, 1, Noise(), np.random.default_rng(5))
    got = judge.episodes(tracks, policy)

    columns = {
        "subject": pa.array([f"1-{person}" for person in tracks.person.tolist()]),
        "time": tracks.time_ms,
        "lon": tracks.lon,
        "lat": tracks.lat,
        "accuracy_m": tracks.accuracy_m,
    }
    pq.write_table(pa.table(columns), tmp_path / "fixes.parquet")
    options = ReplayOptions([str(tmp_path / "fixes.parquet")], FileOptions(), alerts_out=tmp_path / "alerts.jsonl")
    run_replay(options, FenceSet(load_registry(tmp_path / "registry")[0]))
    alerts = [orjson.loads(line) for line in (tmp_path / "alerts.jsonl").read_bytes().splitlines()]
    kind = "left_area" if effect == "allow" else "entered_forbidden"
    mine = [alert for alert in alerts if alert["data"]["kind"] == kind]
    ends = {a["data"]["episode"]: _ms(a["time"]) for a in mine if a["type"].endswith("cleared")}
    opened = [a for a in mine if a["type"].endswith("opened")]
    expected = {(int(a["subject"][2:]), _ms(a["time"]), ends.get(a["data"]["episode"], NEVER)) for a in opened}
    assert len(expected) > 20
    assert expected == set(zip(got.person.tolist(), got.opened_ms.tolist(), got.cleared_ms.tolist(), strict=True))
    assert len(judge.episodes(tracks, other).person) < len(got.person)


def _ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


def test_what_is_told_of_an_excursion() -> None:
    """The first opening from the crossing until five minutes after the return; none counts where one was open before."""
    minute = 60_000
    excursions = Excursions(
        person=np.array([0, 1, 2, 3]),
        out_ms=np.array([10, 10, 10, 10]) * minute,
        back_ms=np.array([20, 20, 20, 20]) * minute,
        depth_m=np.full(4, 100.0),
        stay_ms=np.full(4, 10 * minute),
    )
    episodes = Episodes(
        person=np.array([0, 0, 1, 2, 3]),
        opened_ms=np.array([12, 18, 26, 5, 5]) * minute,
        cleared_ms=np.array([15 * minute, NEVER, NEVER, 30 * minute, 9 * minute]),
    )
    delay_ms, openings, counted = told(episodes, excursions)
    assert delay_ms[0] == 2 * minute
    assert np.isnan(delay_ms[1:]).all()
    assert openings.tolist() == [2, 0, 0, 0]
    assert counted.tolist() == [True, True, False, True]


def test_the_grid_holds_what_the_issue_names() -> None:
    """All combinations of allow, both factors of forbid, and the shipped policies among them."""
    policies = all_policies()
    assert len(set(policies)) == len(policies)
    assert {(p.confirm_fixes, p.confirm_s, p.tolerance_m, p.accuracy_factor) for p in policies if p.effect == "allow"} >= {
        (fixes, seconds, tolerance_m, factor)
        for fixes in (1, 2, 3, 5)
        for seconds in (0, 60, 120)
        for tolerance_m in (0, 30, 50, 100)
        for factor in (0, 1, 2)
    }
    assert {p.accuracy_factor for p in policies if p.effect == "forbid"} == {0.0, 1.0}
    assert set(SHIPPED.values()) <= set(policies)


def test_more_patience_is_fewer_false_alerts_and_later_true_ones() -> None:
    """In a small study, one key at a time."""
    policies: list[Policy] = [p for p in all_policies() if p.effect == "allow" and p.tolerance_m == 30 and p.accuracy_factor == 1]
    found, _ = studied([7], 4, 3, Noise(), policies)
    by_fixes = [found[replace(SHIPPED["allow"], confirm_fixes=fixes)] for fixes in (1, 2, 3, 5)]
    assert all(a.false >= b.false and a.delay_min < b.delay_min for a, b in pairwise(by_fixes))
    assert by_fixes[0].false > by_fixes[3].false
    assert found[SHIPPED["allow"]].missed < 0.05
    assert next(iter(one_key_changed(found, "allow"))) == SHIPPED["allow"]
