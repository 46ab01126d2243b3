"""Alerts to a Redis that dies, hangs, is full, refuses, fails over or is a cluster: each is told once, or it is said why not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from redis import RedisCluster

from sinks.redis_alerts import CHUNK, RedisAlerts
from sinks.redis_connection import connect
from sinks.redis_names import CLUSTER_PREFIX, RedisNames
from sinks.redis_patience import Undelivered
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess, free_port, newest, oldest
from tests.sinks.alert_examples import alert, encoded
from tests.sinks.told_in_redis import held, sink, stream, told

EACH_BINARY = pytest.mark.parametrize("binary", [newest, oldest])


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


def test_a_server_killed_between_its_file_and_its_channels(start_redis: StartRedis) -> None:
    """The alerts are in its file and nobody was woken: a second try publishes them; once more, and nothing happens."""
    server = start_redis(appendonly="yes", appendfsync="always")
    names, batch = RedisNames(), encoded(alert(i) for i in range(5))
    alerts = RedisAlerts(server.client(), names, 30, "p")
    alerts.deliver(batch)
    server.kill()
    server.start()
    listener = server.client(60)
    channel = listener.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(names.alerts)
    channel.get_message(timeout=5)
    keys, values = alerts._arguments(batch)
    alerts._under_way = values  # as if the call had been sent and its reply were lost
    for _ in range(2):
        assert alerts._run(keys, values) == 0
        alerts._under_way = values
    heard = []
    while message := channel.get_message(timeout=0.5):
        heard.append(message["data"])
    assert heard == [event for _, event in batch]
    assert stream(server, names.alerts) == told(batch)


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
    server = start_redis(cluster_enabled="yes", cluster_port=str(free_port()))
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
