"""From events to alerts: the ids of the contract's test vector, and every field of an opening, a move and a clear."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from fences.metres import geodesic_m
from operators.alert import alert_id, episode_id
from tests.operators.small_registry import (
    AREAS,
    REGIONS,
    START_MS,
    Fix,
    Json,
    compiled_plan,
    fence_set,
    make_plan,
    new_state,
    place,
    run,
    track,
)
from tests.strategies.shapes import feature, rectangle

pytestmark = pytest.mark.jitless

P: Json = {"subjects": ["p"]}
HOME: Json = {"effect": "allow", "areas": ["home"], "confirm_fixes": 1, **P}


def test_the_test_vector_of_the_contract() -> None:
    """Section 4: subject `p-0001`, slot `area`, onset 1700000000000."""
    assert episode_id("p-0001", "area", 1_700_000_000_000) == "c1b612310a76fd4dedb48b1743e2b12c"
    assert alert_id("p-0001", "area", 1_700_000_000_000, "opened") == "d893c89b5952e2d0d5bcfe04c32bf791"


def test_ids_tell_apart_what_differs() -> None:
    """Another subject, slot, onset, type, or region of a move is another id; nothing runs together at the joints."""
    ids = {
        alert_id("p", "area", 1, "opened"),
        alert_id("p", "area", 1, "cleared"),
        alert_id("p", "area", 1, "moved", "west"),
        alert_id("p", "area", 1, "moved", "east"),
        alert_id("q", "area", 1, "opened"),
        alert_id("p", "area", 11, "opened"),
        alert_id("p", "rule:area", 1, "opened"),
        alert_id("parea", "", 1, "opened"),
        episode_id("p", "area", 1),
    }
    assert len(ids) == 9


def test_every_field_of_an_opening_a_move_and_a_clear(tmp_path: Path) -> None:
    """Position, accuracy and arrival are those of the record that made it; level, kind and onset those of the opening."""
    fences = fence_set(tmp_path, HOME | {"id": "curfew", "level": "yellow"})
    fixes = [
        Fix("p", 0, (8, 3), 10, 2),
        Fix("p", 60, (12, 3), math.nan, 3),
        Fix("p", 120, (3, 3), 5),
        Fix("p", 180, (3, 3.25), 6, 4),
    ]
    opened, moved, cleared = run(fences, new_state(fences), fixes)
    lon, lat = place((8, 3))
    assert opened.distance_m == pytest.approx(geodesic_m(lon, lat, place((4, 3))[0], lat), rel=1e-4)
    assert changed(opened, distance_m=0.0) == changed(
        opened,
        id=alert_id("p", "area", START_MS, "opened"),
        change="opened",
        time_ms=START_MS,
        subject="p",
        slot="area",
        kind="left_area",
        level="yellow",
        episode=episode_id("p", "area", START_MS),
        rule=None,
        onset_ms=START_MS,
        reason=None,
        lon=lon,
        lat=lat,
        accuracy_m=10.0,
        distance_m=0.0,
        home_region="west",
        found_region="west",
        rules_version=fences.version,
        late=False,
        received_ms=START_MS + 2000,
        regions=("west",),
    )
    assert moved == changed(
        opened,
        id=alert_id("p", "area", START_MS, "moved", "middle"),
        change="moved",
        time_ms=START_MS + 60_000,
        lon=place((12, 3))[0],
        accuracy_m=None,
        distance_m=None,
        found_region="middle",
        received_ms=START_MS + 63_000,
        regions=("middle", "west"),
    )
    assert cleared == changed(
        moved,
        id=alert_id("p", "area", START_MS, "cleared"),
        change="cleared",
        time_ms=START_MS + 180_000,
        reason="returned",
        lon=place((3, 3))[0],
        lat=place((3, 3.25))[1],
        accuracy_m=6.0,
        found_region="west",
        received_ms=START_MS + 184_000,
    )


def test_the_kind_and_slot_of_rules(tmp_path: Path) -> None:
    """A forbid rule's alert is `entered_forbidden`, a require rule's `absent`; both name the rule."""
    rules: list[Json] = [
        {"id": "no go", "effect": "forbid", "areas": ["pond"], **P},
        {"id": "be:there", "effect": "require", "areas": ["school"], "confirm_fixes": 1, **P},
    ]
    fences = fence_set(tmp_path, *rules)
    alerts = run(fences, new_state(fences), [Fix("p", 0, (4.2, 4.1))])
    assert sorted((a.kind, a.slot, a.rule, a.level) for a in alerts) == [
        ("absent", "rule:be:there", "be:there", "red"),
        ("entered_forbidden", "rule:no go", "no go", "red"),
    ]
    assert [a.id for a in alerts if a.kind == "absent"] == [alert_id("p", "rule:be:there", START_MS, "opened")]


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Between two grid positions."""
    return geodesic_m(*place(a), *place(b))


def test_distances_of_openings(tmp_path: Path) -> None:
    """Outside: to the nearest area that an active allow rule names; inside: how deep in the deepest forbidden area."""
    rules: list[Json] = [
        {"effect": "allow", "areas": ["home"], "confirm_fixes": 1, **P},
        {"effect": "allow", "areas": ["island"], "everyone": True, "confirm_fixes": 1},
        {"effect": "allow", "areas": ["west"], "until": "2026-06-01T08:00:00Z", **P},
        {"effect": "forbid", "areas": ["school", "pond", "middle"], **P},
        {"effect": "require", "areas": ["home", "school"], "confirm_fixes": 1, **P},
    ]
    fences = fence_set(tmp_path, *rules)
    alerts = {a.slot: a for a in run(fences, new_state(fences), [Fix("p", 0, (10.3, 7.0))])}
    assert alerts["area"].distance_m == pytest.approx(metres((10.3, 7), (10.3, 9)), rel=0.001)
    assert alerts["rule:r3"].distance_m == pytest.approx(metres((10.3, 7), (10, 7)), rel=0.001)
    assert alerts["rule:r4"].distance_m == pytest.approx(metres((10.3, 7), (6, 6)), rel=0.001)


def test_a_zone_of_everyone_tells_its_depth_too(tmp_path: Path) -> None:
    """Found through the index, its areas are those of the rule: the deepest counts, not the first."""
    fences = fence_set(tmp_path, {"effect": "forbid", "areas": ["pond", "home"], "everyone": True})
    (alert,) = run(fences, new_state(fences), [Fix("p", 0, (3.9, 3.25))])
    assert alert.distance_m == pytest.approx(min(metres((3.9, 3.25), (3.9, 3)), metres((3.9, 3.25), (5, 3.25))), rel=0.001)


def test_many_regions(tmp_path: Path) -> None:
    """More regions than bits in a word: each is told once, by its id, and home is among them though it was never found."""
    strips = tuple(feature(f"r{i:03d}", rectangle(i, 30, 1, 1), timezone="UTC") for i in range(150))
    plan = replace(make_plan(HOME), regions=(*REGIONS, *strips), areas=AREAS)
    fences = compiled_plan(tmp_path, replace(plan, subjects=({"id": "p", "home_region": "r149"},)))
    state = new_state(fences)
    alerts = run(fences, state, track("p", *[(i + 0.5, 30.5) for i in range(140)], (3, 3), (3, 3)), 7)
    alerts = [alert for alert in alerts if alert.slot == "area"]  # the way home is too far for a minute
    assert [a.change for a in alerts] == ["opened"] + ["moved"] * 140 + ["cleared"]
    assert alerts[0].regions == ("r000", "r149")
    assert alerts[-1].regions == (*(f"r{i:03d}" for i in range(140)), "r149", "west")
    assert state.memory.pool.told.shape[1] == 3
