"""A lane's sign of life is there while it is renewed, and soon gone when it is not."""

from __future__ import annotations

from pathlib import Path

import orjson

from sinks.lane_sign import LaneSign, LaneWatch, LivingLane
from sinks.redis_names import RedisNames
from tests.redis_process import RedisProcess

AT_MS = 1_700_000_000_123


def test_sign_says_what_the_contract_says(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """The four keys, and gone after thirty seconds."""
    client = redis_any.client()
    assert LaneSign(client, redis_names, "lane-0").renew(AT_MS, AT_MS - 1000, 1.5, "0123456789ab")
    assert orjson.loads(client.get(redis_names.lane("lane-0"))) == {
        "at": "2023-11-14T22:13:20.123Z",
        "clock": "2023-11-14T22:13:19.123Z",
        "lag_s": 1.5,
        "rules_version": "0123456789ab",
    }
    assert 28 <= client.ttl(redis_names.lane("lane-0")) <= 30
    client.close()


def test_watch_sees_lanes_come_and_go(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """New ones, ended ones, expired ones; and none where there is none."""
    client = redis_any.client()
    watch = LaneWatch(client, redis_names)
    assert watch.alive() == []
    first, second = (LaneSign(client, redis_names, lane) for lane in ("b", "a:北"))
    first.renew(AT_MS, None, None, "v")
    assert [lane.lane for lane in watch.alive()] == ["b"]
    second.renew(AT_MS, None, None, "v")
    assert [lane.lane for lane in watch.alive(look_for_new=True)] == ["a:北", "b"]
    assert watch.alive()[0] == LivingLane("a:北", "2023-11-14T22:13:20.123Z", None, None, "v")
    assert first.end()
    assert [lane.lane for lane in watch.alive()] == ["a:北"]
    client.delete(redis_names.lane("a:北"))
    assert watch.alive() == []
    client.close()


def test_other_prefixes_are_other_lanes(redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """A prefix may hold what a pattern would take for more than it is."""
    client = redis_server.client()
    odd, other = RedisNames(f"{redis_names.prefix}[ab]*:"), RedisNames(f"{redis_names.prefix}axx:")
    LaneSign(client, other, "x").renew(AT_MS, None, None, "v")
    assert LaneWatch(client, odd).alive() == []
    LaneSign(client, odd, "y").renew(AT_MS, None, None, "v")
    assert [lane.lane for lane in LaneWatch(client, odd).alive()] == ["y"]
    client.close()


def test_a_redis_that_is_away_does_not_stop_the_lane(tmp_path: Path) -> None:
    """The missing sign is the news."""
    server = RedisProcess(tmp_path / "never started", tmp_path)
    sign = LaneSign(server.client(), RedisNames(), "lane-0")
    assert not sign.renew(AT_MS, AT_MS, 0.0, "v")
    assert not sign.end()
