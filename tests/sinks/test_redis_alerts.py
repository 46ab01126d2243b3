"""Alerts in a real Redis: streams, channels and hashes in one step, each id once, whatever happens between."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import RedisCluster

from sinks.redis_alerts import CHUNK, DAY_MS, RedisAlerts
from sinks.redis_connection import connect
from sinks.redis_names import CLUSTER_PREFIX, RedisNames
from sinks.redis_patience import Undelivered
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess, newest, oldest
from tests.sinks.alert_examples import Encoded, alert, encoded

EACH_BINARY = pytest.mark.parametrize("binary", [newest, oldest])


@contextmanager
def sink(server: RedisProcess, names: RedisNames, **options: Any) -> Iterator[RedisAlerts]:  # noqa: ANN401 - as they come
    """A sink of this test."""
    alerts = RedisAlerts(server.url, names, **{"keep_days": 30, "part": "p", **options})
    yield alerts
    alerts.close()


def stream(server: RedisProcess, key: str) -> list[tuple[str, bytes]]:
    """Id and event of each entry of a stream, in order."""
    client = server.client()
    entries = client.xrange(key)
    client.close()
    assert all(set(fields) == {b"id", b"event"} for _, fields in entries)
    return [(fields[b"id"].decode(), fields[b"event"]) for _, fields in entries]


def held(server: RedisProcess, key: str) -> dict[str, bytes]:
    """A hash of open episodes."""
    client = server.client()
    found = {episode.decode(): event for episode, event in client.hgetall(key).items()}
    client.close()
    return found


def told(batch: Encoded) -> list[tuple[str, bytes]]:
    """What a stream should hold of a batch."""
    return [(one.id, event) for one, event in batch]


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


def test_a_lost_reply_does_not_tell_twice(start_redis: StartRedis) -> None:
    """The server takes the script and hangs before its reply is read: told once, and a connected subscriber hears it once."""
    server = start_redis()
    names = RedisNames()
    listener = server.client(60)
    channel = listener.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(names.alerts)
    channel.get_message(timeout=5)
    batch = encoded(alert(i) for i in range(3 * CHUNK))
    states: list[bool] = []
    alerts = RedisAlerts(server.client(0.2), names, 30, "p", on_state=lambda up, _why: states.append(up))
    alerts.deliver(batch[:1])
    server.pause()
    threading.Timer(1.0, server.resume).start()
    alerts.deliver(batch)
    assert stream(server, names.alerts) == told(batch)
    heard = []
    while message := channel.get_message(timeout=0.5):
        heard.append(message["data"])
    assert heard == [event for _, event in batch]
    assert states == [False, True]


@EACH_BINARY
def test_server_killed_amid_deliveries(binary: Callable[[], Path | None], start_redis: StartRedis) -> None:
    """Kill -9, twice, and back a little later: every alert is in the stream once, and a follower saw each once."""
    server = start_redis(binary, appendonly="yes", appendfsync="always")
    names = RedisNames()
    batches = [encoded(alert(300 * b + i) for i in range(300)) for b in range(20)]
    seen: list[str] = []
    done = threading.Event()
    follower = threading.Thread(target=_follow, args=(server.url, names, seen, done))
    follower.start()
    killer = threading.Thread(target=_kill_now_and_then, args=(server, done))
    killer.start()
    with sink(server, names) as alerts:
        try:
            while killer.is_alive():
                for batch in batches:
                    alerts.deliver(batch)
                    time.sleep(0.02)
        finally:
            done.set()
            killer.join()
    follower.join()
    ids = [one_id for one_id, _ in stream(server, names.alerts)]
    open_now = held(server, names.open)
    expected = [one.id for batch in batches for one, _ in batch]
    assert ids == expected
    assert Counter(seen) == Counter(expected)
    assert len(open_now) == len(expected)


def _kill_now_and_then(server: RedisProcess, done: threading.Event) -> None:
    for _ in range(2):
        if done.wait(0.25):
            return
        server.kill()
        done.wait(0.3)
        server.start()


def _follow(url: str, names: RedisNames, seen: list[str], done: threading.Event) -> None:
    """The recipe: the channel wakes, the stream is read on from the last id."""
    from pipeline.alert_reader import FIRST_ID, AlertReader  # noqa: PLC0415 - of an upper room, for this test alone

    client = connect(url)
    reader = AlertReader(client, names)
    since = FIRST_ID
    while True:
        last_round = done.is_set()
        entries = reader.after(since, 0.5)
        seen += [orjson.loads(entry.event)["id"] for entry in entries]
        since = entries[-1].stream_id if entries else since
        if last_round and not entries:
            break
    reader.close()
    client.close()


def test_gives_up_with_the_number_and_the_reason(start_redis: StartRedis) -> None:
    """A server that does not come back: one sentence says how many alerts wait and why."""
    server = start_redis()
    names = RedisNames()
    states: list[bool] = []
    with sink(server, names, give_up_after_s=1.2, on_state=lambda up, _why: states.append(up)) as alerts:
        alerts.deliver(encoded([alert(1)]))
        server.kill()
        sentence = rf"^250 alerts could not be delivered to Redis at 127\.0\.0\.1:{server.port} within 1 s: .*refused"
        with pytest.raises(Undelivered, match=sentence):
            alerts.deliver(encoded(alert(i) for i in range(250)))
        assert states == [False]
        server.start()
        assert alerts.deliver(encoded(alert(i) for i in range(250))) == 250
        assert states == [False, True]


def test_counts_only_what_is_not_delivered(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """What an earlier script call of the batch told is not among the undelivered; of these nothing is told by half."""
    client = redis_any.client()
    client.set(redis_names.alerts_of("broken"), "no stream")
    batch = encoded([*(alert(i) for i in range(CHUNK)), alert(CHUNK, regions=("broken",)), alert(CHUNK + 1)])
    with sink(redis_any, redis_names) as alerts:
        with pytest.raises(Undelivered, match="alerts:broken should be a stream and is a string") as failed:
            alerts.deliver(batch)
        assert failed.value.count == 2
        assert stream(redis_any, redis_names.alerts) == told(batch[:CHUNK])
        client.delete(redis_names.alerts_of("broken"))
        assert alerts.deliver(batch) == 2
    assert stream(redis_any, redis_names.alerts) == told(batch)
    assert stream(redis_any, redis_names.alerts_of("broken")) == told(batch[CHUNK : CHUNK + 1])
    client.close()


def test_stops_waiting_when_told_to(redis_names: RedisNames) -> None:
    """An end that was asked for does not wait for a Redis that is away."""
    stop = threading.Event()
    stop.set()
    nowhere = connect("redis://127.0.0.1:1/0")
    alerts = RedisAlerts(nowhere, redis_names, 30, "p", stop=stop)
    with pytest.raises(Undelivered, match=r"^1 alerts could not be delivered to Redis at 127\.0\.0\.1:1: "):
        alerts.deliver(encoded([alert(1)]))


@EACH_BINARY
def test_a_full_server_is_waited_for(binary: Callable[[], Path | None], start_redis: StartRedis) -> None:
    """Out of memory: nothing is half told, and all of it is when there is room again."""
    server = start_redis(binary)
    names = RedisNames()
    client = server.client()
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(names.alerts)
    channel.get_message(timeout=5)
    client.config_set("maxmemory", "1")
    states: list[str] = []

    def make_room(_up: bool, why: str) -> None:  # noqa: FBT001 - the form of `OnState`
        states.append(why)
        client.config_set("maxmemory", "0")

    with sink(server, names, on_state=make_room) as alerts:
        assert alerts.deliver(encoded([alert(1)])) == 1
    assert "maxmemory" in states[0]
    assert len(stream(server, names.alerts)) == 1
    assert channel.get_message(timeout=1)["data"] == encoded([alert(1)])[0][1]
    assert channel.get_message(timeout=0.2) is None


@EACH_BINARY
def test_a_failover_is_waited_for(binary: Callable[[], Path | None], start_redis: StartRedis) -> None:
    """A server that became a replica refuses writes until it is a primary again."""
    server = start_redis(binary)
    names = RedisNames()
    client = server.client()
    client.replicaof("127.0.0.1", 1)
    states: list[str] = []

    def promote(up: bool, why: str) -> None:  # noqa: FBT001 - the form of `OnState`
        states.append(why)
        if not up:
            client.replicaof("NO", "ONE")

    with sink(server, names, on_state=promote) as alerts:
        assert alerts.deliver(encoded([alert(1)])) == 1
    assert "replica" in states[0]
    assert len(stream(server, names.alerts)) == 1


def test_a_wrong_password_is_said_at_once(start_redis: StartRedis) -> None:
    """Waiting does not mend it, and the sentence does not tell the password."""
    server = start_redis()
    admin = server.client()
    admin.config_set("requirepass", "right")
    alerts = RedisAlerts(f"redis://:wrong@127.0.0.1:{server.port}/0", RedisNames(), 30, "p", give_up_after_s=600)
    with pytest.raises(Undelivered) as failed:
        alerts.deliver(encoded([alert(1)]))
    assert "wrong@" not in str(failed.value)
    assert failed.value.count == 1


def test_a_forbidden_channel_leaves_the_rest_whole(redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """Rules of the server that forget the channels: stream and hash are told all the same."""
    client = redis_server.client()
    client.acl_setuser("writer", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"], reset_channels=True)
    alerts = RedisAlerts(f"redis://writer:secret@127.0.0.1:{redis_server.port}/0", redis_names, 30, "p")
    batch = encoded(alert(i) for i in range(3))
    assert alerts.deliver(batch) == 3
    alerts.close()
    client.acl_deluser("writer")
    client.close()
    assert stream(redis_server, redis_names.alerts) == told(batch)
    assert len(held(redis_server, redis_names.open_of("north"))) == 3


def test_works_in_a_cluster(start_redis: StartRedis) -> None:
    """With a prefix in braces all names of a step are in one slot."""
    server = start_redis(cluster_enabled="yes")
    node = server.client()
    node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    while b"cluster_state:ok" not in node.execute_command("CLUSTER", "INFO"):
        time.sleep(0.05)
    names = RedisNames(CLUSTER_PREFIX)
    cluster = RedisCluster(host="127.0.0.1", port=server.port)
    batch = encoded(alert(i) for i in range(5))
    alerts = RedisAlerts(cluster, names, 30, "p")
    assert alerts.deliver(batch) == 5
    assert alerts.deliver(batch) == 0
    alerts.tidy()
    assert stream(server, names.alerts_of("west")) == told(batch)
    cluster.close()
