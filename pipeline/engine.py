"""The Bytewax adapters: a source, a shard and a sink as Bytewax wants them, thin.

Beside this file only `flow` (the picture), `runner` (which starts and stops it) and `state_folder` (its recovery store) know
Bytewax.

A stop is asked for by an event: the source then ends as at the end of its input, the epoch closes, and position and state are
saved together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from fences.problems import FencewatchError
from pipeline.episodes import Shard
from pipeline.items import Chunk, JudgedBatch, Mark, Outgoing
from pipeline.runner import Run


class Reader(Protocol):
    """What reads records: gives items, says when to ask again and from where a later run would go on."""

    def next_items(self) -> list[Chunk | Mark]:
        """What there is now; raises StopIteration at the end of a recorded input."""

    def next_awake(self) -> datetime | None:
        """When to ask again; None: at once."""

    def position(self) -> Any:  # noqa: ANN401 - each reader's or shard's own
        """Where a later run goes on; pickled."""

    def close(self) -> None:
        """Let go of files and connections."""


class _Partition(StatefulSourcePartition[Chunk | Mark, Any]):
    def __init__(self, reader: Reader, run: Run) -> None:
        self._reader = reader
        self._run = run
        self._next_items = run.guard(reader.next_items)

    def next_batch(self) -> Iterable[Chunk | Mark]:
        if self._run.stop.is_set():
            raise StopIteration
        try:
            return self._next_items()
        except FencewatchError:
            # An input that cannot be read further: what came before is judged, delivered and saved, then the run fails.
            raise StopIteration from None

    def next_awake(self) -> datetime | None:
        return None if self._run.stop.is_set() else self._reader.next_awake()

    def snapshot(self) -> Any:  # noqa: ANN401 - each reader's or shard's own
        return self._reader.position()

    def close(self) -> None:
        self._reader.close()


class Source(FixedPartitionedSource[Chunk | Mark, Any]):
    """One partition for all that a lane reads: Bytewax 0.21 lets several drift apart, and one keeps their order."""

    def __init__(self, open_reader: Callable[[Any], Reader], run: Run) -> None:
        """`open_reader(position)` opens the input at a position, None for its beginning."""
        self._open = run.guard(open_reader)
        self._run = run

    def list_parts(self) -> list[str]:
        """The one partition."""
        return ["input"]

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> _Partition:  # noqa: ANN401, ARG002 - the form of Bytewax
        """Open the input where the last run ended."""
        try:
            return _Partition(self._open(resume_state), self._run)
        except FencewatchError:
            return _Partition(_NothingToRead(resume_state), self._run)


class ShardLogic(StatefulBatchLogic[JudgedBatch | Mark, Outgoing, Any]):
    """A shard of episodes as Bytewax keeps it."""

    def __init__(self, shard: Shard, run: Run, *, saved: bool) -> None:
        """`saved`: whether anything keeps snapshots; without, they are not made."""
        self._shard = shard
        self._take = run.guard(shard.take)
        self._saved = saved

    def on_batch(self, values: list[JudgedBatch | Mark]) -> tuple[list[Outgoing], bool]:
        """Take the items in order; the shard is never discarded."""
        return [self._take(item) for item in values], StatefulBatchLogic.RETAIN

    def snapshot(self) -> Any:  # noqa: ANN401 - each reader's or shard's own
        """The shard's state as bytes."""
        return self._shard.snapshot() if self._saved else None


class Deliverer(Protocol):
    """What delivers: all sinks of a run behind one face."""

    def deliver(self, items: list[Outgoing]) -> None:
        """Deliver in order, or raise; what is not out yet must be before `saved` returns."""

    def saved(self) -> None:
        """Called at each snapshot, when all that was delivered is behind."""

    def close(self) -> None:
        """Let go of files and connections."""


class _SinkPartition(StatefulSinkPartition[Outgoing, int]):
    def __init__(self, deliverer: Deliverer, run: Run) -> None:
        self._deliverer = deliverer
        self._run = run
        self._deliver = run.guard(deliverer.deliver)

    def write_batch(self, items: list[Outgoing]) -> None:
        try:
            self._deliver(items)
        except FencewatchError as error:
            self._run.hold(error)

    def snapshot(self) -> int:
        try:
            self._deliverer.saved()
        except FencewatchError as error:
            self._run.hold(error)
        return 0

    def close(self) -> None:
        try:
            self._deliverer.close()
        except FencewatchError as error:
            self._run.hold(error)


class Sink(FixedPartitionedSink[Outgoing, int]):
    """One partition, in the commit path: an epoch is saved only when its alerts are delivered."""

    def __init__(self, open_deliverer: Callable[[], Deliverer], run: Run) -> None:
        """`open_deliverer()` opens the sinks."""
        self._open = open_deliverer
        self._run = run

    def list_parts(self) -> list[str]:
        """The one partition."""
        return ["alerts"]

    def part_fn(self, item_key: str) -> int:  # noqa: ARG002 - the form of Bytewax
        """All to the one."""
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _SinkPartition:  # noqa: ARG002 - the form of Bytewax
        """Open the sinks."""
        return _SinkPartition(self._open(), self._run)


class _NothingToRead:
    """The reader of an input that could not be opened: it is at its end, and a later run begins where this one would have."""

    def __init__(self, position: Any) -> None:  # noqa: ANN401 - each reader's own
        self._position = position

    def next_items(self) -> list[Chunk | Mark]:
        """The end."""
        raise StopIteration

    def next_awake(self) -> datetime | None:
        """At once."""
        return None

    def position(self) -> Any:  # noqa: ANN401 - each reader's own
        """Where it was to begin."""
        return self._position

    def close(self) -> None:
        """Nothing is open."""
