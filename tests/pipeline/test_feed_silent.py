"""A source that falls silent, seen from outside: the daemon on a real Redis, with the wall's clock and with the demo's."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.pipeline.daemons import Daemon, xadd
from tests.pipeline.listeners import in_stream, until
from tests.pipeline.meadow import INSIDE, SUBJECTS, Meadow, Record
from tests.pipeline.scripted import milliseconds
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess

ALERTS = "fencewatch:alerts"
MINUTE_MS = 60_000


def meadow(folder: Path, **policy: float) -> Meadow:
    """The meadow with a policy of its own; all of its three people make a source worth an alert."""
    made = Meadow.make(folder)
    lines = [f"{name} = {value}" for name, value in {"feed_min_subjects": 3, **policy}.items()]
    (folder / "policy.toml").write_text("\n".join(["[policy]", *lines, ""]))
    return made


def everybody(time_ms: int) -> list[Record]:
    """A record of each, at home."""
    return [{"subject": subject, "time": time_ms, "lon": INSIDE[0], "lat": INSIDE[1]} for subject in SUBJECTS]


def story(server: RedisProcess) -> list[tuple[str, str, str]]:
    """Change, kind and subject of all alerts, in order."""
    return [(a["type"].rpartition(".")[2], a["data"]["kind"], a["subject"]) for a in in_stream(server, ALERTS)]


def lane_clock(client: Any) -> str:  # noqa: ANN401 - as RedisProcess
    """What the lane's sign of life says."""
    return str(orjson.loads(client.get("fencewatch:lane:0") or b'{"clock":""}')["clock"])


def test_on_the_demos_clock(tmp_path: Path, start_redis: StartRedis) -> None:
    """Sixty times as fast: one alert to the home region of all, no silence while it is open, a clear with the next record."""
    server = start_redis()
    made = meadow(tmp_path / "registry", feed_silent_after_s=60, silent_after_s=120, silent_long_after_s=86_400)
    clock = '[clock]\ndemo = true\nstart = "2026-03-02T06:00:00Z"\nspeed = 60\n'
    daemon = Daemon(tmp_path, made.registry, ["gps:0", "gps:1"], redis_url=server.url, more=clock).start()
    client = server.client()
    try:
        xadd(client, "gps:0", everybody(1_772_431_200_000))
        until(lambda: story(server))
        [opened] = in_stream(server, ALERTS)
        assert (opened["subject"], opened["data"]["kind"], opened["data"]["level"]) == ("gps", "feed_silent", "red")
        assert opened["data"]["regions"] == ["meadow"]
        assert client.hlen("fencewatch:open:meadow") == 1
        until(lambda: daemon.metric('fencewatch_source_silent{source="gps"}') == 1)
        assert daemon.metric('fencewatch_open_episodes{kind="feed_silent"}') == 1
        until(lambda: milliseconds(lane_clock(client)) > milliseconds(opened["time"]) + 4 * MINUTE_MS)
        assert story(server) == [("opened", "feed_silent", "gps")]
        xadd(client, "gps:1", everybody(1_772_431_260_000)[:1])
        until(lambda: ("cleared", "feed_silent", "gps") in story(server))
        until(lambda: daemon.metric('fencewatch_source_silent{source="gps"}') == 0)
        cleared = next(alert for alert in in_stream(server, ALERTS) if alert["type"].endswith(".cleared"))
        assert cleared["data"]["episode"] == opened["data"]["episode"]
        assert cleared["data"]["reason"] == "returned"
        assert cleared["time"] == cleared["data"]["received"]
        assert daemon.stop() == 0, daemon.lines
    finally:
        daemon.kill()
        client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_over_a_restart(tmp_path: Path, start_redis: StartRedis, number: signal.Signals) -> None:
    """Drained or killed while it is silent: told once, still open afterwards, cleared as the same episode."""
    server = start_redis()
    made = meadow(tmp_path / "registry", feed_silent_after_s=1, silent_after_s=2)
    daemon = Daemon(tmp_path, made.registry, ["gps"], redis_url=server.url).start()
    client = server.client()
    try:
        xadd(client, "gps", everybody(round(time.time() * 1000)))
        until(lambda: story(server))
        daemon.signal(number)
        before = in_stream(server, ALERTS)
        daemon.start()
        until(lambda: daemon.metric('fencewatch_source_silent{source="gps"}') == 1)
        late = lane_clock(client)
        until(lambda: lane_clock(client) > late)
        assert in_stream(server, ALERTS) == before
        xadd(client, "gps", everybody(round(time.time() * 1000)))
        until(lambda: len(in_stream(server, ALERTS)) > 1)
        opened, cleared = in_stream(server, ALERTS)[:2]
        assert story(server)[:2] == [("opened", "feed_silent", "gps"), ("cleared", "feed_silent", "gps")]
        assert cleared["data"]["episode"] == opened["data"]["episode"]
        assert daemon.stop() == 0, daemon.lines
    finally:
        daemon.kill()
        client.close()


def test_a_backlog_is_judged_as_if_it_had_come_in_time(tmp_path: Path, start_redis: StartRedis) -> None:
    """An hour of two streams, twenty minutes of it without a record, read in one go: the source was silent, none of its people."""
    server = start_redis()
    made = meadow(tmp_path / "registry", silent_after_s=900)
    start_ms = round(time.time() * 1000) - 60 * MINUTE_MS
    daemon = Daemon(tmp_path, made.registry, ["gps:0", "gps:1"], redis_url=server.url)
    client = server.client()
    try:
        for minute in (*range(20), *range(40, 60)):
            for k, record in enumerate(everybody(start_ms + minute * MINUTE_MS)):
                fields = {name: str(value) for name, value in record.items()}
                client.xadd(f"gps:{k % 2}", fields, id=f"{record['time'] + k}-0")
        daemon.start()
        daemon.read(3 * 40)
        assert daemon.stop() == 0, daemon.lines
        opened, cleared = in_stream(server, ALERTS)
        assert story(server) == [("opened", "feed_silent", "gps"), ("cleared", "feed_silent", "gps")]
        assert milliseconds(opened["time"]) == start_ms + 19 * MINUTE_MS + 2 + 300_000
        assert milliseconds(cleared["time"]) == start_ms + 40 * MINUTE_MS
    finally:
        daemon.kill()
        client.close()


def test_one_of_two_servers_away(tmp_path: Path, start_redis: StartRedis) -> None:
    """The source on it is silent, the other one goes on; what was written meanwhile is read when it is back."""
    near, far = start_redis(), start_redis(appendonly="yes", appendfsync="always")
    made = meadow(tmp_path / "registry", feed_silent_after_s=1, silent_after_s=86_400)
    more = f'[[sources]]\nname = "far"\nkind = "redis"\nstreams = ["gps"]\nurl = "{far.url}"\n'
    daemon = Daemon(tmp_path, made.registry, ["gps"], redis_url=near.url, more=more).start()
    client, other = near.client(), far.client()
    try:
        xadd(other, "gps", everybody(round(time.time() * 1000)))
        until(lambda: daemon.metric('fencewatch_fixes_total{source="far"}') == 3)
        far.kill()
        until(lambda: story(near))
        assert story(near) == [("opened", "feed_silent", "far")]
        assert daemon.get("/readyz")[0] == 503
        far.start()
        xadd(other, "gps", everybody(round(time.time() * 1000)))
        until(lambda: ("cleared", "feed_silent", "far") in story(near))
        assert daemon.stop() == 0, daemon.lines
    finally:
        daemon.kill()
        client.close()
        other.close()
