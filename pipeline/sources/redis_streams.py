"""Redis Streams as a live source: read from stored ids, many streams at once, with clock marks in line.

No consumer group: the position is part of the snapshot, so what was read but not judged before a crash is read again. Every stream
is a partition of its own; its mark is the wall clock when it was just found empty, else the stamp of the last entry read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import structlog
from redis.exceptions import RedisError

from fences.problems import FencewatchError
from operators.decode.entries import decode_entries
from operators.decode.payload import decode_payloads
from pipeline.items import Chunk, ClockMark, Mark
from pipeline.stream_ids import order_of
from pipeline.wall_clock import WallClock
from sinks.redis_connection import place_of
from sinks.redis_patience import passes

log = structlog.get_logger()

FIXES_A_READ = 16_384
"""About so many records are asked for at once, whatever an entry holds."""
FIRST_ENTRIES = 16
GROWTH = 4
MARK_EVERY_S = 0.1
"""A partition sends at most ten marks a second."""
IDLE_S = 0.005
AWAY_S = 0.5
BEGINNING = b"0-0"
PAYLOAD = b"payload"
Entry = tuple[bytes, list[bytes]]


@dataclass(slots=True)
class _Partition:
    """One stream: the id of the last entry read, and what is known of its pace."""

    source: str
    stream: str
    last_id: bytes = BEGINNING
    marked_at: float = 0.0
    mark_ms: int | None = None
    fixes_an_entry: float = 1.0
    entries: int = 0

    def wanted(self) -> int:
        """How many entries to ask for. After few come not suddenly many: what they hold is not known yet, and may be gigabytes."""
        return max(1, min(int(FIXES_A_READ / self.fixes_an_entry), GROWTH * self.entries + FIRST_ENTRIES))


@dataclass(slots=True)
class Server:
    """A Redis server to read from, and its streams (source name, stream)."""

    client: Any
    streams: list[tuple[str, str]]
    partitions: list[_Partition] = field(default_factory=list)


class SourceError(FencewatchError):
    """A stream that cannot be read, and waiting will not mend it."""


class RedisStreams:
    """Reads the streams of some servers. Position: the last id of each stream."""

    def __init__(
        self,
        servers: list[Server],
        clock: WallClock,
        position: dict[tuple[str, str], bytes] | None,
        on_away: Callable[[bool], None],
    ) -> None:
        """`position` as `position()` gave it, None for the beginning; `on_away(True)` is called when a server cannot be read."""
        self._servers = servers
        self._clock = clock
        self._on_away = on_away
        self._idle_until: datetime | None = None
        self._away = False
        self._failure: SourceError | None = None
        """Raised at the next call: what the other servers gave in this one must not be lost, for their positions are behind it."""
        self._asked_ms = 0
        kept = position or {}
        for server in servers:
            server.client.set_response_callback("XREAD", lambda reply, **_: reply)
            server.partitions = [
                _Partition(source, stream, kept.get((source, stream), BEGINNING)) for source, stream in server.streams
            ]

    def next_items(self) -> list[Chunk | Mark]:
        """What the streams hold now, and the marks behind it; empty while all are quiet."""
        if self._failure is not None:
            raise self._failure
        items: list[Chunk | Mark] = []
        away = False
        for server in self._servers:
            try:
                items += self._read(server)
            except RedisError as error:
                if not passes(error):
                    self._failure = SourceError(f"{place_of(server.client)}: {str(error).rstrip('.')}.")
                    continue
                away = True
                if not self._away:
                    log.warning("redis cannot be read; trying on", error=str(error))
        if away != self._away:
            self._away = away
            self._on_away(away)
            if not away:
                log.info("redis can be read again")
        busy = any(isinstance(item, Chunk) for item in items)
        wait = AWAY_S if away else 0.0 if busy else IDLE_S
        self._idle_until = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
        return items

    def next_awake(self) -> datetime | None:
        """When to look again."""
        return self._idle_until

    def position(self) -> dict[tuple[str, str], bytes]:
        """Last id by source and stream."""
        return {(p.source, p.stream): p.last_id for server in self._servers for p in server.partitions}

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.client.close()

    def _read(self, server: Server) -> list[Chunk | Mark]:
        # The clock is read before the streams are: an entry that comes meanwhile must not lie behind the mark.
        self._asked_ms = self._clock.now_ms()
        pipe = server.client.pipeline(transaction=False)
        for partition in server.partitions:
            pipe.execute_command("XREAD", "COUNT", partition.wanted(), "STREAMS", partition.stream, partition.last_id)
        replies = pipe.execute(raise_on_error=False)
        for partition, reply in zip(server.partitions, replies, strict=True):
            # Before any position moves: what has been read beside it is read again.
            if isinstance(reply, RedisError):
                reply.args = (f"the stream {partition.stream} cannot be read: {reply}",)
                raise reply
        items: list[Chunk | Mark] = []
        for partition, reply in zip(server.partitions, replies, strict=True):
            entries: list[Entry] = reply[0][1] if reply else []
            partition.entries = len(entries)
            if entries:
                items += self._chunks(partition, entries)
            mark = self._mark(partition, entries)
            if mark is not None:
                items.append(mark)
        return items

    def _chunks(self, partition: _Partition, entries: list[Entry]) -> list[Chunk]:
        chunks = []
        for packed, group in groupby(entries, key=_is_packed):
            some = list(group)
            if packed:
                some_bytes = sum(len(fields[1]) for _, fields in some) / len(some)
                partition.fixes_an_entry = max(1.0, some_bytes / 64)
            else:
                partition.fixes_an_entry = 1.0
            ids = [entry_id for entry_id, _ in some]
            if packed:
                decode = partial(decode_payloads, ids, [fields[1] for _, fields in some], clock=self._clock.at)
            else:
                decode = partial(decode_entries, ids, [fields for _, fields in some], clock=self._clock.at)
            chunks.append(Chunk(partition.stream, decode, live=True, feed=partition.source))
        partition.last_id = entries[-1][0]
        return chunks

    def _mark(self, partition: _Partition, entries: list[Entry]) -> ClockMark | None:
        now = time.monotonic()
        if now - partition.marked_at < MARK_EVERY_S:
            return None
        partition.marked_at = now
        time_ms = self._clock.at(int(entries[-1][0].split(b"-")[0])) if entries else self._asked_ms
        partition.mark_ms = time_ms if partition.mark_ms is None else max(time_ms, partition.mark_ms)
        given = [p.mark_ms for server in self._servers for p in server.partitions if p.mark_ms is not None]
        least_ms = min(given) if len(given) == sum(len(server.partitions) for server in self._servers) else None
        return ClockMark(f"{partition.source}/{partition.stream}", partition.mark_ms, least_ms)


def _is_packed(entry: Entry) -> bool:
    """Whether an entry has the one field `payload`."""
    fields = entry[1]
    return len(fields) == 2 and fields[0] == PAYLOAD


def lost_entries(client: Any, stream: str, last_id: bytes) -> bool:  # noqa: ANN401 - a cluster's client is none of redis-py's Redis
    """Whether entries behind a stored id were deleted before they were read (Redis 7 or Valkey; older servers cannot tell)."""
    try:
        info = client.xinfo_stream(stream)
    except RedisError:
        return False
    deleted = info.get("max-deleted-entry-id", b"0-0")
    return last_id != BEGINNING and order_of(deleted) > order_of(last_id)
