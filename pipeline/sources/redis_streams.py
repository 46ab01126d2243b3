"""Redis Streams as a live source: read from stored ids, many streams at once, with clock marks in line.

No consumer group: the position is part of the snapshot, so what was read but not judged before a crash is read again. Every stream
is a partition of its own; its mark is the wall clock when it was just found empty, else the stamp of the last entry read. A server
that could not be read for `feed_silent_after_s` leaves the lane's clock, which goes on without its streams.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
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
from operators.decode.stamps import stamp_of
from pipeline.items import Chunk, ClockMark, Mark
from pipeline.sources.gaps import Entry, up_to_gaps
from pipeline.sources.lost import BEGINNING, CHECK_EVERY_S, Seen, look
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
PAYLOAD = b"payload"


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
    seen: Seen = field(default_factory=Seen)

    def wanted(self) -> int:
        """How many entries to ask for. After few come not suddenly many: what they hold is not known yet, and may be gigabytes."""
        return max(1, min(int(FIXES_A_READ / self.fixes_an_entry), GROWTH * self.entries + FIRST_ENTRIES))


@dataclass(slots=True)
class Server:
    """A Redis server to read from, and its streams (source name, stream); all streams of a source are on one server.

    `away_since`: when it was first tried in vain (of `time.monotonic`), None while it can be read; `next_try`: not to be tried
    before.
    """

    client: Any
    streams: list[tuple[str, str]]
    partitions: list[_Partition] = field(default_factory=list)
    away_since: float | None = None
    next_try: float = 0.0
    checked_at: float = -math.inf
    """When it was last asked what it had deleted (of `time.monotonic`)."""


class SourceError(FencewatchError):
    """A stream that cannot be read, and waiting will not mend it."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a later run goes on: the id of the last entry read, and the mark of each stream that has one, by source and stream.

    `seen`: of streams of which it is known, how many entries were ever added up to that one.
    """

    last_ids: dict[tuple[str, str], bytes]
    marks_ms: dict[tuple[str, str], int]
    seen: dict[tuple[str, str], int] = field(default_factory=dict)


class RedisStreams:
    """Reads the streams of some servers."""

    def __init__(
        self,
        servers: list[Server],
        clock: WallClock,
        position: Position | None,
        on_away: Callable[[bool], None],
        feed_silent_after_ms: Callable[[], float] = lambda: math.inf,
        on_lost: Callable[[str, int], None] = lambda _source, _entries: None,
    ) -> None:
        """`position` as `position()` gave it, None for the beginning; `on_away(True)` is called when a server cannot be read.

        `feed_silent_after_ms()`: the policy's `feed_silent_after_s` in force, in milliseconds of `clock`.
        `on_lost(source, entries)` is called when so many entries were deleted before they were read.
        """
        self._servers = servers
        self._feed_silent_after_ms = feed_silent_after_ms
        self._clock = clock
        self._on_away = on_away
        self._on_lost = on_lost
        self._idle_until: datetime | None = None
        self._away = False
        self._failure: SourceError | None = None
        """Raised at the next call: what the other servers gave in this one must not be lost, for their positions are behind it."""
        self._asked_ms = 0
        self._wall_marked_at = -math.inf
        self._up_to: dict[tuple[str, str], bytes] | None = None
        self._reached: set[tuple[str, str]] = set()
        kept = position or Position({}, {})
        for server in servers:
            server.client.set_response_callback("XREAD", lambda reply, **_: reply)
            server.partitions = [
                _Partition(*key, kept.last_ids.get(key, BEGINNING), mark_ms=kept.marks_ms.get(key), seen=Seen(kept.seen.get(key)))
                for key in server.streams
            ]

    def next_items(self) -> list[Chunk | Mark]:
        """What the streams hold now, and the marks behind it; empty while all are quiet."""
        if self._failure is not None:
            raise self._failure
        items: list[Chunk | Mark] = []
        for server in self._servers:
            if time.monotonic() < server.next_try:
                continue
            try:
                items += self._read(server)
            except RedisError as error:
                if not passes(error):
                    self._failure = SourceError(f"{place_of(server.client)}: {str(error).rstrip('.')}.")
                    continue
                now = time.monotonic()
                if server.away_since is None:
                    server.away_since = now
                    log.warning("redis cannot be read; trying on", place=place_of(server.client), error=str(error))
                # Tried again only after a while: what the others give must not wait for it.
                server.next_try = now + AWAY_S
        if all(self._has_left(server) for server in self._servers):
            items += self._wall_mark()
        away = any(server.away_since is not None for server in self._servers)
        if away != self._away:
            self._away = away
            self._on_away(away)
            if not away:
                log.info("redis can be read again")
        busy = any(isinstance(item, Chunk) for item in items)
        wait = 0.0 if busy else AWAY_S if all(server.away_since is not None for server in self._servers) else IDLE_S
        self._idle_until = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
        return items

    def next_awake(self) -> datetime | None:
        """When to look again."""
        return self._idle_until

    def position(self) -> Position:
        """Last id, mark and number of entries by source and stream."""
        partitions = {(p.source, p.stream): p for server in self._servers for p in server.partitions}
        marks_ms = {key: p.mark_ms for key, p in partitions.items() if p.mark_ms is not None}
        seen = {key: p.seen.entries for key, p in partitions.items() if p.seen.entries is not None}
        return Position({key: p.last_id for key, p in partitions.items()}, marks_ms, seen)

    def clock_ms(self) -> int:
        """The lane's clock: the least mark of the streams that have given one; where none has, nothing was read yet: the wall's."""
        marks = [p.mark_ms for server in self._servers if not self._has_left(server) for p in server.partitions]
        return min((mark for mark in marks if mark is not None), default=self._clock.now_ms())

    def stop_at(self, last_ids: dict[tuple[str, str], bytes] | None) -> None:
        """Read no further than these entries, by source and stream (None: on and on)."""
        self._up_to, self._reached = last_ids, set()

    @property
    def has_stopped(self) -> bool:
        """Whether every stream was read up to where `stop_at` said."""
        there = [server for server in self._servers if not self._has_left(server)]
        return self._up_to is not None and all(key in self._reached for server in there for key in server.streams)

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.client.close()

    def _read(self, server: Server) -> list[Chunk | Mark]:
        # The clock is read before the streams are: an entry that comes meanwhile must not lie behind the mark.
        self._asked_ms = self._clock.now_ms()
        pipe = server.client.pipeline(transaction=False)
        checks = time.monotonic() - server.checked_at >= CHECK_EVERY_S
        for partition in server.partitions if checks else ():
            pipe.xinfo_stream(partition.stream)
        for partition in server.partitions:
            pipe.execute_command("XREAD", "COUNT", partition.wanted(), "STREAMS", partition.stream, partition.last_id)
        replies = pipe.execute(raise_on_error=False)
        infos, replies = (replies[: -len(server.partitions)], replies[-len(server.partitions) :]) if checks else ([], replies)
        for partition, reply in zip(server.partitions, replies, strict=True):
            # Before any position moves: what has been read beside it is read again.
            if isinstance(reply, RedisError):
                reply.args = (f"the stream {partition.stream} cannot be read: {reply}",)
                raise reply
        server.away_since = None
        if checks:
            self._check(server, infos, replies)
        found: list[list[Entry]] = [reply[0][1] if reply else [] for reply in replies]
        if self._up_to is not None:
            found = [self._before_stop(partition, entries) for partition, entries in zip(server.partitions, found, strict=True)]
        items: list[Chunk | Mark] = []
        for partition, entries, (count, gap_ms) in zip(server.partitions, found, self._up_to_gaps(server, found), strict=True):
            partition.entries = len(entries) if count else 0
            partition.seen.read(count)
            if gap_ms is not None:
                until_ms = self._clock.at(gap_ms) - 1
                items.append(self._mark_of(partition, until_ms, ((partition.source, until_ms),)))
            if count:
                items += self._chunks(partition, entries[:count])
            # One that waits behind a gap was not found empty: the wall clock is not its mark.
            empty = not entries and self._up_to is None
            if (count or empty) and time.monotonic() - partition.marked_at >= MARK_EVERY_S:
                partition.marked_at = time.monotonic()
                items.append(self._mark_of(partition, self._clock.at(stamp_of(partition.last_id)) if count else self._asked_ms))
        return items

    def _check(self, server: Server, infos: list[Any], replies: list[Any]) -> None:
        """Whether entries were deleted before they were read: `XINFO STREAM` of each stream, asked just before it was read."""
        first = server.checked_at == -math.inf
        server.checked_at = time.monotonic()
        for p, info, reply in zip(server.partitions, infos, replies, strict=True):
            lost = look(p.seen, info, stream=p.stream, last_id=p.last_id, first=first, empty=not reply)
            if lost:
                self._on_lost(p.source, lost)

    def _before_stop(self, partition: _Partition, entries: list[Entry]) -> list[Entry]:
        """Those of some entries that do not stand behind the stop; a stream that has none has reached it."""
        key = (partition.source, partition.stream)
        last = order_of((self._up_to or {}).get(key, partition.last_id))
        some = entries[: bisect_right(entries, last, key=lambda entry: order_of(entry[0]))]
        if not some:
            self._reached.add(key)
        return some

    def _up_to_gaps(self, server: Server, found: list[list[Entry]]) -> list[tuple[int, int | None]]:
        """See `gaps.up_to_gaps`, source by source."""
        after_ms = self._feed_silent_after_ms() / self._clock.speed
        out: dict[int, tuple[int, int | None]] = {}
        for source in dict.fromkeys(partition.source for partition in server.partitions):
            own = [k for k, partition in enumerate(server.partitions) if partition.source == source]
            last_ms = [_stamp_or_none(server.partitions[k].last_id) for k in own]
            out.update(zip(own, up_to_gaps(last_ms, [found[k] for k in own], after_ms), strict=True))
        return [out[k] for k in range(len(found))]

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

    def _mark_of(self, partition: _Partition, time_ms: int, feeds: tuple[tuple[str, int], ...] = ()) -> ClockMark:
        partition.mark_ms = time_ms if partition.mark_ms is None else max(time_ms, partition.mark_ms)
        there = [server for server in self._servers if not self._has_left(server)]
        least_ms = _least(there)
        own_ms = _least(there, partition.source)
        if not feeds and own_ms is not None:
            feeds = ((partition.source, own_ms),)
        if least_ms is not None:
            feeds += tuple((source, least_ms) for source in self._sources_that_left())
        return ClockMark(f"{partition.source}/{partition.stream}", partition.mark_ms, least_ms, feeds)

    def _has_left(self, server: Server) -> bool:
        """Whether the lane's clock goes on without a server's streams: it was tried in vain for `feed_silent_after_s`."""
        if server.away_since is None:
            return False
        return (time.monotonic() - server.away_since) * 1000 * self._clock.speed > self._feed_silent_after_ms()

    def _sources_that_left(self) -> list[str]:
        left = (partition.source for server in self._servers if self._has_left(server) for partition in server.partitions)
        return list(dict.fromkeys(left))

    def _wall_mark(self) -> list[Chunk | Mark]:
        """Where no stream can be read the wall clock is the lane's: nothing is known to wait that it could overtake."""
        if time.monotonic() - self._wall_marked_at < MARK_EVERY_S:
            return []
        self._wall_marked_at = time.monotonic()
        now_ms = self._clock.now_ms()
        return [ClockMark(None, now_ms, now_ms, tuple((source, now_ms) for source in self._sources_that_left()))]


def _least(servers: list[Server], source: str | None = None) -> int | None:
    """The least mark over the streams of some servers (of one source, where it is named), None until each has given one."""
    marks = [partition.mark_ms for server in servers for partition in server.partitions if source in (None, partition.source)]
    given = [mark for mark in marks if mark is not None]
    return min(given) if given and len(given) == len(marks) else None


def _stamp_or_none(entry_id: bytes) -> int | None:
    """The time of the last id read; None where none was."""
    return None if entry_id == BEGINNING else stamp_of(entry_id)


def _is_packed(entry: Entry) -> bool:
    """Whether an entry has the one field `payload`."""
    fields = entry[1]
    return len(fields) == 2 and fields[0] == PAYLOAD
