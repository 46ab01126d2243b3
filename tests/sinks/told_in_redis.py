"""A sink of alerts for a test, and what a Redis then holds of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sinks.redis_alerts import RedisAlerts
from sinks.redis_names import RedisNames
from tests.redis_process import RedisProcess
from tests.sinks.alert_examples import Encoded


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
