"""A replay whose Redis dies under it: every alert is told once, or the run says how many were not and a rerun tells them."""

from __future__ import annotations

import contextlib
import queue
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.redis_names import RedisNames
from tests.pipeline.commands import LATEST_S, start, told
from tests.pipeline.listeners import following, in_stream, subscribed, until
from tests.pipeline.short_day import ShortDay
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess

NAMES = RedisNames("fencewatch:replay:")


@pytest.fixture
def redis(start_redis: StartRedis) -> RedisProcess:
    """A server that syncs each write and that a test may kill."""
    return start_redis(appendonly="yes", appendfsync="always")


class Fed:
    """A replay of standard input, to which the test gives lines when it likes; a replay that waits takes them later."""

    def __init__(self, world: ShortDay, *options: object) -> None:
        self.process = start(
            "replay",
            "-",
            "--registry",
            world.registry,
            "--batch",
            50,
            *options,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._lines = world.fixes().read_bytes().splitlines(keepends=True)
        self._given: queue.Queue[bytes] = queue.Queue()
        self._giving = threading.Thread(target=self._give, daemon=True)
        self._giving.start()

    def _give(self) -> None:
        assert self.process.stdin is not None
        # Where it has ended before it had all, the test sees how.
        with contextlib.suppress(BrokenPipeError), self.process.stdin as stream:
            while data := self._given.get():
                stream.write(data)
                stream.flush()

    def give(self, begin: float, end: float) -> None:
        """The lines between two shares of the whole."""
        count = len(self._lines)
        self._given.put(b"".join(self._lines[round(begin * count) : round(end * count)]))

    def ended(self) -> tuple[int, str]:
        """No more comes: how it ended, and what it said."""
        self._given.put(b"")
        assert self.process.stderr is not None
        said = self.process.stderr.read().decode()
        self._giving.join(10)
        return self.process.wait(LATEST_S), said


@pytest.fixture
def replays() -> Iterator[list[Fed]]:
    """Those started; what still runs when a test fails is ended."""
    started: list[Fed] = []
    yield started
    for fed in started:
        fed.process.kill()
        fed.ended()


def _ids(events: list[dict[str, object]]) -> list[object]:
    return [event["id"] for event in events]


def _in_forty_parts(fed: Fed) -> None:
    for k in range(40):
        fed.give(k / 40, (k + 1) / 40)
        time.sleep(0.08)


def test_redis_dies_and_comes_back(short_day: ShortDay, redis: RedisProcess, replays: list[Fed]) -> None:
    """Killed in the middle and back within 20 s: all alerts once, in the stream, to a subscriber and to a follower; exit 0."""
    with subscribed(redis, NAMES) as subscriber, following(redis, NAMES) as follower:
        fed = Fed(short_day, "--redis", redis.url)
        replays.append(fed)
        fed.give(0, 0.4)
        until(lambda: len(subscriber.events) > 5 and follower.events)
        redis.kill()
        subscriber.subscribed.clear()
        fed.give(0.4, 0.8)
        time.sleep(2)
        redis.start()
        until(subscriber.subscribed.is_set)
        fed.give(0.8, 1)
        code, said = fed.ended()
        assert code == 0, said
        events = in_stream(redis, NAMES.alerts)
        assert told(events) == short_day.alerts
        until(lambda: len(follower.events) >= len(events) and len(subscriber.events) >= len(events))
    assert _ids(follower.events) == _ids(events)
    assert _ids(subscriber.events) == _ids(events)


def test_redis_dies_again_and_again(short_day: ShortDay, redis: RedisProcess, replays: list[Fed]) -> None:
    """Wherever a kill falls, nothing is lost or told twice in the stream, to the follower, and nothing twice in the channel."""
    dice = random.Random(3)
    with subscribed(redis, NAMES) as subscriber, following(redis, NAMES) as follower:
        fed = Fed(short_day, "--redis", redis.url)
        replays.append(fed)
        feeding = threading.Thread(target=_in_forty_parts, args=(fed,))
        feeding.start()
        until(lambda: subscriber.events and follower.events)
        for _ in range(4):
            time.sleep(dice.uniform(0, 0.4))
            redis.kill()
            time.sleep(dice.uniform(0, 0.5))
            redis.start()
        feeding.join()
        code, said = fed.ended()
        assert code == 0, said
        events = in_stream(redis, NAMES.alerts)
        assert told(events) == short_day.alerts
        until(lambda: len(follower.events) >= len(events))
    assert _ids(follower.events) == _ids(events)
    assert len(set(_ids(subscriber.events))) == len(subscriber.events)


@pytest.mark.parametrize("saved_before", [False, True])
def test_redis_does_not_come_back(
    short_day: ShortDay, redis: RedisProcess, replays: list[Fed], tmp_path: Path, *, saved_before: bool
) -> None:
    """Exit 1 after the stated time, with one sentence that has the number undelivered; a rerun with the state tells the rest."""
    options = ("--redis", redis.url, "--state", tmp_path / "state", "--give-up-after-s", 1)
    begin = 0.0
    if saved_before:
        first = Fed(short_day, *options)
        replays.append(first)
        first.give(0, 0.5)
        until(lambda: in_stream(redis, NAMES.alerts))
        first.process.send_signal(signal.SIGTERM)
        code, said = first.ended()
        assert code == 0, said
        begin = 0.0  # The stream of standard input is given again from its beginning.
    fed = Fed(short_day, *options)
    replays.append(fed)
    fed.give(begin, 0.55)
    until(lambda: in_stream(redis, NAMES.alerts))
    redis.kill()
    fed.give(0.55, 1)
    code, said = fed.ended()
    assert code == 1
    sentence = [line for line in said.splitlines() if not line.startswith("{")]
    assert len(sentence) == 1, said
    assert re.fullmatch(
        r"fencewatch: \d+ alerts? could not be delivered to Redis at 127\.0\.0\.1:\d+ within 1 s: .*refused.*", sentence[0]
    )
    redis.start()
    again = Fed(short_day, *options)
    replays.append(again)
    again.give(0, 1)
    code, said = again.ended()
    assert code == 0, said
    assert told(in_stream(redis, NAMES.alerts)) == short_day.alerts


def test_a_stop_while_redis_is_away_does_not_wait(
    short_day: ShortDay, redis: RedisProcess, replays: list[Fed], tmp_path: Path
) -> None:
    """SIGTERM ends the waiting: exit 1 with the number undelivered, nothing counts as told that was not, a rerun tells it."""
    options = ("--redis", redis.url, "--state", tmp_path / "state", "--give-up-after-s", 600)
    fed = Fed(short_day, *options)
    replays.append(fed)
    fed.give(0, 0.4)
    until(lambda: in_stream(redis, NAMES.alerts))
    redis.kill()
    fed.give(0.4, 0.8)
    time.sleep(1)
    fed.process.send_signal(signal.SIGTERM)
    code, said = fed.ended()
    assert code == 1
    assert re.search(r"fencewatch: \d+ alerts? could not be delivered to Redis", said)
    assert "panicked" not in said
    assert "Traceback" not in said
    redis.start()
    again = Fed(short_day, *options)
    replays.append(again)
    again.give(0, 1)
    assert again.ended()[0] == 0
    assert told(in_stream(redis, NAMES.alerts)) == short_day.alerts
