"""The sources that a configuration names, as servers to read from."""

from __future__ import annotations

from pipeline.configuration import Configuration
from pipeline.sources.redis_streams import Server
from sinks.redis_connection import connect


def servers_of(configuration: Configuration, url: str) -> list[Server]:
    """A server for each URL with its streams; `url` is the one of the alerts, for sources that name none."""
    by_url: dict[str | None, list[tuple[str, str]]] = {}
    for source in configuration.sources:
        by_url.setdefault(source.url, []).extend((source.name, stream) for stream in source.streams)
    password_file = configuration.redis.password_file
    return [
        Server(connect(other or url, password_file=password_file if other is None else None), streams)
        for other, streams in by_url.items()
    ]
