"""The names in Redis are those of the contract, under any prefix."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from redis.crc import key_slot

from sinks.redis_names import CLUSTER_PREFIX, DEFAULT_PREFIX, REPLAY_PREFIX, RedisNames


def test_names_of_the_contract() -> None:
    """Streams and channels, hashes, signs of life, dead letters."""
    names = RedisNames()
    assert names.alerts == "fencewatch:alerts"
    assert names.alerts_of("north") == "fencewatch:alerts:north"
    assert names.open == "fencewatch:open"
    assert names.open_of("north") == "fencewatch:open:north"
    assert names.lane("lane-0") == "fencewatch:lane:lane-0"
    assert names.dead == "fencewatch:dead"


def test_a_replay_has_names_of_its_own() -> None:
    """No name of a replay is one that a duty screen listens to."""
    live, replay = RedisNames(DEFAULT_PREFIX), RedisNames(REPLAY_PREFIX)
    assert replay.alerts == "fencewatch:replay:alerts"
    assert live.alerts != replay.alerts


def test_in_a_cluster_all_names_share_a_slot() -> None:
    """One atomic step needs them together, whatever a region is called."""
    names = RedisNames(CLUSTER_PREFIX)
    keys = [names.alerts, names.alerts_of("{north}"), names.open, names.open_of("a}b"), names.known("x"), names.dead]
    assert len({key_slot(key.encode()) for key in keys}) == 1


@pytest.mark.parametrize("lane", ["lane-0", "北", "a:b"])
def test_lane_is_read_back_from_its_key(lane: str) -> None:
    """The key and the lane say the same."""
    names = RedisNames("x:")
    assert names.lane_of(names.lane(lane)) == lane
    assert fnmatchcase(names.lane(lane), names.every_lane)
