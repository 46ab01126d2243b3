"""What the devices of scripted people do, sample by sample; and that there is a story for everything that can be told."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from operators.state import KINDS
from pipeline.worlds.casting import STORIES
from pipeline.worlds.stories import Breach, Limits, full_minute, local_clock
from pipeline.worlds.track_text import time_ms_of
from pipeline.worlds.world import World, make_world

SIMULATOR = Path(__file__).parents[2] / "docs" / "simulator.md"
STEP_MS = 60_000


@pytest.fixture(scope="module")
def world() -> World:
    """A world in which every story is played six times."""
    return make_world(seed=81, subjects=200, hours=6, stories=6)


@pytest.fixture(scope="module")
def fixes(world: World) -> pa.Table:
    """Its fixes, by subject."""
    return world.fixes("subject")


def played(world: World, story: str) -> list[tuple[str, list[Breach]]]:
    """Who plays in a story, and what was scripted of him."""
    found = [
        (subject, [b for b in world.breaches if b.subject == subject]) for subject, what in world.cast.items() if what == story
    ]
    assert found
    return found


def of(fixes: pa.Table, subject: str) -> list[dict[str, Any]]:
    """One subject's records in the order of arrival, times in UTC ms."""
    mine = fixes.filter([name == subject for name in fixes["subject"].to_pylist()])
    times, arrivals = time_ms_of(mine["time"]).tolist(), time_ms_of(mine["received"]).tolist()
    return [
        {**row, "time": time, "received": arrival} for row, time, arrival in zip(mine.to_pylist(), times, arrivals, strict=True)
    ]


def test_there_is_a_story_for_every_kind_of_alert(world: World) -> None:
    """All kinds of the contract but the silence of a whole source, which is nobody's; and late evidence in both slots."""
    assert {breach.kind for breach in world.breaches} == {kind for kind in KINDS if kind} - {"feed_silent"}
    assert {breach.kind for breach in world.breaches if breach.late} == {"left_area", "entered_forbidden"}
    assert {breach.reason for breach in world.breaches} == {"returned", "rule_ended", None}


def test_every_story_is_played_and_described(world: World) -> None:
    """Each of the table has its row in docs/simulator.md, and is played as often as the others."""
    counted = Counter(world.cast.values())
    names = [story.__name__ for story in STORIES]
    assert counted.keys() == set(names)
    assert all(6 <= counted[name] <= 8 or name in ("moves_on", "implausible") for name in names), counted
    described = [line.split("`")[1] for line in SIMULATOR.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [name for name in described if name in names] == names


def test_the_silent_are_not_heard(world: World, fixes: pa.Table) -> None:
    """Between the last arrival before the onset and the clear there is none; the limit lies between."""
    for story, kind in (("silent", "silent"), ("silent_long", "silent_long")):
        for subject, breaches in played(world, story):
            [breach] = [breach for breach in breaches if breach.kind == kind]
            arrivals = np.array([row["received"] for row in of(fixes, subject)])
            before, after = arrivals[arrivals < breach.onset_from].max(), arrivals[arrivals > breach.onset_from].min()
            limit_ms = 900_000 if kind == "silent" else 3_600_000
            assert breach.onset_from <= before + limit_ms <= breach.onset_to < after
            assert (breach.cleared_from or 0) <= after <= (breach.cleared_to or 0)


def test_positions_are_lost_or_vague(world: World, fixes: pa.Table) -> None:
    """Heard every minute, for more than 15 minutes without a position that counts, which comes back at the clear."""
    for story in ("no_position", "vague_position"):
        for subject, [breach] in played(world, story):
            rows = of(fixes, subject)
            useless = [row for row in rows if row["lon"] is None or row["accuracy_m"] > 1000]
            assert all((row["lon"] is None) == (story == "no_position") for row in useless)
            assert useless[-1]["time"] - useless[0]["time"] > 900_000
            assert max(np.diff([row["received"] for row in useless])) < 2 * STEP_MS
            assert useless[-1]["time"] < (breach.cleared_from or 0)


def test_who_hangs_repeats_himself(world: World, fixes: pa.Table) -> None:
    """The same record for more than 15 minutes, in-order once."""
    for subject, [breach] in played(world, "stale"):
        times = Counter(row["time"] for row in of(fixes, subject))
        [(time_ms, count)] = times.most_common(1)
        same = [row for row in of(fixes, subject) if row["time"] == time_ms]
        assert count > 15
        assert len({(row["lon"], row["lat"], row["accuracy_m"]) for row in same}) == 1
        assert same[0]["received"] + 900_000 <= breach.onset_to
        assert same[-1]["received"] > breach.onset_to


def test_flags_are_true_between_onset_and_clear(world: World, fixes: pa.Table) -> None:
    """False before, true between, false after; of the other flag only false; of everybody else nothing."""
    for flag, other in (("tamper", "separated"), ("separated", "tamper")):
        for subject, [breach] in played(world, flag):
            said = [row for row in of(fixes, subject) if row[flag] is not None]
            true = [row["time"] for row in said if row[flag]]
            assert breach.onset_from <= true[0] <= breach.onset_to
            assert true[-1] < (breach.cleared_from or 0)
            assert not said[0][flag]
            assert not said[-1][flag]
            assert {row[other] for row in said} == {False}
    flagged: list[Any] = fixes.filter(fixes["tamper"].is_valid())["subject"].to_pylist()
    assert {world.cast[subject] for subject in flagged} == {"tamper", "separated"}


def test_batteries_run_low_and_are_charged(world: World, fixes: pa.Table) -> None:
    """Low ones stay above what is critical."""
    for story, lowest in (("battery_low", 12), ("battery_critical", 2)):
        for subject, _ in played(world, story):
            assert min(row["battery_pct"] for row in of(fixes, subject)) == lowest


def test_a_twin_is_kilometres_away(world: World, fixes: pa.Table) -> None:
    """One record a second or two after another, and minutes of driving away."""
    for subject, [breach] in played(world, "implausible"):
        rows = [row for row in of(fixes, subject) if breach.onset_from <= row["time"] <= breach.onset_to]
        apart = [
            np.hypot((b["lon"] - a["lon"]) * 95_000, (b["lat"] - a["lat"]) * 111_000) / (b["time"] - a["time"])
            for a, b in pairwise(rows)
        ]
        assert max(apart) > 1.0, "a kilometre a second"


def test_what_was_kept_back_comes_when_he_is_home(world: World, fixes: pa.Table) -> None:
    """Dozens of records of which each is older than one that came before; of who reports nothing late there are fewer."""
    for story in ("reports_leaving_late", "reports_entering_late"):
        for subject, [breach] in played(world, story):
            rows = of(fixes, subject)
            newest = np.maximum.accumulate([row["time"] for row in rows])
            late = [row for row, new in zip(rows, newest, strict=True) if row["time"] < new]
            told = [row["time"] for row in late if breach.onset_from <= row["time"] <= (breach.cleared_to or 0)]
            assert told
            assert min(row["received"] for row in late if row["time"] in told) > (breach.cleared_to or 0)


def test_permits_and_curfews_begin_and_end_at_full_minutes(world: World) -> None:
    """In the time of the districts, on a day of the week; the onset of an overstay is the end of its permit, to the millisecond."""
    ends = {permit["id"]: permit["until"] for permit in world.records.permits}
    for story in ("overstay", "overstay_for_good"):
        for subject, [breach] in played(world, story):
            assert breach.onset_from == breach.onset_to == time_ms(ends[f"permit-{subject}"])
            assert breach.onset_from == full_minute(breach.onset_from)
    hours = {rule["subjects"][0]: rule["schedule"][0] for rule in world.records.rules if rule["effect"] == "require"}
    for story in ("breaks_curfew", "sits_out_curfew"):
        for subject, [breach] in played(world, story):
            assert (hours[subject]["days"], hours[subject]["from"]) == local_clock(breach.onset_from)
    assert local_clock(1_772_406_000_000) == ("mon", "07:00")
    assert full_minute(59_999) == full_minute(60_000) == 60_000


def time_ms(text: str) -> int:
    """An RFC 3339 time in UTC as milliseconds."""
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


def test_other_limits_make_longer_silences() -> None:
    """Under a policy of its own a world's silent people have that limit, and keep to it."""
    limits = Limits(silent_after_s=3_600, silent_long_after_s=1_800)
    world = make_world(seed=82, subjects=60, hours=3, stories=2, limits=limits)
    of_their_own = {record["id"] for record in world.records.subjects if record.get("silent_after_s") == 3_600}
    assert of_their_own == {subject for subject, story in world.cast.items() if story in ("silent", "silent_long", "stale")}
    assert len(of_their_own) >= 6
