"""The reference judge's own parts, each against a value known from elsewhere; and that it keeps the contract's invariants."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.activity import instant, period
from tests.reference.alerts import blake
from tests.reference.datum import bd09_from_gcj02, gcj02_from_wgs84, to_wgs84
from tests.reference.earth import WGS84, circle, edges_of, metres, metres_to_edges
from tests.reference.lanes import Lane, Past, is_known
from tests.reference.moments import read_time, write_time
from tests.reference.records import RejectedRecordError, read_record
from tests.reference.registry import Span, Terms, read_days
from tests.reference.replay import judge_records, judge_with_doubts
from tests.strategies import Judged, Scenario, is_basic, scenarios, settle


def test_ids_of_the_contract() -> None:
    """The worked ids of section 4."""
    assert blake("p-0001", "area", "1700000000000") == "c1b612310a76fd4dedb48b1743e2b12c"
    assert blake("p-0001", "area", "1700000000000", "fencewatch.alert.opened") == "d893c89b5952e2d0d5bcfe04c32bf791"


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (1793493650333, 1793493650333),
        (1793493650333.9, 1793493650333),
        ("1793493650333", 1793493650333),
        ("2026-11-01T08:40:50.3339+08:00", 1793493650333),
        ("2026-11-01T00:40:50Z", 1793493650000),
        ("2026-11-01T00:40:50", None),
        ("2026-13-01T00:40:50Z", None),
        ("yesterday", None),
        (True, None),
        (None, None),
    ],
)
def test_times(value: object, ms: int | None) -> None:
    """Every form of a time, finer digits cut off."""
    assert read_time(value) == ms


def test_times_are_written_in_utc_with_milliseconds() -> None:
    """A time goes out in one form only."""
    assert write_time(1793493650033) == "2026-11-01T00:40:50.033Z"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"note": "' + b"x" * 65536 + b'"}', "too_large"),
        (b"[1]", "undecodable"),
        (b'{"subject": "p", "time": 1793493650333, "lon": NaN, "lat": 1}', "undecodable"),
        (b'{"subject": "p", "lon": "a", "lat": 1}', "missing_field"),
        (b'{"subject": 1.5, "time": 1793493650333, "lat": 1}', "missing_field"),
        (b'{"subject": 1.5, "time": 1, "lon": 500, "lat": 1}', "wrong_type"),
        (b'{"subject": "", "time": 1, "lon": 500, "lat": 1}', "bad_subject"),
        (b'{"subject": "p", "time": 1, "lon": 1, "lat": 1}', "out_of_range"),
        (b'{"subject": "p", "time": 4102444800000}', "out_of_range"),
    ],
)
def test_first_reason_that_holds(line: bytes, reason: str) -> None:
    """A record with several faults is refused for the first of the contract's list."""
    with pytest.raises(RejectedRecordError, match=reason):
        read_record(line)


@pytest.mark.parametrize(
    ("zone", "day", "minute", "repeated", "utc"),
    [
        ("Europe/London", date(2026, 3, 29), 90, 0, "2026-03-29T01:00:00Z"),
        ("Europe/London", date(2026, 3, 29), 90, 1, "2026-03-29T01:00:00Z"),
        ("Europe/London", date(2026, 3, 29), 60, 0, "2026-03-29T01:00:00Z"),
        ("Europe/London", date(2026, 10, 25), 90, 0, "2026-10-25T00:30:00Z"),
        ("Europe/London", date(2026, 10, 25), 90, 1, "2026-10-25T01:30:00Z"),
        ("Europe/London", date(2026, 10, 25), 1440, 1, "2026-10-26T00:00:00Z"),
        ("Australia/Lord_Howe", date(2026, 10, 4), 135, 0, "2026-10-03T15:30:00Z"),
        ("Asia/Shanghai", date(2026, 3, 29), 90, 0, "2026-03-28T17:30:00Z"),
    ],
)
def test_local_times_that_a_change_of_clocks_skips_or_repeats(zone: str, day: date, minute: int, repeated: int, utc: str) -> None:
    """A skipped time is the first instant after the gap; of a repeated one the first counts for `from`, the second for `to`."""
    assert write_time(instant(zone, day, minute, repeated)) == utc.replace("Z", ".000Z")


def test_span_runs_into_the_next_day_where_its_end_is_not_after_its_start() -> None:
    """22:00 to 06:00 is eight hours; 00:00 to 00:00 a whole day, of 23 hours when the clocks go forward."""
    hours = [
        (end - start) / 3_600_000
        for start, end in (
            period(Span(frozenset(range(7)), 22 * 60, 6 * 60), "Asia/Shanghai", date(2026, 3, 28)),
            period(Span(frozenset(range(7)), 0, 0), "Europe/London", date(2026, 3, 29)),
        )
    ]
    assert hours == [8, 23]


def test_days_wrap() -> None:
    """`fri-mon` goes over the end of the week."""
    assert read_days("fri-mon,wed") == {4, 5, 6, 0, 2}


def test_datum_there_and_back() -> None:
    """A converted point comes back to a hundredth of a metre, and lies as far off as the field knows."""
    lon, lat = 121.25, 31.375
    shown = gcj02_from_wgs84(lon, lat)
    assert 466 <= metres(lon, lat, *shown) <= 482
    assert metres(lon, lat, *to_wgs84("gcj02", *shown)) < 0.01
    assert metres(lon, lat, *to_wgs84("bd09", *bd09_from_gcj02(*shown))) < 0.01


@given(st.floats(-170, 170), st.floats(-70, 70), st.floats(0, 360), st.sampled_from([1.0, 300.0, 20_000.0, 400_000.0]))
@settings(max_examples=60, deadline=None)
def test_distance_to_an_edge_is_that_to_its_nearest_point(lon: float, lat: float, azimuth: float, off_m: float) -> None:
    """Beside a square the distance is what a thousand points of each edge say, to 0.5 %."""
    square = circle(121.0, 31.0, 1000.0).envelope
    at_lon, at_lat, _ = WGS84.fwd(lon, lat, azimuth, off_m)
    edges = edges_of(square) + [lon - 121.0, lat - 31.0] * 2
    shares = [i / 1000 for i in range(1001)]
    sampled = min(metres(at_lon, at_lat, a + s * (c - a), b + s * (d - b)) for a, b, c, d in edges.tolist() for s in shares)
    found = metres_to_edges(at_lon, at_lat, edges)
    assert found <= sampled * 1.000001 + 1e-6
    assert found >= sampled * 0.995 - 2.5


def test_circle_is_right_to_a_thousandth() -> None:
    """The polygon that stands for a circle lies within 0.1 % of its radius."""
    edges = edges_of(circle(18.7, 69.7, 2000.0))
    nearest = metres_to_edges(18.7, 69.7, edges)
    assert 1998 <= nearest <= 2000


TWO = Terms(2, 0, 1, 0.0, 0.0, "red")


def test_lane_needs_breaches_with_no_fine_one_between() -> None:
    """Late evidence runs from the earliest to the latest of its times, whatever their order of arrival."""
    lane = Lane()
    said = [lane.take(word, t, TWO, 900_000) for word, t in (("breach", 9), ("fine", 12), ("breach", 30), ("breach", 20))]  # type: ignore[arg-type]
    assert said == [None, None, None, (20, 30)]
    assert lane == Lane()


def test_lane_starts_anew_far_away_and_counts_a_time_once() -> None:
    """Beyond `max_position_age_s` the count begins again; the same time twice is one breach."""
    lane = Lane()
    said = [lane.take("breach", t, TWO, 900_000) for t in (0, 900_001, 900_001, 1_800_001)]
    assert said == [None, None, None, (900_001, 1_800_001)]


def test_known_episodes_are_four_and_the_open_one() -> None:
    """The fifth episode back is forgotten; an open one has no end; a pending onset counts from 15 minutes before."""
    quarter = 900_000
    past = [Past(i * 10 * quarter, i * 10 * quarter) for i in range(5)]
    assert not is_known(0, past, None)
    assert is_known(10 * quarter - quarter, past, None)
    assert not is_known(10 * quarter - quarter - 1, past, None)
    assert is_known(10**12, [Past(0, None)], None)
    assert is_known(100, [], 100 + quarter)
    assert not is_known(99, [], 100 + quarter)


def in_other_company(judged: Judged, rotation: int) -> list[bytes]:
    """The same records in the same order per subject, the subjects one after another."""

    def subject_of(line: bytes) -> str:
        try:
            record = json.loads(line)
        except ValueError:
            return ""
        return str(record.get("subject", "")) if isinstance(record, dict) else ""

    subjects = sorted({subject_of(line) for line in judged.lines})
    turned = subjects[rotation % len(subjects) :] + subjects[: rotation % len(subjects)]
    return sorted(judged.lines, key=lambda line: turned.index(subject_of(line)))


def by_id(alerts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Alerts by their id; an id given twice is a fault."""
    assert len({alert["id"] for alert in alerts}) == len(alerts)
    return {alert["id"]: alert for alert in alerts}


RANDOM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(scenario=scenarios("full"), rotation=st.integers(0, 4))
@RANDOM
def test_subjects_do_not_touch_each_other(tmp_path_factory: pytest.TempPathFactory, scenario: Scenario, rotation: int) -> None:
    """J13: without registry changes the order among different subjects makes no difference."""
    directory = tmp_path_factory.mktemp("world")
    judged = settle(Scenario(scenario.plan, scenario.lines, scenario.until_ms), directory)
    alerts, report = judge_records(judged.registry, in_other_company(judged, rotation), judged.until_ms)
    assert by_id(alerts) == by_id(judged.alerts)
    assert report == judged.report


@given(scenario=scenarios("full"))
@RANDOM
def test_every_episode_opens_first_and_ends_at_most_once(tmp_path_factory: pytest.TempPathFactory, scenario: Scenario) -> None:
    """Moves and clears follow their opening and repeat its kind and level; the counts of the report add up."""
    judged = settle(scenario, tmp_path_factory.mktemp("world"))
    opened: dict[str, dict[str, Any]] = {}
    for alert in judged.alerts:
        data = alert["data"]
        if alert["type"].endswith(".opened"):
            assert data["episode"] not in opened
            opened[data["episode"]] = data
        else:
            first = opened[data["episode"]]
            assert (data["kind"], data["level"], data["onset"]) == (first["kind"], first["level"], first["onset"])
            assert set(first["regions"]) <= set(data["regions"])
    kinds = ("fixes_judged", "contacts", "late", "duplicates", "conflicts")
    assert judged.report["fixes_read"] == sum(judged.report[k] for k in kinds) + sum(judged.report["rejected"].values())


@given(scenario=scenarios("basic"))
@RANDOM
def test_basic_scenarios_stay_basic(tmp_path_factory: pytest.TempPathFactory, scenario: Scenario) -> None:
    """Nothing of later issues shows in a basic scenario but what `is_basic` filters: overstay and the end of a rule."""
    judged = settle(scenario, tmp_path_factory.mktemp("world"))
    others = [a["data"] for a in judged.alerts if a["data"]["kind"] != "overstay" and a["data"]["reason"] != "rule_ended"]
    assert all(d["kind"] in ("left_area", "entered_forbidden") and not d["late"] for d in others)
    assert is_basic(judged) == (len(others) == len(judged.alerts))


def test_doubts_leave_exact_boundaries_in(tmp_path: Path) -> None:
    """A vertex, and one unit in the last place beside it, is no doubt with tolerance 0; a metre beside a tolerance is."""
    square = [[121.0, 31.0], [121.125, 31.0], [121.125, 31.125], [121.0, 31.125], [121.0, 31.0]]
    feature = {"type": "Feature", "properties": {"id": "a"}, "geometry": {"type": "Polygon", "coordinates": [square]}}
    (tmp_path / "areas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (tmp_path / "regions.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    (tmp_path / "subjects.jsonl").write_text('{"id": "exact"}\n{"id": "near"}\n')
    rules = [
        {"id": f"r-{s}", "effect": "allow", "subjects": [s], "areas": ["a"], "tolerance_m": t}
        for s, t in (("exact", 0), ("near", 100))
    ]
    (tmp_path / "rules.jsonl").write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    beside = math.nextafter(121.0, 0.0)
    hundred_m = 121.0 - 100 / metres(121.0, 31.0, 122.0, 31.0)
    where = [
        ("exact", 121.0, 31.0),
        ("exact", beside, 31.0),
        ("near", beside, 31.0),
        ("near", hundred_m, 31.0),
        ("near", 120.9, 31.0),
    ]
    lines = [
        json.dumps({"subject": s, "time": 1_790_000_000_000 + i, "lon": lon, "lat": lat}).encode()
        for i, (s, lon, lat) in enumerate(where)
    ]
    assert judge_with_doubts(tmp_path, lines)[2] == {3}
