"""Entries that a stream dropped before they were read: trimmed while nobody read it, or faster than it was read.

A server from Redis 7 on, or Valkey, counts the entries ever added to a stream; those that it no longer holds were deleted. What was
deleted beyond what we have seen is lost. Entries deleted out of the middle are not told from older ones: it is at least so many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError

from pipeline.stream_ids import order_of

log = structlog.get_logger()

BEGINNING = b"0-0"
CHECK_EVERY_S = 60.0
"""Besides the first read: the answer carries the stream's first and last entry, which may be large."""
NEVER_ADDED = {"entries-added": 0, "length": 0}


@dataclass(slots=True)
class Seen:
    """How many entries of a stream were ever added up to the last one read; None: not known."""

    entries: int | None = None

    def read(self, entries: int) -> None:
        """Some more were read."""
        if self.entries is not None:
            self.entries += entries

    def lost(self, info: Mapping[str, Any], *, from_the_beginning: bool) -> int:
        """How many entries were deleted unread since the last look; they count as seen from now on.

        `info`: `XINFO STREAM` as redis-py gives it; `from_the_beginning`: nothing was read of the stream yet, nor before this run.
        """
        if "entries-added" not in info:
            return 0
        deleted = int(info["entries-added"]) - int(info["length"])
        if self.entries is None:
            self.entries = deleted if from_the_beginning else None
            return 0
        if int(info["entries-added"]) < self.entries:
            # Another stream under the same name.
            self.entries = deleted
        lost = max(0, deleted - self.entries)
        self.entries += lost
        return lost

    def caught_up(self, info: Mapping[str, Any]) -> None:
        """A read right after `info` found nothing more: all that was ever added is seen."""
        if "entries-added" in info:
            self.entries = int(info["entries-added"])


def look(seen: Seen, reply: object, *, stream: str, last_id: bytes, first: bool, empty: bool) -> int:
    """How many entries of a stream were deleted unread since the last look; what is found is logged.

    `reply`: what `XINFO STREAM` answered, perhaps an error; `last_id`: the last entry read; `first`: whether this is the first look
    of a run; `empty`: whether a read right after it found nothing.
    """
    info = _info_of(reply)
    lost = seen.lost(info, from_the_beginning=last_id == BEGINNING)
    if lost:
        log.warning("entries were deleted before they were read", stream=stream, entries=lost, last_read=last_id.decode())
    elif first and last_id != BEGINNING and _may_have_lost(info, last_id):
        what = "entries may have been deleted before they were read; this server does not count them"
        log.warning(what, stream=stream, last_read=last_id.decode())
    if empty:
        seen.caught_up(info)
    return lost


def _may_have_lost(info: Mapping[str, Any], last_id: bytes) -> bool:
    """Whether a server that does not count them holds nothing any more up to the last entry read."""
    first = info.get("first-entry")
    return "entries-added" not in info and first is not None and order_of(first[0]) > order_of(last_id)


def _info_of(reply: object) -> Mapping[str, Any]:
    """Of a stream that is not there nothing was ever added; of one that may not be asked nothing is known."""
    if isinstance(reply, RedisError):
        return NEVER_ADDED if "no such key" in str(reply) else {}
    return reply if isinstance(reply, Mapping) else {}
