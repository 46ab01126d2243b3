"""`fencewatch alerts` and `fencewatch schema` as a person or a script meets them, on a real server and a real terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator

from sinks.lane_sign import LaneSign
from sinks.redis_alerts import RedisAlerts
from sinks.redis_names import RedisNames
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess
from tests.sinks.alert_examples import alert, case_lines, encoded

ALERTS = [sys.executable, "-c", "from pipeline.alerts_command import app; app()"]
SCHEMA = [sys.executable, "-c", "from pipeline.schema_command import app; app()"]
ENVIRONMENT = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "50"}
LATEST_S = 30
RED = "\x1b[1;31m"
NOBODY = "nobody is watching"

Tell = Callable[..., int]


@pytest.fixture
def tell(redis_server: RedisProcess, redis_names: RedisNames) -> Iterator[Tell]:
    """Delivers alerts under the test's names."""
    sink = RedisAlerts(redis_server.url, redis_names, 30, "p")
    yield lambda *alerts: sink.deliver(encoded(alerts))
    sink.close()


class Running:
    """A command that runs until it is told to end; its output as it comes."""

    def __init__(self, command: list[str], *, terminal: bool = False) -> None:
        self.out, self.err = "", ""
        if terminal:
            ours, theirs = pty.openpty()
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT, start_new_session=True
            )
            os.close(theirs)
            self._threads = [threading.Thread(target=self._read, args=(ours, "out"))]
        else:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            self._threads = [
                threading.Thread(target=self._read, args=(self.process.stdout.fileno(), "out")),
                threading.Thread(target=self._read, args=(self.process.stderr.fileno(), "err")),
            ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, text: str, where: str = "out") -> None:
        """Until it has said this. Fails when it does not."""
        until = time.monotonic() + LATEST_S
        while text not in getattr(self, where):
            assert time.monotonic() < until, f"{text!r} did not come; {where}: {getattr(self, where)!r}; err: {self.err!r}"
            assert self.process.poll() is None, f"it ended; {where}: {getattr(self, where)!r}; err: {self.err!r}"
            time.sleep(0.01)

    def lines(self) -> list[str]:
        """What it has printed."""
        return self.out.splitlines()

    def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(LATEST_S)
        for thread in self._threads:
            thread.join(LATEST_S)
        return code

    def _read(self, stream: int, where: str) -> None:
        try:
            while data := os.read(stream, 65536):
                setattr(self, where, getattr(self, where) + data.decode(errors="replace"))
        except OSError:
            pass  # A terminal whose program has ended.


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    """Starts commands; none outlives the test."""
    started: list[Running] = []

    def start(command: list[str], *, terminal: bool = False) -> Running:
        started.append(Running(command, terminal=terminal))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def alerts(redis_server: RedisProcess, redis_names: RedisNames) -> Callable[..., list[str]]:
    """The command line of `fencewatch alerts ...` for this test."""

    def line(command: str, *options: str) -> list[str]:
        return [*ALERTS, command, "--redis", redis_server.url, "--prefix", redis_names.prefix, *options]

    return line


def done(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=LATEST_S, check=False)


def test_open_lists_the_gravest_first(tell: Tell, alerts: Callable[..., list[str]]) -> None:
    """One plain line each, with kind, subject, place and id; nothing of an episode that is over."""
    info = alert(1, kind="battery_low", level="info", distance_m=None)
    tell(info, alert(2), alert(3), alert(3, "cleared"))
    result = done(alerts("open"))
    assert result.returncode == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("2023-11-14T22:14:20.000Z red opened left_area subject=p-000002 distance_m=812 home=north found=west")
    assert first.endswith(f"id={alert(2).id}")
    assert " info opened battery_low subject=p-000001 " in second
    assert "\x1b" not in result.stdout


def test_open_of_one_region(tell: Tell, alerts: Callable[..., list[str]]) -> None:
    """Only what this region was told."""
    tell(alert(1, regions=("north",)), alert(2, regions=("south",)))
    result = done(alerts("open", "--region", "south", "--json"))
    assert [orjson.loads(line)["subject"] for line in result.stdout.splitlines()] == ["p-000002"]


def test_open_says_when_nobody_watches(
    redis_server: RedisProcess, redis_names: RedisNames, alerts: Callable[..., list[str]]
) -> None:
    """No news is no good news then; with a lane alive it is."""
    result = done(alerts("open"))
    assert (result.returncode, result.stdout) == (0, "")
    assert NOBODY in result.stderr
    client = redis_server.client()
    LaneSign(client, redis_names, "lane-0").renew(0, None, None, "v")
    client.close()
    assert done(alerts("open")).stderr == ""


def test_open_is_a_coloured_table_in_a_terminal(
    tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running]
) -> None:
    """Red ones red; and a subject whose name looks like markup is shown as it is."""
    tell(alert(1, subject="[green]x"), alert(2, kind="battery_low", level="info", distance_m=None))
    command = running(alerts("open"), terminal=True)
    assert command.process.wait(LATEST_S) == 0
    command.interrupt()
    assert re.search(re.escape(RED) + r"[^\n]*left_area[^\n]*\[green\]x", command.out)
    assert not re.search(re.escape(RED) + r"[^\n]*battery_low", command.out)
    assert "open: 2" in command.out


def test_open_watch_stays_live(tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running]) -> None:
    """The table follows what is told, until Ctrl-C."""
    command = running(alerts("open", "--watch"), terminal=True)
    command.wait_for("open: 0")
    tell(alert(1), alert(2))
    command.wait_for("open: 2")
    tell(alert(1, "cleared"))
    command.wait_for("open: 1")
    assert command.interrupt() == 0


def test_tail_shows_what_is_open_and_what_comes(
    tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running]
) -> None:
    """Each alert once; Ctrl-C ends it with 0 and without a word."""
    tell(alert(1), alert(2), alert(2, "cleared"))
    command = running(alerts("tail"))
    command.wait_for(alert(1).id)
    tell(alert(3), alert(1, "cleared"))
    command.wait_for(alert(1, "cleared").id)
    assert command.interrupt() == 0
    ids = [line.rsplit("id=", 1)[1] for line in command.lines()]
    assert ids == [alert(1).id, alert(3).id, alert(1, "cleared").id]
    assert "reason=returned" in command.lines()[-1]
    assert command.err.count("\n") == command.err.count(NOBODY) == 1


def test_tail_is_coloured_in_a_terminal(tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running]) -> None:
    """A red opening is red, its end is not."""
    command = running(alerts("tail"), terminal=True)
    command.wait_for(NOBODY)
    tell(alert(1), alert(1, "cleared"))
    command.wait_for("cleared")
    command.interrupt()
    (opened,) = [line for line in command.lines() if "opened" in line]
    (cleared,) = [line for line in command.lines() if "cleared" in line]
    assert RED in opened
    assert "31m" not in cleared


def test_tail_as_json_is_the_events(tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running]) -> None:
    """For a program: byte for byte what the stream holds."""
    command = running(alerts("tail", "--json"))
    command.wait_for(NOBODY, "err")
    batch = [alert(i) for i in range(1200)]
    tell(*batch)
    command.wait_for(batch[-1].id)
    assert command.interrupt() == 0
    assert command.out.encode() == b"".join(event + b"\n" for _, event in encoded(batch))


def test_tail_from_an_id(tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running]) -> None:
    """0-0 is all that the stream holds, open or not."""
    tell(alert(1), alert(1, "cleared"))
    command = running(alerts("tail", "--json", "--from-id", "0-0"))
    command.wait_for(alert(1, "cleared").id)
    assert command.interrupt() == 0
    assert [orjson.loads(line)["id"] for line in command.lines()] == [alert(1).id, alert(1, "cleared").id]


def test_tail_goes_on_where_it_was(
    tell: Tell, alerts: Callable[..., list[str]], running: Callable[..., Running], tmp_path: Path
) -> None:
    """With a resume file: what came while nobody looked is shown, what was shown is not shown again."""
    seen = tmp_path / "seen"
    options = ("--json", "--resume-file", str(seen))
    first = running(alerts("tail", *options))
    first.wait_for(NOBODY, "err")
    tell(alert(1))
    first.wait_for(alert(1).id)
    while not seen.exists():
        time.sleep(0.01)
    assert first.interrupt() == 0
    tell(alert(2), alert(2, "cleared"))
    second = running(alerts("tail", *options))
    second.wait_for(alert(2, "cleared").id)
    tell(alert(3))
    second.wait_for(alert(3).id)
    assert second.interrupt() == 0
    ids = [orjson.loads(line)["id"] for line in [*first.lines(), *second.lines()]]
    assert ids == [alert(1).id, alert(2).id, alert(2, "cleared").id, alert(3).id]


def test_tail_outlives_the_server(start_redis: StartRedis, running: Callable[..., Running]) -> None:
    """After kill -9 and back it says so, and misses nothing that was told meanwhile."""
    server = start_redis(appendonly="yes", appendfsync="always")
    sink = RedisAlerts(server.url, RedisNames(), 30, "p")
    command = running([*ALERTS, "tail", "--json", "--redis", server.url])
    command.wait_for(NOBODY, "err")
    sink.deliver(encoded([alert(1)]))
    command.wait_for(alert(1).id)
    server.kill()
    command.wait_for("Redis is away", "err")
    server.start()
    batch = encoded(alert(i) for i in range(2, 50))
    sink.deliver(batch)
    sink.close()
    command.wait_for(batch[-1][0].id)
    assert "Redis is back" in command.err
    assert command.interrupt() == 0
    assert [orjson.loads(line)["id"] for line in command.lines()] == [alert(1).id, *(one.id for one, _ in batch)]


def test_tail_reads_a_stream_that_begins_anew(start_redis: StartRedis, running: Callable[..., Running]) -> None:
    """A server that came back without its data: what it tells now is shown all the same."""
    server = start_redis()
    names = RedisNames()
    client = server.client()
    client.xadd(names.alerts, {"id": "x", "event": encoded([alert(1)])[0][1]}, id="99999999999999-0")
    command = running([*ALERTS, "tail", "--json", "--redis", server.url, "--from-id", "0-0"])
    command.wait_for(alert(1).id)
    server.kill()
    command.wait_for("Redis is away", "err")
    server.start()
    command.wait_for("without what stood in the stream", "err")
    sink = RedisAlerts(server.url, names, 30, "p")
    sink.deliver(encoded([alert(2), alert(3)]))
    sink.close()
    command.wait_for(alert(3).id)
    assert command.interrupt() == 0
    assert [orjson.loads(line)["id"] for line in command.lines()] == [alert(1).id, alert(2).id, alert(3).id]


def test_says_when_a_lane_dies_and_comes_back(
    redis_server: RedisProcess,
    redis_names: RedisNames,
    tell: Tell,
    alerts: Callable[..., list[str]],
    running: Callable[..., Running],
) -> None:
    """Once each time, beside the alerts."""
    tell(alert(1))
    client = redis_server.client()
    sign = LaneSign(client, redis_names, "lane-7")
    sign.renew(0, None, None, "v")
    command = running(alerts("tail"))
    command.wait_for(alert(1).id)
    sign.end()
    command.wait_for(NOBODY, "err")
    sign.renew(0, None, None, "v")
    command.wait_for("alive again: lane lane-7", "err")
    client.close()
    assert command.interrupt() == 0
    assert command.err.count(NOBODY) == 1


def test_a_reader_that_has_enough(tell: Tell, alerts: Callable[..., list[str]]) -> None:
    """`| head -1` is no error."""
    tell(*(alert(i) for i in range(2000)))
    line = " ".join(f"'{word}'" for word in alerts("open"))
    result = done(["bash", "-c", f"set -o pipefail; {line} | head -1"])
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["tail", "--redis", "redis://127.0.0.1:1/0"], 1, "Redis at 127.0.0.1:1 cannot be read"),
        (["open", "--redis", "redis://:secret@127.0.0.1:1/0"], 1, "Redis at 127.0.0.1:1 cannot be read"),
        (["open", "--redis", "http://127.0.0.1"], 2, "redis://"),
        (["tail", "--from-id", "yesterday"], 2, "is no stream id"),
        (["watch"], 2, "No such command"),
    ],
)
def test_says_what_is_wrong(options: list[str], code: int, sentence: str) -> None:
    """One sentence, the exit code of the contract, no traceback and no password."""
    result = done([*ALERTS, *options])
    assert result.returncode == code
    assert sentence in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


def test_schema_is_printed_as_json() -> None:
    """What is printed takes the alerts of the worked cases."""
    result = done([*SCHEMA, "alert"])
    assert result.returncode == 0
    validator = Draft202012Validator(orjson.loads(result.stdout))
    assert all(validator.is_valid(orjson.loads(line)) for line in case_lines()[:50])
    assert not validator.is_valid({})
