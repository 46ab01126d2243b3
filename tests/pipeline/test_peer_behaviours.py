"""What other geofence servers are known for, case by case, and what fencewatch does instead; why, says docs/compared.md.

Most are told in the notation of docs/rules.md; where a place has to be exact to the last bit, in degrees.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyproj import Geod

from fences.fence_set import FenceSet
from fences.load import load_registry
from fences.problems import WrongRegistryError, describe
from tests.pipeline.world_folder import Outcome, replay
from tests.reference.moments import read_time
from tests.rules_page import assert_happens, example_of

PAGE = Path(__file__).parents[2] / "docs" / "compared.md"
START_MS = 1_772_409_600_000
"""2026-03-02T00:00:00Z."""
Json = dict[str, Any]
Point = tuple[float, float]


def happens(text: str, directory: Path) -> None:
    """A case in the notation of docs/rules.md happens as it says."""
    assert_happens(example_of("a case", text), directory)


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """The ring of a rectangle in degrees."""
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def area(area_id: str, kind: str, coordinates: object, **properties: object) -> Json:
    """An area."""
    return {"type": "Feature", "properties": {"id": area_id, **properties}, "geometry": {"type": kind, "coordinates": coordinates}}


def fences(directory: Path, areas: Sequence[Json], rules: Sequence[Json], policy: str = "min_jump_m = 1e7\n") -> FenceSet:
    """A registry of one subject, `p`, whom all rules bind; one fix opens and one clears."""
    directory.mkdir()
    for name, features in (("regions", []), ("areas", areas)):
        (directory / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (directory / "subjects.jsonl").write_text('{"id": "p"}\n')
    (directory / "rules.jsonl").write_text("".join(json.dumps({"everyone": True} | rule) + "\n" for rule in rules))
    (directory / "policy.toml").write_text(f"[policy]\nconfirm_fixes = 1\nclear_fixes = 1\n{policy}")
    return FenceSet(load_registry(directory)[0])


def records(*points: Point, minutes: Sequence[float] | None = None) -> list[Json]:
    """A fix a minute, or at some minutes."""
    at = range(len(points)) if minutes is None else minutes
    return [
        {"subject": "p", "time": START_MS + round(60_000 * t), "lon": x, "lat": y} for t, (x, y) in zip(at, points, strict=True)
    ]


def run(fence_set: FenceSet, fixes: Sequence[Json], directory: Path) -> Outcome:
    """Through the real dataflow."""
    file = directory / "fixes.jsonl"
    file.write_text("".join(json.dumps(fix) + "\n" for fix in fixes))
    return replay(fence_set, [file], directory / "alerts.jsonl")


def story(outcome: Outcome) -> list[tuple[float, str, str, str | None]]:
    """Minute, change, kind and rule of each alert."""
    rows = []
    for alert in outcome.alerts:
        minute = ((read_time(alert["time"]) or 0) - START_MS) / 60_000
        rows.append((minute, alert["type"].rpartition(".")[2], alert["data"]["kind"], alert["data"]["rule"]))
    return sorted(rows, key=str)


def test_first_position_outside(tmp_path: Path) -> None:
    """It is a breach like any other: who is never where he may be is not overlooked. First seen inside is nothing."""
    happens(
        """
| in this example | |
|---|---|
| person Li | |
| person Wang | |
| area Home | square of 1000 m around 0, 0 |
| rule home | everyone may be in Home |

| time | who | where | judged | what happens |
|---|---|---|---|---|
| 08:00:00 | Li | 700, 0 | breach 1 of 2 | nothing |
| 08:00:00 | Wang | 0, 0 | fine | nothing |
| 08:01:00 | Li | 700, 0 | breach | red left_area opens, since 08:00:00, 200 m |
""",
        tmp_path,
    )


@pytest.mark.parametrize("where", ["500, 500", "-500, 500", "0, 500", "0, -500"])
def test_boundary_point(where: str, tmp_path: Path) -> None:
    """A vertex and a point of an edge are inside, for who may be there and for who must not alike."""
    happens(
        f"""
| in this example | |
|---|---|
| area Home | square of 1000 m around 0, 0 |
| rule home | Li may be in Home |
| rule out | Li must not enter Home |
| policy | confirm_fixes 1; tolerance_m 0 |

| time | where | judged | judged out | what happens |
|---|---|---|---|---|
| 08:00:00 | {where} | fine | breach | red entered_forbidden (out) opens, 0 m |
""",
        tmp_path,
    )


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((121.0, 31.05), True),
        ((math.nextafter(121.0, 0), 31.05), False),
        ((math.nextafter(121.0, 180), 31.05), True),
        ((121.1, 31.1), True),
        ((121.1, math.nextafter(31.1, 90)), False),
        ((math.nextafter(121.1, 180), math.nextafter(31.1, 90)), False),
    ],
)
def test_boundary_to_the_last_bit(point: Point, *, inside: bool, tmp_path: Path) -> None:
    """One unit in the last place beside the boundary is outside; no raster and no rounding moves it."""
    fence_set = fences(
        tmp_path / "registry",
        [area("a", "Polygon", [box(121.0, 31.0, 121.1, 31.1)])],
        [{"id": "r", "effect": "allow", "areas": ["a"], "tolerance_m": 0}],
    )
    assert story(run(fence_set, records(point), tmp_path)) == ([] if inside else [(0, "opened", "left_area", None)])


def test_hole(tmp_path: Path) -> None:
    """Within a hole he is outside, as far as the hole's edge is away; on its edge he is inside."""
    happens(
        """
| in this example | |
|---|---|
| area Park | square of 1000 m around 0, 0 with a hole of 400 m |
| rule park | Li may be in Park |
| policy | confirm_fixes 1; clear_fixes 1; tolerance_m 0 |

| time | where | judged | what happens |
|---|---|---|---|
| 08:00:00 | 300, 0 | fine | nothing |
| 08:01:00 | 50, 0 | breach | red left_area opens, 150 m |
| 08:02:00 | 0, 200 | fine | left_area clears |
| 08:03:00 | 200, 200 | fine | nothing |
""",
        tmp_path,
    )


def test_island_in_a_hole(tmp_path: Path) -> None:
    """An area of several parts: on the island in the hole he is inside again."""
    park = [[box(121.0, 31.0, 121.1, 31.1), box(121.02, 31.02, 121.08, 31.08)], [box(121.04, 31.04, 121.06, 31.06)]]
    fence_set = fences(tmp_path / "registry", [area("a", "MultiPolygon", park)], [{"id": "r", "effect": "allow", "areas": ["a"]}])
    fixes = records((121.01, 31.05), (121.03, 31.05), (121.05, 31.05))
    assert story(run(fence_set, fixes, tmp_path)) == [(1, "opened", "left_area", None), (2, "cleared", "left_area", None)]


def test_two_overlapping_areas_into_two_others_in_one_step(tmp_path: Path) -> None:
    """Four zones, each with an alert of its own: two end and two begin at one fix. Where he may be is one question: no alert."""
    happens(
        """
| in this example | |
|---|---|
| area Pond | square of 400 m around 0, 0 |
| area Park | square of 600 m around 100, 0 |
| area Bar | square of 400 m around 3000, 0 |
| area Club | square of 600 m around 3100, 0 |
| rule pond | Li must not enter Pond |
| rule park | Li must not enter Park |
| rule bar | Li must not enter Bar |
| rule club | Li must not enter Club |
| rule here | Li may be in Pond and Park and Bar and Club |
| policy | confirm_fixes 1; clear_fixes 1 |

| time | where | judged | what happens |
|---|---|---|---|
| 08:00:00 | 0, 0 | fine | red entered_forbidden (pond) opens, 200 m; red entered_forbidden (park) opens, 200 m |
| 08:05:00 | 3000, 0 | fine | entered_forbidden (pond) clears; entered_forbidden (park) clears; red entered_forbidden (bar) opens, 200 m; red entered_forbidden (club) opens, 200 m |
""",  # noqa: E501 - a row of a table is one line
        tmp_path,
    )


def test_crossing_between_two_fixes(tmp_path: Path) -> None:
    """Two fixes on either side of a pond: nobody knows by which way he went, so that alone is no breach."""
    happens(
        """
| in this example | |
|---|---|
| area Pond | square of 200 m around 0, 0 |
| rule pond | Li must not enter Pond |

| time | where | judged pond | what happens |
|---|---|---|---|
| 08:00:00 | -300, 0 | fine | nothing |
| 08:01:00 | 300, 0 | fine | nothing |
""",
        tmp_path,
    )


@pytest.mark.parametrize("share", [0.9, 0.998, 1.002, 1.1])
def test_circle_and_polygon_of_the_same_place(share: float, tmp_path: Path) -> None:
    """A circle by its radius and the same drawn as a polygon say the same, to 0.1 % of the radius, at every latitude."""
    geod, radius_m = Geod(ellps="WGS84"), 500.0
    for number, (lon, lat) in enumerate([(121.0, 31.0), (18.96, 69.65), (-78.5, -0.2)]):
        around = [geod.fwd(lon, lat, 0.5 * k, radius_m)[:2] for k in range(720)]
        areas = [area("drawn", "Polygon", [[*around, around[0]]]), area("circle", "Point", [lon, lat], radius_m=radius_m)]
        rules = [{"id": name, "effect": "require", "areas": [name], "tolerance_m": 0} for name in ("drawn", "circle")]
        directory = tmp_path / str(number)
        directory.mkdir()
        fence_set = fences(directory / "registry", areas, rules)
        fixes = records(*(geod.fwd(lon, lat, 7 * k, share * radius_m)[:2] for k in range(52)))
        alerts = story(run(fence_set, fixes, directory))
        assert alerts == [] if share < 1 else [row[:3] for row in alerts] == [(0, "opened", "absent")] * 2


def test_antimeridian(tmp_path: Path) -> None:
    """An area split there is one area; distances go over the line, jumps too: 20 m are 20 m. 180 and -180 are one meridian."""
    parts = [[box(179.9, -17, 180, -16.9)], [box(-180, -17, -179.9, -16.9)]]
    fence_set = fences(
        tmp_path / "registry",
        [area("both", "MultiPolygon", parts), area("east", "Polygon", parts[1])],
        [
            {"id": "both", "effect": "require", "areas": ["both"], "tolerance_m": 0},
            {"id": "east", "effect": "require", "areas": ["east"], "tolerance_m": 30},
        ],
        "max_speed_mps = 1.0\nmin_jump_m = 100\n",
    )
    near = 0.0001
    fixes = records((180 - near, -16.95), (near - 180, -16.95), (180.0, -16.95), (-180.0, -16.95), (179.999, -16.95))
    outcome = run(fence_set, fixes, tmp_path)
    assert story(outcome) == [(4, "opened", "absent", "east")]
    assert outcome.alerts[0]["data"]["distance_m"] == pytest.approx(
        Geod(ellps="WGS84").inv(179.999, -16.95, 180, -16.95)[2], rel=0.005
    )


@pytest.mark.parametrize(
    ("kind", "coordinates", "radius_m"),
    [
        ("Polygon", [box(179.9, -17, -179.9, -16.9)], None),
        ("Polygon", [box(179.9, -17, 180.1, -16.9)], None),
        ("Point", [179.999, -17], 1000),
    ],
)
def test_unsplit_at_the_antimeridian(kind: str, coordinates: object, radius_m: int | None, tmp_path: Path) -> None:
    """Refused, with the place: drawn as it stands it would be a belt around the earth."""
    properties = {} if radius_m is None else {"radius_m": radius_m}
    with pytest.raises(WrongRegistryError) as refused:
        fences(
            tmp_path / "registry", [area("a", kind, coordinates, **properties)], [{"id": "r", "effect": "allow", "areas": ["a"]}]
        )
    assert "antimeridian" in "".join(describe(refused.value.problems))


HOME = [area("a", "Polygon", [box(121.0, 31.0, 121.1, 31.1)])]
STAY = [{"id": "r", "effect": "allow", "areas": ["a"], "confirm_fixes": 2}]
IN, OUT = (121.05, 31.05), (121.11, 31.05)
DAY = records(IN, OUT, OUT, OUT, IN, IN, IN)
TOLD = [(2, "opened", "left_area", None), (4, "cleared", "left_area", None)]


def test_replayed_twice(tmp_path: Path) -> None:
    """The same records once more: all duplicates or late, nothing is told a second time."""
    outcome = run(fences(tmp_path / "registry", HOME, STAY), [*DAY, *DAY], tmp_path)
    assert story(outcome) == TOLD
    # The first of the second round is late already; the last of it is the last of the first.
    assert (outcome.report["fixes_judged"], outcome.report["late"], outcome.report["duplicates"]) == (7, 6, 1)


def test_each_record_twice(tmp_path: Path) -> None:
    """A device that sends each fix twice does not confirm a breach by its own echo."""
    outcome = run(fences(tmp_path / "registry", HOME, STAY), [fix for fix in DAY for _ in range(2)], tmp_path)
    assert story(outcome) == TOLD
    assert outcome.report["duplicates"] == 7


def test_replayed_out_of_order(tmp_path: Path) -> None:
    """Two fixes that change places: the older moves nothing back, and there is no false pair of leaving and returning."""
    swapped = [DAY[0], DAY[1], DAY[2], DAY[4], DAY[3], DAY[5], DAY[6]]
    outcome = run(fences(tmp_path / "registry", HOME, STAY), swapped, tmp_path)
    assert story(outcome) == TOLD
    assert outcome.report["late"] == 1


def test_uploaded_backwards(tmp_path: Path) -> None:
    """A device that empties its memory from the end: the breach comes to light all the same, marked as late."""
    outcome = run(fences(tmp_path / "registry", HOME, STAY), DAY[::-1], tmp_path)
    assert story(outcome) == [(3, "cleared", "left_area", None), (3, "opened", "left_area", None)]
    assert all(alert["data"]["late"] for alert in outcome.alerts)


def test_deletion_of_an_area_with_somebody_in_it(tmp_path: Path) -> None:
    """A zone that is gone ends its alerts; a home that is gone is left at that instant, though he did not move."""
    happens(
        """
| in this example | |
|---|---|
| area Home | square of 1000 m around 0, 0 |
| area Work | square of 200 m around 2000, 0 |
| area Pond | square of 200 m around 0, 0 |
| rule here | Li may be in Home and Work |
| rule pond | Li must not enter Pond |
| policy | confirm_fixes 1 |

| the new registry from 09:00:00 | |
|---|---|
| rule here | Li may be in Work |
| rule pond | is gone |
| area Home | is gone |
| area Pond | is gone |

| time | where | judged | what happens |
|---|---|---|---|
| 08:55:00 | 0, 0 | fine | red entered_forbidden (pond) opens, 100 m |
| 09:00:00 | (new registry) | | entered_forbidden (pond) clears, rule ended; red left_area opens, 1900 m |
| 09:05:00 | 0, 0 | breach | nothing |
""",
        tmp_path,
    )


def test_schedule_opens_while_somebody_is_out_already(tmp_path: Path) -> None:
    """He is judged at that instant at his last position: nobody waits for him to cross a line."""
    happens(
        """
| in this example | |
|---|---|
| area Home | square of 1000 m around 0, 0 |
| rule curfew | Li must be in Home; daily 22:00 to 06:00; in Asia/Shanghai |
| policy | confirm_fixes 1 |

| time | where | judged curfew | what happens |
|---|---|---|---|
| 21:50:00 | 700, 0 | not judged | nothing |
| 22:00:00 | (the clock) | breach | red absent (curfew) opens, 200 m |
""",
        tmp_path,
    )


def test_device_that_reports_only_every_16_minutes(tmp_path: Path) -> None:
    """As shipped his silence is told each time, after 15 minutes, and a breach with the second fix; no edge is judged between."""
    happens(
        """
| in this example | |
|---|---|
| area Home | square of 1000 m around 0, 0 |
| rule home | Li may be in Home |
| rule curfew | Li must be in Home; daily 22:00 to 06:00; in Asia/Shanghai; confirm_fixes 1 |

| time | where | judged | what happens |
|---|---|---|---|
| 21:44:00 | 700, 0 | breach 1 of 2 | nothing |
| 21:59:00 | (deadline) | | yellow silent opens |
| 22:00:00 | 700, 0 | breach | silent clears; red left_area opens, since 21:44:00, 200 m; red absent (curfew) opens, 200 m |
| 22:15:00 | (deadline) | | yellow silent opens |
| 22:16:00 | 0, 0 | fine 1 of 2 | silent clears |
| 22:31:00 | (deadline) | | yellow silent opens |
| 22:32:00 | 0, 0 | fine | silent clears; left_area clears; absent (curfew) clears |
""",
        tmp_path,
    )


def test_device_that_reports_only_every_16_minutes_with_a_policy_for_it(tmp_path: Path) -> None:
    """With a patience of his own and an older position allowed at edges he is silent no more, and the curfew begins in time."""
    happens(
        """
| in this example | |
|---|---|
| person Li | silent after 2000 s |
| area Home | square of 1000 m around 0, 0 |
| rule curfew | Li must be in Home; daily 22:00 to 06:00; in Asia/Shanghai; confirm_fixes 1 |
| policy | max_position_age_s 1200 |

| time | where | judged curfew | what happens |
|---|---|---|---|
| 21:44:00 | 700, 0 | not judged | nothing |
| 22:00:00 | (edge) | | red absent (curfew) opens, 200 m |
| 22:00:01 | 700, 0 | breach | nothing |
| 22:16:01 | 0, 0 | fine 1 of 2 | nothing |
""",
        tmp_path,
    )


def test_every_case_of_the_page_is_here() -> None:
    """The tests that docs/compared.md names are those of this file, and no other."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    here = {name for name in globals() if name.startswith("test_")} - {"test_every_case_of_the_page_is_here"}
    assert named == here
