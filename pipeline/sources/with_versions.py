"""Registry versions in line with the records of a live source: each takes effect between two reads, at the lane's clock.

After a crash those that took effect behind the saved position come again, each behind the same entries and at the same instant.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline.episodes import SUBJECTS_A_PART
from pipeline.items import Chunk, Mark, RegistryMark, RegistryPart
from pipeline.keeper.kept import KeptRegistries, Taken
from pipeline.keeper.messages import Loaded
from pipeline.sources.redis_streams import Position, RedisStreams

PART_TAKES_S = 0.02
"""About so long takes a part of a change, with what is read and judged beside it."""


@dataclass(frozen=True, slots=True)
class VersionedPosition:
    """Where a later run goes on: in the streams, and under which of the kept registries."""

    streams: Position
    version: int


class StreamsWithVersions:
    """Reads streams, and puts each registry that comes in line."""

    def __init__(
        self,
        open_streams: Callable[[Position | None], RedisStreams],
        coming: deque[Loaded],
        kept: KeptRegistries,
        position: VersionedPosition | None,
        epoch_s: float,
    ) -> None:
        """`coming`: registries that wait to take effect, in their order; `kept`: where that is written down.

        `epoch_s`: how long after a save comes the next one. A state is saved under one version; a change that would not have
        reached everybody by then begins behind the save.
        """
        self._streams = open_streams(None if position is None else position.streams)
        self._coming, self._kept = coming, kept
        self._version = 0 if position is None else position.version
        self._epoch_s, self._saved_at = epoch_s, time.monotonic()
        self._parts = 0
        self._again = dict(kept.since(self._version))
        self._stop_before_next()

    def next_items(self) -> list[Chunk | Mark]:
        """What the streams hold now, behind a version that takes effect, or a part of one."""
        first: list[Chunk | Mark] = []
        if self._parts:
            self._parts -= 1
            first.append(RegistryPart())
        elif self._coming:
            first += self._next_version(self._coming[0])
        return [*first, *self._streams.next_items()]

    def _next_version(self, loaded: Loaded) -> list[Chunk | Mark]:
        again = self._again.get(loaded.number)
        if again is not None and not self._streams.has_stopped:
            return []
        parts = self._parts_of(loaded)
        takes_s = min(parts * PART_TAKES_S, self._epoch_s / 2)
        if again is None and parts and time.monotonic() - self._saved_at + takes_s > self._epoch_s:
            return []
        self._coming.popleft()
        if again is None:
            time_ms = self._streams.clock_ms()
            self._kept.mark(loaded.number, Taken(time_ms, self._streams.position().last_ids))
        else:
            time_ms = again.time_ms
        self._version, self._parts = loaded.number, parts
        self._stop_before_next()
        fence_set = loaded.rules.fence_set
        return [RegistryMark(fence_set, time_ms, loaded.rules, loaded.differs, in_parts=True)]

    def _stop_before_next(self) -> None:
        """What is known to stand behind the next version is not read before it takes effect."""
        following = self._again.get(self._version + 1)
        self._streams.stop_at(None if following is None else following.position)

    @staticmethod
    def _parts_of(loaded: Loaded) -> int:
        """How many parts come behind the first."""
        concerned = None if loaded.differs is None else loaded.differs.concerned
        subjects = len(loaded.rules.fence_set.registry.subject_ids) if concerned is None else len(concerned)
        return max(0, -(-subjects // SUBJECTS_A_PART) - 1)

    def next_awake(self) -> datetime | None:
        """When to look again; at once while a version has parts to come."""
        return None if self._parts else self._streams.next_awake()

    def position(self) -> VersionedPosition:
        """Where a later run goes on; asked for at each save."""
        self._saved_at = time.monotonic()
        return VersionedPosition(self._streams.position(), self._version)

    def close(self) -> None:
        """Close the connections."""
        self._streams.close()
