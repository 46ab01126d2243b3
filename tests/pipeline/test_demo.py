"""The demo as a stranger runs it, with a world drawn at the time; and its parts, held to what they must refuse."""

from __future__ import annotations

import os
import pty
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from rich.console import Console

from pipeline.demo.map_picture import Look, MapPicture
from pipeline.demo.moment import Moment
from pipeline.demo.scenario_clock import told_ms
from pipeline.demo.screen import Screen
from pipeline.demo.story import demo_world, forbidden_places, notices_of, of_the_play, regions_of
from pipeline.demo.verdict import compare, shown_and_stream
from pipeline.worlds.stories import Breach, rfc3339
from sinks.redis_connection import connect

FENCEWATCH = [sys.executable, "-c", "from pipeline.cli import main; main()"]
LATEST_S = 240
"""A first start compiles."""


class Demo:
    """A running demo; what it says, standard error too, as it comes."""

    def __init__(self, temporary: Path, *options: str, terminal: bool = False) -> None:
        self.said = ""
        environment = {**os.environ, "TMPDIR": str(temporary), "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        command = [*FENCEWATCH, "demo", *options]
        if terminal:
            self._from, to = pty.openpty()
        else:
            self._from, to = os.pipe()
        stdin = to if terminal else subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=stdin, stdout=to, stderr=to, env=environment, start_new_session=True)
        os.close(to)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, pattern: str) -> str:
        """Until it has said this; its first group. Fails when it ends before."""
        until = time.monotonic() + LATEST_S
        while True:
            ended = self.process.poll() is not None
            if found := re.search(pattern, self.said):
                return found[1] if found.groups() else found[0]
            assert not ended, f"it ended with {self.process.returncode} and never said {pattern!r}: {self.said}"
            assert time.monotonic() < until, f"{pattern!r} did not come: {self.said}"
            time.sleep(0.02)

    def end(self, number: int | None = None) -> int:
        """Its exit code, after a signal where one is given."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(LATEST_S)
        self._reader.join(LATEST_S)
        return code

    def _read(self) -> None:
        try:
            while data := os.read(self._from, 65536):
                self.said += data.decode(errors="replace")
        except OSError:
            pass  # A terminal whose program has ended.
        os.close(self._from)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts demos whose temporary files go to `tmp_path`; none outlives the test."""
    started: list[Demo] = []

    def one(*options: str, terminal: bool = False) -> Demo:
        started.append(Demo(tmp_path, *options, terminal=terminal))
        return started[-1]

    yield one
    for demo in started:
        if demo.process.poll() is None:
            demo.end(signal.SIGKILL)


def test_what_is_shown_is_in_redis_and_in_the_script(start: Callable[..., Demo], tmp_path: Path) -> None:
    """A seed drawn now: the ids shown are those of the stream, the openings those of the script; Ctrl-C ends it with 0."""
    seed = secrets.randbelow(1_000_000)
    demo = start("--seed", str(seed), "--serve")
    url = demo.wait_for(r"Redis +(redis://\S+)")
    client: Any = connect(url)
    events = [orjson.loads(fields[b"event"]) for _, fields in client.xrange("fencewatch:alerts")]
    is_open = subprocess.run([*FENCEWATCH, "alerts", "open", "--json", "--redis", url], capture_output=True, text=True, check=True)
    assert demo.end(signal.SIGINT) == 0, demo.said
    world = demo_world(seed)
    events = of_the_play(world, events)
    still_open = of_the_play(world, [orjson.loads(line) for line in is_open.stdout.splitlines()])

    assert re.findall(r" id=([0-9a-f]{32})$", demo.said, re.MULTILINE) == [event["id"] for event in events]
    breaches = {(breach.subject, breach.slot): breach for breach in world.breaches}
    opened = {_key(event): told_ms(event["data"]["onset"]) for event in events if event["type"].endswith("opened")}
    assert opened.keys() == breaches.keys()
    assert all(breaches[key].onset_from <= onset <= breaches[key].onset_to for key, onset in opened.items())
    stay = {key for key, breach in breaches.items() if breach.cleared_from is None}
    assert {_key(event) for event in still_open} == stay
    ended = {key[0] for key, breach in breaches.items() if breach.kind == "overstay"}
    assert len(ended) == 4
    for subject in ended:
        assert re.search(rf"registry: {subject} has a permit XB-{subject}: in \w+ until", demo.said)
        assert re.search(rf"registry: {subject} permit ends XB-{subject}", demo.said)
        [told] = [e for e in events if e["subject"] == subject and e["type"].endswith("opened")]
        assert (told["data"]["kind"], len(told["data"]["regions"])) == ("overstay", 2)
    assert f"{len(breaches)} of {len(breaches)} found, nothing else" in demo.said
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RedisConnectionError, match="refused"):
        connect(url).ping()


def test_a_daemon_that_dies_fails_the_demo(start: Callable[..., Demo], tmp_path: Path) -> None:
    """Killed half-way: exit 1 at once, a sentence that says so, the daemon's last log lines, and nothing left behind."""
    demo = start()
    pid = int(demo.wait_for(r"process (\d+)"))
    demo.wait_for("red opened")
    os.kill(pid, signal.SIGKILL)
    assert demo.end() == 1
    assert re.search(r"fencewatch: the daemon was killed by signal 9 when [\d,]+ of [\d,]+ fixes were fed\.", demo.said), demo.said
    assert '"event": "watching"' in demo.said
    assert "found, nothing else" not in demo.said
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_is_given_back(start: Callable[..., Demo], tmp_path: Path) -> None:
    """On a terminal the picture fills the screen; SIGTERM ends it with 1, the screen that was there before, and nothing left."""
    demo = start("--seed", "7", terminal=True)
    demo.wait_for("fixes fed")
    assert "\x1b[?1049h" in demo.said
    assert demo.end(signal.SIGTERM) == 1
    after = demo.said.rpartition("\x1b[?1049l")[2]
    assert "stopped before the end; nothing was checked." in after
    assert list(tmp_path.iterdir()) == []


BREACH = Breach("p1", "area", "left_area", 1_000, 2_000, 5_000, 6_000, ("a", "b"), "no_permit")


def _told(change: str, time_ms: int, regions: list[str] | None = None, **more: str | bool | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "kind": "left_area",
        "level": "red",
        "rule": None,
        "onset": rfc3339(1_500),
        "regions": regions or ["a", "b"],
    }
    data |= {"late": False, "reason": "returned" if change == "cleared" else None, **more}
    return {
        "id": f"{change}{time_ms}",
        "type": f"fencewatch.alert.{change}",
        "time": rfc3339(time_ms),
        "subject": "p1",
        "data": data,
    }


GOOD = [_told("opened", 1_600), _told("cleared", 5_500)]


def test_a_breach_told_as_scripted_is_found() -> None:
    """Opened and cleared within what the script says: found, and nothing else."""
    verdict = compare([BREACH], GOOD)
    assert (verdict.found_count, verdict.unscripted, verdict.problem()) == (1, (), None)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "not found"),
        (GOOD[:1], "cleared 0 times instead of once"),
        ([GOOD[0], *GOOD], "opened 2 times"),
        ([_told("opened", 1_600, onset=rfc3339(900)), GOOD[1]], "is not when it began"),
        ([GOOD[0], _told("cleared", 7_000)], "not when it was over"),
        ([_told("opened", 1_600, level="yellow"), GOOD[1]], "a yellow left_area instead of a red left_area"),
        ([_told("opened", 1_600, late=True), GOOD[1]], "a red left_area, late instead of a red left_area"),
        ([GOOD[0], _told("cleared", 5_500, reason="rule_ended")], "cleared as rule_ended instead of returned"),
        ([_told("opened", 1_600, ["a"]), _told("cleared", 5_500, ["a"])], "told to a instead of a, b"),
    ],
)
def test_a_breach_told_otherwise_is_a_problem(events: list[dict[str, Any]], why: str) -> None:
    """The sentence says whose breach it is and what is wrong."""
    problem = compare([BREACH], events).problem()
    assert problem is not None
    assert "p1 (no_permit)" in problem
    assert why in problem


def test_a_clear_of_who_stays_away_is_a_problem() -> None:
    """He never came back, says the script."""
    problem = compare([replace(BREACH, cleared_from=None, cleared_to=None)], GOOD).problem()
    assert problem is not None
    assert "never over" in problem


def test_an_alert_that_nobody_scripted_is_a_problem() -> None:
    """Another rule's alert of the same subject belongs to no breach."""
    problem = compare([BREACH], [*GOOD, _told("opened", 1_600, kind="entered_forbidden", rule="r")]).problem()
    assert problem == "1 alerts belong to no scripted breach: p1 entered_forbidden."


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (["a"], "stand in the stream that the channel did not bring: b"),
        (["a", "b", "c"], "not in the stream: c"),
        (["b", "a"], "in another order"),
        (["a", "b", "b"], "more often"),
    ],
)
def test_shown_must_be_what_the_stream_holds(shown: list[str], why: str) -> None:
    """Missing, foreign, in another order, or twice: the sentence says which."""
    assert shown_and_stream(["a", "b"], ["a", "b"]) is None
    assert why in (shown_and_stream(shown, ["a", "b"]) or "")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50), (50, 12), (20, 5)])
@pytest.mark.parametrize("look", [Look(colours=True, unicode=True), Look(colours=False, unicode=False)])
def test_the_picture_fills_the_terminal_and_no_more(size: tuple[int, int], look: Look) -> None:
    """As many lines as the terminal has, none longer than it is wide; from 80 x 24 on map, alert and figures are all on it."""
    width, height = size
    world = demo_world(7)
    picture = MapPicture(regions_of(world), forbidden_places(world), look)
    screen = Screen(picture, look, world.subject_ids, 7, 600)
    place = np.tile(forbidden_places(world)[0], (len(world.subject_ids), 1))
    screen.moment = moment = Moment(world.start_ms, 1000, place, fed=500, counted_fed=500, judged=490)
    moment.note(notices_of(world)[0])
    moment.take({**_told("opened", world.start_ms, episode="e", found_region="yunlu"), "subject": world.subject_ids[3]})
    out = StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(screen, end="")
    lines = out.getvalue().split("\n")
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert all(line.isascii() for line in lines) or look.unicode
    if width >= 80:
        text = "\n".join(lines)
        assert all(name in text for name in ("yunlu", "suwan", "heting", "500 fixes fed", "left his area", "1 opened, 0 cleared"))
        assert "has a permit" in text
        assert look.breach in "\n".join(lines[2:-3])


def _key(event: dict[str, Any]) -> tuple[str, str]:
    rule, kind = event["data"]["rule"], event["data"]["kind"]
    if rule is not None:
        return event["subject"], f"rule:{rule}"
    return event["subject"], "area" if kind in ("left_area", "overstay") else kind
