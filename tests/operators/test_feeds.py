"""J10, a silent source: one alert, silences held and counted from its return; whatever the batches, restarts and other sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fences.fence_set import FenceSet
from fences.numbering import ids_of, numbering_of
from operators.alert import Alert
from operators.due import bring_mark
from operators.feeds import Feeds, Heard
from operators.raise_alerts import Telling
from operators.snapshot import from_snapshot, to_snapshot
from operators.state import State
from operators.step import step
from tests.operators.small_registry import START_MS, Fix, Json, accepted, fence_set, judged, new_state
from tests.reference.feeds import Mark, Record, Terms, Told, told_of

pytestmark = pytest.mark.jitless

AFTER_S, SILENT_S, LONG_S, LEAST = 300, 900, 2700, 3
PEOPLE: tuple[Json, ...] = tuple(
    {"id": f"s{k}", "home_region": ["east", "west", None][k % 3], "silent_after_s": [None, 200, 400][k // 2 % 3], "groups": []}
    for k in range(6)
)
POLICY: Json = {
    "feed_silent_after_s": AFTER_S,
    "feed_min_subjects": LEAST,
    "silent_after_s": SILENT_S,
    "silent_long_after_s": LONG_S,
    "allow": {},
    "forbid": {},
}
TERMS = Terms(
    AFTER_S * 1000,
    LEAST,
    LONG_S * 1000,
    {str(person["id"]): (person["silent_after_s"] or SILENT_S) * 1000 for person in PEOPLE},
    {str(person["id"]): person["home_region"] for person in PEOPLE},
)
NAMES = ("gps", "other")
NOWHERE = (40.0, 40.0)
"""In no region, so that an alert goes home alone."""
Item = Record | Mark


def world(directory: Path) -> FenceSet:
    """Six people, of whom only what they send counts: no rule binds them."""
    return fence_set(directory, subjects=PEOPLE, policy=POLICY)


@pytest.fixture(scope="module")
def fences(tmp_path_factory: pytest.TempPathFactory) -> FenceSet:
    """Compiled once."""
    return world(tmp_path_factory.mktemp("world"))


class Live:
    """A shard of a live lane, without the dataflow around it."""

    def __init__(self, fences: FenceSet, names: Sequence[str] = NAMES) -> None:
        self.fences = fences
        self.state: State = new_state(fences)
        self.feeds = Feeds(self.state, names)

    def restart(self, names: Sequence[str] = NAMES) -> None:
        """Saved and taken up again, perhaps with other sources."""
        saved = to_snapshot(self.state, numbering_of(ids_of(self.fences.registry))), self.feeds.snapshot()
        self.state = from_snapshot(saved[0], self.fences)
        self.feeds = Feeds(self.state, names, saved[1])

    def take(self, item: Item) -> list[Alert]:
        """The alerts of one item."""
        if isinstance(item, Record):
            heard = Heard(item.stamp, item.stamp, item.stamp)
            alerts = self.feeds.heard(item.feed, heard, self.fences)
            if not item.rejected:
                alerts += self._step(item)
            return alerts
        alerts = self.feeds.bring(item.feeds.items(), item.lane, self.fences)
        events = bring_mark(self.fences.fences, self.state, item.lane)
        if events is not None:
            alerts += Telling(self.fences, self.fences.fences, self.state).alerts(events)
        return alerts

    def _step(self, record: Record) -> list[Alert]:
        fixes = accepted(self.fences, [Fix(record.subject, (record.stamp - START_MS) / 1000, NOWHERE)])
        verdicts = judged(self.fences, fixes)
        feed = self.feeds.number(record.feed)
        events = step(self.fences.fences, self.state, verdicts, np.arange(1), fixes.subject, fixes, feed)
        return list(Telling(self.fences, self.fences.fences, self.state).alerts(events, verdicts))


def told(alerts: Sequence[Alert]) -> list[Told]:
    """As the reference tells it."""
    return sorted((a.change, a.subject, a.slot, a.onset_ms, a.time_ms, a.regions) for a in alerts)


def at(seconds: float) -> int:
    """An instant."""
    return START_MS + round(seconds * 1000)


def mark(seconds: float, *names: str) -> Mark:
    """The clock of the lane, and of some sources."""
    return Mark(at(seconds), dict.fromkeys(names or ("gps",), at(seconds)))


def all_heard(seconds: float = 0.0, number: int = len(PEOPLE), feed: str = "gps") -> list[Item]:
    """A record of each."""
    return [Record(feed, f"s{k}", at(seconds + k / 10)) for k in range(number)]


def run(live: Live, course: Sequence[Item]) -> list[Alert]:
    """All alerts of a course."""
    return [alert for item in course for alert in live.take(item)]


def kinds(alerts: Sequence[Alert]) -> list[tuple[str, str, float]]:
    """Change, slot and seconds of time."""
    return [(a.change, a.slot, (a.time_ms - START_MS) / 1000) for a in alerts]


def test_a_silent_source_is_one_alert_with_what_the_contract_says(tmp_path: Path) -> None:
    """Its id, regions and fields; opened only when more than `feed_silent_after_s` has gone by; cleared by the next record."""
    live = Live(world(tmp_path))
    alerts = run(live, [*all_heard(), mark(300.5), mark(300.6), Record("gps", "nobody", at(5000), rejected=True)])
    opened, cleared = (alert for alert in alerts if alert.slot == "feed")
    assert (opened.id, opened.episode) != (cleared.id, cleared.episode)
    assert opened.episode == cleared.episode
    assert (opened.kind, opened.slot, opened.level, opened.subject) == ("feed_silent", "feed", "red", "gps")
    assert opened.onset_ms == opened.time_ms == at(300.5)
    assert opened.regions == cleared.regions == ("east", "west")
    assert (opened.lon, opened.lat, opened.distance_m, opened.rule, opened.home_region, opened.received_ms) == (None,) * 6
    assert (cleared.change, cleared.reason, cleared.time_ms, cleared.received_ms) == ("cleared", "returned", at(5000), at(5000))


def test_not_yet_at_exactly_that_long(tmp_path: Path) -> None:
    """'More than': a record at the very instant would still be in time."""
    live = Live(world(tmp_path))
    assert not [a for a in run(live, [*all_heard(), mark(300.5)]) if a.slot == "feed"]
    assert [a.slot for a in live.take(Mark(at(300.501), {"gps": at(300.501)})) if a.slot == "feed"] == ["feed"]


def test_no_silence_of_its_subjects_meanwhile_and_afterwards_from_its_return(tmp_path: Path) -> None:
    """D counts from the later of the last arrival and the return; whoever was silent before stays so."""
    live = Live(world(tmp_path))
    alerts = run(live, [*all_heard(), mark(301), mark(10_000), Record("gps", "s0", at(10_000)), mark(10_199), mark(20_000)])
    feed = [a for a in alerts if a.slot == "feed"]
    assert kinds(feed)[:2] == [("opened", "feed", 300.5), ("cleared", "feed", 10_000)]
    silent = {a.subject: (a.time_ms - START_MS) / 1000 for a in alerts if a.change == "opened" and a.slot == "silent"}
    assert silent["s2"] == 200.2  # his own silent_after_s is shorter than the source's: he was silent first
    assert silent["s3"] == 200.3
    assert "s1" not in silent  # held again: nothing came for 300 s after s0's record
    assert kinds(feed)[2:] == [("opened", "feed", 10_300)]


def test_d_after_the_return(tmp_path: Path) -> None:
    """A source that goes on, and subjects of it that do not."""
    live = Live(world(tmp_path))
    run(live, [*all_heard(), mark(10_000)])
    course: list[Item] = [Record("gps", "s0", at(10_000 + k)) for k in range(0, 2000, 100)]
    course += [mark(12_000)]
    silent = {a.subject: (a.time_ms - START_MS) / 1000 for a in run(live, course) if a.slot == "silent"}
    assert silent == {"s1": 10_900, "s4": 10_400, "s5": 10_400}


def test_too_few_subjects(tmp_path: Path) -> None:
    """They are silent one by one."""
    live = Live(world(tmp_path))
    alerts = run(live, [*all_heard(number=LEAST - 1), mark(301), mark(1000)])
    assert {a.slot for a in alerts} == {"silent"}


def test_a_source_is_silent_by_its_own_clock(tmp_path: Path) -> None:
    """Another source's backlog or clock says nothing about it."""
    live = Live(world(tmp_path))
    run(live, all_heard())
    assert {a.slot for a in live.take(Mark(at(250), {"other": at(400)}))} == {"silent"}  # two have 200 s of their own
    assert [a.slot for a in live.take(Mark(at(250), {"gps": at(400)}))] == ["feed"]


def test_who_was_last_heard_through_another_source_is_not_held(tmp_path: Path) -> None:
    """Nor does he count for it."""
    live = Live(world(tmp_path))
    moved = [Record("other", f"s{k}", at(100)) for k in range(4)]
    alerts = run(live, [*all_heard(), *moved, mark(5000, "gps")])
    assert {a.slot for a in alerts} == {"silent", "silent_long"}


@pytest.mark.parametrize("names", [NAMES, ("other", "gps"), ("new", "gps")])
def test_a_restart_while_silent(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Held, told once, cleared with the same episode, though the sources stand in another order."""
    live = Live(world(tmp_path))
    [opened] = [a for a in run(live, [*all_heard(), mark(301)]) if a.slot == "feed"]
    live.restart(names)
    assert live.feeds.silent()["gps"]
    assert run(live, [mark(2000)]) == []
    [cleared, *_] = live.take(Record("gps", "s0", at(2000)))
    assert (cleared.change, cleared.episode, cleared.regions) == ("cleared", opened.episode, opened.regions)
    live.restart(names)
    course: list[Item] = [Record("gps", "s0", at(2000 + 100 * k)) for k in range(10)]
    silent = {a.subject: (a.time_ms - START_MS) / 1000 for a in run(live, [*course, mark(2901)]) if a.slot == "silent"}
    assert silent == {"s1": 2900, "s4": 2400, "s5": 2400}


def test_a_source_that_is_configured_no_more(tmp_path: Path) -> None:
    """Its episode ends with what made it; whom it was heard through are held no longer."""
    live = Live(world(tmp_path))
    run(live, [*all_heard(), mark(301)])
    live.restart(["other"])
    live.restart(["other"])
    alerts = live.take(mark(5000, "other"))
    assert [(a.change, a.reason, a.subject) for a in alerts if a.slot == "feed"] == [("cleared", "rule_ended", "gps")]
    assert {a.subject for a in alerts if a.slot == "silent"} == {"s0", "s1", "s4", "s5"}
    assert live.take(mark(5001, "other")) == []


def test_what_was_written_while_it_could_not_be_read(tmp_path: Path) -> None:
    """Stamps from before the onset: an end does not lie before its beginning."""
    live = Live(world(tmp_path))
    run(live, [*all_heard(), mark(5000)])
    [cleared, *_] = live.take(Record("gps", "s0", at(60)))
    assert cleared.time_ms == cleared.onset_ms == at(300.5)


def test_another_feed_silent_after_s(tmp_path: Path) -> None:
    """An onset that a new version would put before its instant is that instant."""
    live = Live(world(tmp_path / "old"))
    shorter = fence_set(tmp_path / "new", subjects=PEOPLE, policy=POLICY | {"feed_silent_after_s": 100})
    run(live, [*all_heard(), mark(180)])
    live.feeds.change_version(live.fences, shorter, at(180))
    assert kinds(live.feeds.bring([("gps", at(181))], at(181), shorter)) == [("opened", "feed", 180)]


@st.composite
def courses(draw: st.DrawFn) -> list[Item]:
    """Records through two sources, pauses, and marks in which a source's clock is never behind the lane's."""
    now = 0.0
    course: list[Item] = []
    for _ in range(draw(st.integers(5, 60))):
        now += draw(st.sampled_from([0.001, 1.0, 50.0, 100.0, 200.0, 300.0, 450.0, 3000.0]))
        if draw(st.booleans()):
            feed = draw(st.sampled_from(NAMES))
            subject = f"s{draw(st.integers(0, len(PEOPLE) - 1))}"
            course.append(Record(feed, subject, at(now), draw(st.integers(0, 9)) == 0))
        else:
            behind = {name: draw(st.sampled_from([0.0, 0.0, 0.001, 400.0])) for name in NAMES}
            lane = now - max(behind.values())
            course.append(Mark(at(lane), {name: at(now - late) for name, late in behind.items()}))
    return course


@given(course=courses(), restarts=st.sets(st.integers(0, 60)))
@settings(max_examples=150, deadline=None)
def test_as_the_reference(fences: FenceSet, course: list[Item], restarts: set[int]) -> None:
    """Item by item the same, restarts or not."""
    live = Live(fences)
    for k, (item, expected) in enumerate(zip(course, told_of(TERMS, course), strict=True)):
        if k in restarts:
            live.restart()
        assert told(live.take(item)) == expected
