"""J9, late evidence: which episodes it must not repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.late import LateEvidence
from tests.operators.small_registry import Fix, Json, fence_set, new_state, run, story

pytestmark = pytest.mark.jitless

IN, OUT = (2.5, 3.0), (8.0, 3.0)
HOUR, QUARTER = 3600.0, 900.0
HOME: Json = {"effect": "allow", "areas": ["home"], "subjects": ["p"]}
KEY = ("p", "area")
MINUTE_MS = 60_000


def out_at(*seconds: float) -> list[Fix]:
    """Two records outside, a minute apart, at each of some times."""
    return [Fix("p", t + minute, OUT) for t in seconds for minute in (0.0, 60.0)]


def late_onsets(tmp_path: Path, fixes: list[Fix]) -> list[float]:
    """Onsets of late evidence that was told, in hours."""
    fences = fence_set(tmp_path, HOME)
    alerts = run(fences, new_state(fences), fixes)
    return [
        onset / HOUR for (what, _, _, onset), alert in zip(story(alerts), alerts, strict=True) if alert.late and what == "opened"
    ]


def test_four_late_trips_opened_while_an_episode_was_open_are_remembered(tmp_path: Path) -> None:
    """The open one began before them: once it has ended, the four most recently opened are theirs, and none is told twice."""
    out_again = [Fix("p", 20 * HOUR, OUT), Fix("p", 20 * HOUR + 60, OUT)]
    back = [Fix("p", 21 * HOUR, IN), Fix("p", 21 * HOUR + 60, IN)]
    trips = [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]
    fixes = [Fix("p", 0, IN), *out_again, *out_at(*trips), *back, *out_at(*(t + 30 for t in trips))]
    assert late_onsets(tmp_path, fixes) == [1.0, 2.0, 3.0, 4.0]


def test_a_fifth_late_trip_lets_the_first_be_told_again(tmp_path: Path) -> None:
    """Only four are remembered."""
    trips = [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR]
    fixes = [Fix("p", 20 * HOUR, IN), *out_at(*trips), *out_at(2 * HOUR + 30), *out_at(HOUR + 30)]
    assert late_onsets(tmp_path, fixes) == [1.0, 2.0, 3.0, 4.0, 5.0, (HOUR + 30) / HOUR]


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ((OUT, OUT), [1.0]),
        ((OUT, IN, OUT), []),
        ((OUT, IN, OUT, OUT), [(HOUR + 120) / HOUR]),
        ((IN, OUT, OUT), [(HOUR + 60) / HOUR]),
    ],
)
def test_a_late_fine_fix_lets_the_count_begin_anew(tmp_path: Path, places: list[tuple[float, float]], told: list[float]) -> None:
    """Two late breaches with no late fine one between them."""
    fixes = [Fix("p", 20 * HOUR, IN), *(Fix("p", HOUR + 60 * i, place) for i, place in enumerate(places))]
    assert late_onsets(tmp_path, fixes) == told


def test_one_late_time_counts_once(tmp_path: Path) -> None:
    """The same late record again, or another at its time, is no second breach; a third one is."""
    twice = [Fix("p", HOUR, OUT), Fix("p", HOUR, OUT), Fix("p", HOUR, (9.0, 3.0))]
    assert late_onsets(tmp_path, [Fix("p", 20 * HOUR, IN), *twice]) == []
    assert late_onsets(tmp_path / "more", [Fix("p", 20 * HOUR, IN), *twice, Fix("p", HOUR + 60, OUT)]) == [1.0]


def test_near_an_episode_is_a_quarter_of_an_hour_to_the_millisecond() -> None:
    """From 15 minutes before the onset to 15 minutes after the end, both included; an open one has no end."""
    late = LateEvidence()
    late.opened(KEY, 1000 * MINUTE_MS)
    assert not late.is_new(KEY, (985 * MINUTE_MS, 0), None)
    assert not late.is_new(KEY, (9999 * MINUTE_MS, 0), None)
    late.cleared(KEY, 1060 * MINUTE_MS)
    assert not late.is_new(KEY, (985 * MINUTE_MS, 0), None)
    assert not late.is_new(KEY, (1075 * MINUTE_MS, 0), None)
    assert late.is_new(KEY, (985 * MINUTE_MS - 1, 986 * MINUTE_MS), None)
    assert late.is_new(KEY, (1075 * MINUTE_MS + 1, 1076 * MINUTE_MS), None)
    assert late.is_new(("q", "area"), (1000 * MINUTE_MS, 1001 * MINUTE_MS), None)


def test_what_is_pending_will_be_told() -> None:
    """At or after 15 minutes before a pending onset nothing is told; before that it is."""
    late = LateEvidence()
    assert not late.is_new(KEY, (985 * MINUTE_MS, 986 * MINUTE_MS), 1000 * MINUTE_MS)
    assert not late.is_new(KEY, (5000 * MINUTE_MS, 5001 * MINUTE_MS), 1000 * MINUTE_MS)
    assert late.is_new(KEY, (985 * MINUTE_MS - 1, 986 * MINUTE_MS), 1000 * MINUTE_MS)
