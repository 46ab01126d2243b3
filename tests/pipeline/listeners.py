"""Consumers of alerts as users write them: one that subscribes to the channel, and one that follows the stream."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import RedisError

from sinks.redis_names import RedisNames
from tests.pipeline.commands import LATEST_S, start
from tests.redis_process import RedisProcess


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; a wait without end is a failure."""
    end = time.monotonic() + LATEST_S
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.02)


def in_stream(server: RedisProcess, stream: str) -> list[dict[str, Any]]:
    """The alerts of a stream, in order."""
    client = server.client()
    try:
        return [orjson.loads(fields[b"event"]) for _, fields in client.xrange(stream)]
    finally:
        client.close()


class Subscriber:
    """Subscribes to a channel and, like every client library, again whenever the connection is lost."""

    def __init__(self, server: RedisProcess, channel: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.subscribed = threading.Event()
        self._server, self._channel = server, channel
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._end.is_set():
            client = Redis.from_url(self._server.url, socket_timeout=5)
            try:
                channel = client.pubsub()  # type: ignore[no-untyped-call]  # redis-py has no types for it
                channel.subscribe(self._channel)
                while not self._end.is_set():
                    message = channel.get_message(timeout=0.1)
                    if message is not None and message["type"] == "subscribe":
                        self.subscribed.set()
                    elif message is not None:
                        self.events.append(orjson.loads(message["data"]))
            except RedisError:
                time.sleep(0.05)
            finally:
                client.close()

    def end(self) -> None:
        """Listen no longer."""
        self._end.set()
        self._thread.join(10)


@contextmanager
def subscribed(server: RedisProcess, names: RedisNames) -> Iterator[Subscriber]:
    """A subscriber to all alerts, connected."""
    subscriber = Subscriber(server, names.alerts)
    try:
        until(subscriber.subscribed.is_set)
        yield subscriber
    finally:
        subscriber.end()


class Follower:
    """`fencewatch alerts tail`, from the start of the stream."""

    def __init__(self, server: RedisProcess, names: RedisNames) -> None:
        options = ("--redis", server.url, "--prefix", names.prefix, "--json", "--from-id", "0-0")
        self._process = start("alerts", "tail", *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(self._process.stdout)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has shown."""
        return [orjson.loads(line) for line in list(self.lines)]

    def end(self) -> None:
        """Ctrl-C."""
        self._process.terminate()
        self._process.communicate(timeout=20)


@contextmanager
def following(server: RedisProcess, names: RedisNames) -> Iterator[Follower]:
    """A follower of all alerts."""
    follower = Follower(server, names)
    try:
        yield follower
    finally:
        follower.end()
