"""What goes wrong around a daemon: stops, kills, a Redis that dies, streams and settings that are not as they should be."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from sinks.redis_names import RedisNames
from tests.pipeline.commands import fencewatch
from tests.pipeline.daemons import Daemon, xadd
from tests.pipeline.listeners import in_stream, subscribed, until
from tests.pipeline.meadow import Meadow, good_records
from tests.pipeline.test_daemon import HOUR_MS, expected_alerts, without_arrival
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess

ALERTS = "fencewatch:alerts"
STREAMS = ["gps:0", "gps:1"]


class Scene:
    """A Redis, a registry, records of the last hour in two streams, and a daemon that is not started yet."""

    def __init__(self, folder: Path, redis: RedisProcess, *, more: str = "") -> None:
        self.meadow = Meadow.make(folder / "registry")
        self.good = good_records(round(time.time() * 1000) - HOUR_MS)
        self.expected = expected_alerts(self.meadow, self.good, folder)
        self.redis = redis
        self.daemon = Daemon(folder, self.meadow.registry, STREAMS, redis_url=redis.url, more=more)

    def feed(self, begin: float, end: float, *, packed: int = 0) -> int:
        """A share of the records, a stream by the subject; how many."""
        some = self.good[round(begin * len(self.good)) : round(end * len(self.good))]
        client = self.redis.client()
        xadd(client, STREAMS[0], [record for record in some if record["subject"] == "s-1"], packed=packed)
        xadd(client, STREAMS[1], [record for record in some if record["subject"] != "s-1"], packed=packed)
        client.close()
        return len(some)

    def assert_told_once(self) -> None:
        """All alerts stand in the stream, each once."""
        until(lambda: len(in_stream(self.redis, ALERTS)) >= len(self.expected))
        assert without_arrival(in_stream(self.redis, ALERTS)) == without_arrival(self.expected)


@pytest.fixture
def redis(start_redis: StartRedis) -> RedisProcess:
    """A server that syncs each write and that a test may kill."""
    return start_redis(appendonly="yes", appendfsync="always")


@pytest.fixture
def scene(tmp_path: Path, redis: RedisProcess) -> Iterator[Scene]:
    """Ended whatever happened."""
    made = Scene(tmp_path, redis)
    yield made
    made.daemon.kill()


def test_stopped_and_started_again(scene: Scene) -> None:
    """SIGTERM and SIGINT drain, exit 0; what comes meanwhile is read at the next start, exactly from there."""
    scene.daemon.start()
    read = scene.feed(0, 0.3)
    scene.daemon.read(read)
    assert scene.daemon.stop() == 0
    client = scene.redis.client()
    assert client.get("fencewatch:lane:0") is None, "nobody is watching now"
    client.close()
    read = scene.feed(0.3, 0.5, packed=8)
    scene.daemon.start()
    read += scene.feed(0.5, 0.7)
    scene.daemon.read(read)
    assert scene.daemon.metric('fencewatch_fixes_total{source="gps"}') == read, "nothing is read twice"
    assert scene.daemon.signal(signal.SIGINT) == 0
    read = scene.feed(0.7, 1)
    scene.daemon.start()
    scene.daemon.read(read)
    assert scene.daemon.metric('fencewatch_fixes_total{source="gps"}') == read
    for name in ("late", "duplicates", "conflicts"):
        assert scene.daemon.metric(f'fencewatch_{name}{"_fixes" if name == "late" else ""}_total{{source="gps"}}') == 0
    scene.assert_told_once()
    assert scene.daemon.stop() == 0
    assert not [line for line in scene.daemon.lines if "Traceback" in line or "panicked" in line]


def test_killed_and_started_again(scene: Scene) -> None:
    """Kill -9: records are judged again from the last save, and no alert is told twice."""
    scene.daemon.start()
    scene.daemon.read(scene.feed(0, 0.3))
    assert scene.daemon.stop() == 0
    for begin, end in ((0.3, 0.6), (0.6, 0.8)):
        scene.daemon.start()
        scene.feed(begin, end)
        until(lambda: scene.daemon.metric('fencewatch_fixes_total{source="gps"}') > 0)
        scene.daemon.kill()
    scene.feed(0.8, 1)
    scene.daemon.start()
    scene.assert_told_once()
    assert scene.daemon.stop() == 0


def test_redis_dies_and_comes_back(scene: Scene) -> None:
    """It waits, says so, is not ready but alive, and goes on: all alerts once, in the stream and to a subscriber."""
    scene.daemon.start()
    with subscribed(scene.redis, RedisNames()) as subscriber:
        scene.daemon.read(scene.feed(0, 0.5))
        until(lambda: len(subscriber.events) == len(in_stream(scene.redis, ALERTS)))
        scene.redis.kill()
        subscriber.subscribed.clear()
        until(lambda: scene.daemon.get("/readyz")[0] == 503)
        assert "cannot be read" in scene.daemon.get("/readyz")[1]
        assert scene.daemon.get("/livez")[0] == 200
        scene.redis.start()
        until(lambda: scene.daemon.ready)
        until(subscriber.subscribed.is_set)
        scene.feed(0.5, 1)
        scene.assert_told_once()
        until(lambda: len(subscriber.events) >= len(scene.expected))
    assert [event["id"] for event in subscriber.events] == [event["id"] for event in in_stream(scene.redis, ALERTS)]
    assert scene.daemon.stop() == 0
    events = [orjson.loads(line)["event"] for line in scene.daemon.lines]
    assert events.count("redis can be read again") == 1


def test_redis_dies_again_and_again(scene: Scene) -> None:
    """While records come: nothing is lost or told twice."""
    scene.daemon.start()

    def feeding() -> None:
        for k in range(30):
            while True:
                try:
                    scene.feed(k / 30, (k + 1) / 30)
                except Exception:  # noqa: BLE001 - a sender that sends again what was not acknowledged
                    time.sleep(0.05)
                else:
                    break
            time.sleep(0.05)

    sender = threading.Thread(target=feeding)
    sender.start()
    for _ in range(4):
        time.sleep(0.4)
        scene.redis.kill()
        time.sleep(0.2)
        scene.redis.start()
    sender.join()
    until(lambda: scene.daemon.ready)
    # A part sent twice is a duplicate, or late where a record of the part had been judged: neither makes an alert.
    scene.assert_told_once()
    assert scene.daemon.stop() == 0


def test_a_stop_while_redis_is_away(scene: Scene) -> None:
    """It does not wait for ever; what was read and not told is told at the next start."""
    scene.daemon.start()
    scene.daemon.read(scene.feed(0, 0.5))
    scene.feed(0.5, 1)
    scene.redis.kill()
    code = scene.daemon.stop()
    assert code in (0, 1)
    said = "\n".join(scene.daemon.lines)
    assert "Traceback" not in said
    assert "panicked" not in said
    assert code == 0 or re.search(r"fencewatch: \d+ alerts? could not be delivered", said)
    scene.redis.start()
    scene.daemon.start()
    scene.assert_told_once()
    assert scene.daemon.stop() == 0


def test_started_before_its_redis_and_its_streams(scene: Scene) -> None:
    """A server that is not there yet and streams that nobody has written to: it waits, and takes what comes."""
    scene.redis.stop()
    scene.daemon.launch()
    until(lambda: scene.daemon.get("/livez")[0] == 200)
    assert scene.daemon.get("/readyz")[0] == 503
    scene.redis.start()
    until(lambda: scene.daemon.ready)
    scene.daemon.read(scene.feed(0, 1))
    scene.assert_told_once()
    assert scene.daemon.stop() == 0


def test_a_stream_that_is_none(scene: Scene) -> None:
    """One sentence with the stream's name, exit 1; what was read before is saved."""
    scene.daemon.start()
    scene.daemon.read(scene.feed(0, 0.5))
    client = scene.redis.client()
    client.delete(STREAMS[0])
    client.set(STREAMS[0], "text")
    until(lambda: scene.daemon.ended)
    assert scene.daemon.stop() == 1
    assert scene.daemon.lines[-1].startswith(
        f"fencewatch: 127.0.0.1:{scene.redis.port}: the stream {STREAMS[0]} cannot be read: WRONGTYPE"
    )
    assert not [line for line in scene.daemon.lines if "Traceback" in line or "panicked" in line]
    client.delete(STREAMS[0])
    client.close()
    scene.daemon.start()
    scene.feed(0.5, 1)
    scene.assert_told_once()
    assert scene.daemon.stop() == 0


def test_a_wrong_password(scene: Scene, tmp_path: Path) -> None:
    """Waiting does not mend it: one sentence, exit 1; the right one from its file works and is told to nobody."""
    client: Any = scene.redis.client()
    client.config_set("requirepass", "open sesame")
    client.close()
    text = scene.daemon.config.read_text()
    scene.daemon.launch()
    until(lambda: scene.daemon.ended)
    assert scene.daemon.stop() == 1
    assert scene.daemon.lines[-1].startswith("fencewatch: ")
    assert not [line for line in scene.daemon.lines if "Traceback" in line or "panicked" in line]
    (tmp_path / "password").write_text("open sesame\n")
    scene.daemon.config.write_text(text.replace("[redis]\n", '[redis]\npassword_file = "password"\n'))
    scene.daemon.start()
    assert scene.daemon.stop() == 0
    scene.daemon.config.write_text(text.replace("redis://", "redis://:open%20sesame@"))
    scene.daemon.start()
    assert scene.daemon.stop() == 0
    assert not [line for line in scene.daemon.lines if "sesame" in line]


def test_a_wrong_configuration_lists_every_problem(tmp_path: Path) -> None:
    """Of the configuration and of its registry; exit 78."""
    registry = tmp_path / "registry"
    Meadow.make(registry)
    (registry / "rules.jsonl").write_text('{"id":"stay","effect":"allow","everyone":true,"areas":["nowhere"]}\n{"id":"x"}\n')
    config = tmp_path / "fencewatch.toml"
    config.write_text(
        'deployment = ""\nstate_dirr = "state"\nregistry = "registry"\nregistry_max_drop_pct = 101\n[redis]\nurl = "127.0.0.1"\n'
        'keep_days = 0\n[[sources]]\nname = "gps"\nkind = "mqtt"\nstreams = []\n[http]\nlisten = "9464"\n[clock]\nstart = "noon"\n'
    )
    wrong = fencewatch("run", "--config", config)
    assert wrong.code == 78
    for place in (
        "deployment", "state_dirr", "state_dir", "registry_max_drop_pct", "redis.url", "redis.keep_days", "sources[0].kind",
        "sources[0].streams", "http.listen", "clock.start",
    ):  # fmt: skip
        assert [line for line in wrong.said if line.startswith(f"{config}: {place}: ")], place
    assert [line for line in wrong.said if line.startswith(f"{registry / 'rules.jsonl'}:1: ")]
    assert [line for line in wrong.said if line.startswith(f"{registry / 'rules.jsonl'}:2: ")]
    errors = [line for line in wrong.said[:-1] if ": warning: " not in line]
    assert wrong.said[-1] == f"fencewatch: {len(errors)} problems; nothing was started."
    checked = fencewatch("check", "--config", config)
    assert checked.code == 78
    assert checked.out.splitlines()[:-1] == wrong.said[:-1], "check says what a start says"
    assert not (tmp_path / "state").exists()


def test_a_clock_that_is_no_demos(scene: Scene) -> None:
    """Refused without demo = true."""
    scene.daemon.config.write_text(scene.daemon.config.read_text() + '[clock]\nstart = "2026-03-02T06:00:00+08:00"\nspeed = 60\n')
    refused = fencewatch("run", "--config", scene.daemon.config)
    assert refused.code == 78
    assert "demo = true" in refused.err


def test_an_address_in_use(scene: Scene, tmp_path: Path) -> None:
    """One sentence, exit 1, and the state folder is free again."""
    scene.daemon.start()
    other = tmp_path / "other"
    other.mkdir()
    second = Daemon(other, scene.meadow.registry, STREAMS, redis_url=scene.redis.url)
    second.config.write_text(second.config.read_text().replace(str(second.port), str(scene.daemon.port)))
    second.launch()
    assert second.signal(signal.SIGCONT) == 1
    assert second.lines[-1].startswith(f"fencewatch: cannot listen on 127.0.0.1:{scene.daemon.port}")
    assert "Traceback" not in "\n".join(second.lines)
    assert scene.daemon.stop() == 0


def test_a_scaled_clock(tmp_path: Path, redis: RedisProcess) -> None:
    """Every stamp, mark and wall clock is the demo's: what is future, when a record was received, the lane's sign."""
    start_ms = 1_772_402_400_000  # 2026-03-01T22:00:00Z
    more = '[clock]\ndemo = true\nstart = "2026-03-02T06:00:00+08:00"\nspeed = 60\n'
    scene = Scene(tmp_path, redis, more=more)
    scene.daemon.start()
    client = redis.client()
    try:
        outside = {"lon": 121.12, "lat": 31.05}
        xadd(client, STREAMS[0], [{"subject": "s-1", "time": start_ms + k * 1000, **outside} for k in range(3)])
        xadd(client, STREAMS[0], [{"subject": "s-1", "time": start_ms + 24 * HOUR_MS, **outside}])
        scene.daemon.read(4)
        [alert] = [alert for alert in in_stream(redis, ALERTS) if alert["data"]["kind"] == "left_area"]
        assert alert["time"] == "2026-03-01T22:00:01.000Z"
        assert "2026-03-01T22:00" <= alert["data"]["received"] < "2026-03-02T04:00"
        [(_, letter)] = client.xrange("fencewatch:dead")
        assert orjson.loads(letter[b"letter"])["reason"] == "future"
        until(lambda: client.get("fencewatch:lane:0"))
        sign = orjson.loads(client.get("fencewatch:lane:0"))
        assert "2026-03-01T22:00" <= sign["clock"] <= sign["at"] < "2026-03-02T04:00"
    finally:
        client.close()
        code = scene.daemon.stop()
    assert code == 0, scene.daemon.lines


def test_the_embedded_server(tmp_path: Path) -> None:
    """Its port is printed and stays, its data outlives stops and kills, and it is gone with the daemon."""
    meadow = Meadow.make(tmp_path / "registry")
    good = good_records(round(time.time() * 1000) - HOUR_MS)
    expected = expected_alerts(meadow, good, tmp_path)
    daemon = Daemon(tmp_path, meadow.registry, ["gps"], redis_url=None)
    urls = set()
    try:
        for k, stop in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)):
            daemon.start()
            [url] = [line.split()[-1] for line in daemon.lines[-3:] if line.startswith("embedded Redis: ")]
            urls.add(url)
            client: Any = Redis.from_url(url)
            some = good[k * 60 : (k + 1) * 60]
            xadd(client, "gps", some)
            if stop != signal.SIGKILL:
                # The last start judges again what came after the last save before the kill.
                daemon.read(len(some) if k == 0 else 2 * len(some))
                told = [orjson.loads(fields[b"event"]) for _, fields in client.xrange(ALERTS)]
            client.close()
            assert daemon.signal(stop) in (0, -signal.SIGKILL)
            daemon.lines.clear()
        assert len(urls) == 1
        assert without_arrival(told) == without_arrival(expected)
        until(lambda: _refuses(url))
    finally:
        daemon.kill()


def _refuses(url: str) -> bool:
    client = Redis.from_url(url, retry=None)
    try:
        client.ping()
    except Exception:  # noqa: BLE001 - gone in whatever way
        return True
    finally:
        client.close()
    return False


def test_asking_for_subjects(scene: Scene) -> None:
    """Whom nobody watches, from what a daemon saved last."""
    scene.daemon.start()
    scene.daemon.read(scene.feed(0, 1))
    assert scene.daemon.stop() == 0
    never = fencewatch("subjects", "--never-heard", "--config", scene.daemon.config)
    assert never.code == 0
    assert never.out.splitlines() == ["unheard\tmeadow\t-"]
    assert "1 of 4 subjects never heard of" in never.err
    silent = fencewatch("subjects", "--silent", "--config", scene.daemon.config)
    assert silent.out == ""
    later = round(time.time() * 1000) + 901_000
    silent = fencewatch("subjects", "--silent", "--config", scene.daemon.config, "--at", later)
    assert [line.split("\t")[0] for line in silent.out.splitlines()] == ["s-1", "s-2", "s-3"]


def test_a_backlog_in_one_stream(scene: Scene) -> None:
    """The clock of an empty stream does not overtake what waits in another: nobody is silent who has sent."""
    client: Any = scene.redis.client()
    begin = round(time.time() * 1000) - 6 * HOUR_MS
    pipe = client.pipeline(transaction=False)
    records = 0
    for k in range(0, 5 * 3600, 10):
        at = begin + k * 1000
        pipe.xadd(STREAMS[0], {"subject": "s-1", "time": at, "lon": "121.09", "lat": "31.05"}, id=f"{at}-0")
        records += 1
    pipe.execute()
    client.close()
    scene.daemon.start()
    scene.daemon.read(records)
    until(lambda: in_stream(scene.redis, ALERTS))
    kinds = [(alert["data"]["kind"], alert["type"].rpartition(".")[2]) for alert in in_stream(scene.redis, ALERTS)]
    assert kinds == [("silent", "opened"), ("silent_long", "opened")], "an hour of silence stands behind the backlog, none in it"
    assert scene.daemon.stop() == 0


def test_two_servers(tmp_path: Path, redis: RedisProcess, start_redis: StartRedis) -> None:
    """Fixes on one server, alerts on another; the one dies, the other goes on being told that the lane lives or not."""
    scene = Scene(tmp_path, redis)
    fixes = start_redis()
    text = scene.daemon.config.read_text()
    scene.daemon.config.write_text(text.replace('kind = "redis"\n', f'kind = "redis"\nurl = "{fixes.url}"\n'))
    scene.daemon.start()
    scene.redis = fixes
    scene.daemon.read(scene.feed(0, 1))
    scene.redis = redis
    scene.assert_told_once()
    fixes.kill()
    until(lambda: not scene.daemon.ready)
    fixes.start()
    until(lambda: scene.daemon.ready)
    assert scene.daemon.stop() == 0
