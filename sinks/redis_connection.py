"""One way to connect to Redis: no hidden resending, short timeouts, and a place that can be named without its password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 5.0


def connect(url: str, *, password_file: Path | None = None, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client for `url` that answers in bytes; it connects at its first command.

    `password_file` holds the password alone (a final line end is dropped) and wins over one in the URL. A command that blocks
    must wait less than `timeout_s`, else the client takes the silence for a dead connection. Raises ValueError for a URL of no
    known form and OSError for a password file that cannot be read.
    """
    # redis-py would send a write again after a lost reply, up to ten times: who repeats must know what he repeats.
    settings: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        # One shape of replies whatever the server offers.
        "protocol": 2,
    }
    client = Redis.from_url(url, **settings)
    if password_file is not None:
        client.connection_pool.connection_kwargs["password"] = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    return client


def place_of(client: Any) -> str:  # noqa: ANN401 - a cluster's client is none of redis-py's Redis
    """Where a client goes, for messages: host and port or socket path, never a password."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return "the Redis cluster"
    settings = pool.connection_kwargs
    return str(settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}")
