"""Alerts in a real Redis: streams, channels and hashes in one step, each id once, whatever happens between."""

from __future__ import annotations

import pytest

from sinks.redis_alerts import CHUNK, DAY_MS
from sinks.redis_names import RedisNames
from tests.redis_process import RedisProcess, newest, oldest
from tests.sinks.alert_examples import alert, encoded
from tests.sinks.told_in_redis import held, sink, stream, told

EACH_BINARY = pytest.mark.parametrize("binary", [newest, oldest])


def test_streams_hold_the_alerts_in_order(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """All alerts in one stream, each region's in its own; over more than one script call."""
    batch = encoded(alert(i, regions=("north", "west") if i % 2 else ("west",)) for i in range(2 * CHUNK + 7))
    with sink(redis_any, redis_names) as alerts:
        assert alerts.deliver(batch) == len(batch)
    assert stream(redis_any, redis_names.alerts) == told(batch)
    assert stream(redis_any, redis_names.alerts_of("west")) == told(batch)
    assert stream(redis_any, redis_names.alerts_of("north")) == told(batch[1::2])


def test_channels_carry_the_same_bytes(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """A subscriber of a stream's name hears each event once, in order."""
    client = redis_any.client()
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(redis_names.alerts, redis_names.alerts_of("north"))
    channel.get_message(timeout=5)
    channel.get_message(timeout=5)
    batch = encoded(alert(i, regions=("north",)) for i in range(50))
    with sink(redis_any, redis_names) as alerts:
        alerts.deliver(batch)
        alerts.deliver(batch)
    heard: dict[str, list[bytes]] = {redis_names.alerts: [], redis_names.alerts_of("north"): []}
    while message := channel.get_message(timeout=0.3):
        heard[message["channel"].decode()].append(message["data"])
    channel.close()
    client.close()
    assert list(heard.values()) == [[event for _, event in batch]] * 2


def test_open_hash_follows_an_episode(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """Opened, moved, cleared: the hashes hold the newest of an open episode, and nothing of one that is over."""
    opened, moved = alert(1), alert(1, "moved", ("north", "south", "west"))
    cleared, other = alert(1, "cleared", ("north", "south", "west")), alert(2, regions=("north",))
    events = {one.id: event for one, event in encoded([opened, moved, cleared, other])}
    with sink(redis_any, redis_names) as alerts:
        alerts.deliver(encoded([opened, other]))
        assert held(redis_any, redis_names.open_of("west")) == {opened.episode: events[opened.id]}
        assert held(redis_any, redis_names.open_of("south")) == {}
        alerts.deliver(encoded([moved]))
        for key in (redis_names.open_of("west"), redis_names.open_of("south")):
            assert held(redis_any, key) == {opened.episode: events[moved.id]}
        alerts.deliver(encoded([cleared]))
    for key in (redis_names.open, redis_names.open_of("north")):
        assert held(redis_any, key) == {other.episode: events[other.id]}
    for key in (redis_names.open_of("south"), redis_names.open_of("west")):
        assert held(redis_any, key) == {}


def test_late_evidence_leaves_nothing_open(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """Opened and cleared in one batch: both in the stream, none in the hash."""
    batch = encoded([alert(1), alert(1, "cleared")])
    with sink(redis_any, redis_names) as alerts:
        assert alerts.deliver(batch) == 2
    assert stream(redis_any, redis_names.alerts) == told(batch)
    assert held(redis_any, redis_names.open) == {}


def test_an_alert_of_no_region_is_in_the_common_stream(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """A subject without home region, far from all regions."""
    batch = encoded([alert(1, regions=())])
    with sink(redis_any, redis_names) as alerts:
        assert alerts.deliver(batch) == 1
        assert alerts.deliver([]) == 0
    assert stream(redis_any, redis_names.alerts) == told(batch)


def test_an_id_is_told_once(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """Within a batch, in a later one, by the next process, and however often the memory was tidied in between."""
    batch = encoded(alert(i) for i in range(30))
    with sink(redis_any, redis_names) as alerts:
        assert alerts.deliver([*batch[:10], *batch[:10]]) == 10
        for _ in range(5):
            alerts._tidy_at = 0
            alerts.tidy()
        assert alerts.deliver(batch[:20]) == 10
    with sink(redis_any, redis_names) as alerts:
        assert alerts.deliver(batch) == 10
    assert stream(redis_any, redis_names.alerts) == told(batch)


def test_told_again_changes_nothing_that_is_open(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """An opening that is judged again after its clear does not open the episode again."""
    with sink(redis_any, redis_names) as alerts:
        alerts.deliver(encoded([alert(1), alert(1, "cleared")]))
        assert alerts.deliver(encoded([alert(1)])) == 0
    assert held(redis_any, redis_names.open) == {}


def test_the_memory_lives_as_long_as_the_stream(redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """What is older than the stream keeps is forgotten, by tidying and, where nobody tidies any more, by itself."""
    client = redis_server.client()
    with sink(redis_server, redis_names) as alerts:
        alerts.deliver(encoded([alert(1), alert(2)]))
        assert 29 * DAY_MS < client.pttl(redis_names.known("p")) <= 30 * DAY_MS
        now_ms = round(client.zscore(redis_names.known("p"), alert(1).id))
        client.zadd(redis_names.known("p"), {alert(1).id: now_ms - 30 * DAY_MS - 1000, alert(2).id: now_ms - 29 * DAY_MS})
        alerts._tidy_at = 0
        alerts.tidy()
    assert client.zrange(redis_names.known("p"), 0, -1) == [alert(2).id.encode()]
    client.close()


def test_streams_are_trimmed_by_age(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """Old entries go with new ones, and in a stream that nothing comes to any more too."""
    client = redis_any.client()
    seconds, _ = client.time()
    old_ms = (seconds - 40 * 86_400) * 1000
    quiet = redis_names.alerts_of("quiet")
    for key in (redis_names.alerts, quiet):
        for i in range(500):
            client.xadd(key, {"id": f"old-{i}", "event": "{}"}, id=f"{old_ms + i}-0")
    with sink(redis_any, redis_names, regions=["quiet"]) as alerts:
        alerts.deliver(encoded([alert(1)]))
        assert client.xlen(redis_names.alerts) < 200
        assert client.xlen(quiet) == 500
        alerts.tidy()
    assert stream(redis_any, redis_names.alerts) == told(encoded([alert(1)]))
    assert client.xlen(quiet) == 0
    client.close()


def test_parts_of_one_prefix_do_not_know_each_other(redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """Two deployments that share a prefix each tell their own."""
    for part in ("one", "two"):
        with sink(redis_server, redis_names, part=part) as alerts:
            assert alerts.deliver(encoded([alert(1)])) == 1


def test_a_forgotten_script_is_sent_again(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """After a restart or a failover the server does not know the script."""
    client = redis_any.client()
    with sink(redis_any, redis_names) as alerts:
        for i in range(3):
            client.script_flush()
            assert alerts.deliver(encoded([alert(i)])) == 1
    client.close()
