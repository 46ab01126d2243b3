"""What flows through the dataflow: chunks of records as read, marks of the clock, judged batches, and what goes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fences.difference import Difference
    from fences.fence_set import FenceSet
    from operators.acceptance import Accepted
    from operators.alert import Alert
    from operators.feeds import Heard
    from operators.fix_batch import FixBatch
    from operators.judge import Verdicts
    from pipeline.judging import RuleSet


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records as a source read them; `decode` makes columns of them.

    `source` is named in dead letters (file or stream), `feed` in metrics (the configured source).
    """

    source: str
    decode: Callable[[], FixBatch]
    live: bool = False
    feed: str = ""


@dataclass(frozen=True, slots=True)
class ClockMark:
    """The clock of a source partition, in line with its records: the partition's name and UTC milliseconds.

    `least_ms`: the least mark over the partitions of the lane, which is its clock; None until each has given one. Partitions that
    could not be read for long are left out. `feeds`: clocks of sources (name, UTC milliseconds): the least mark over the partitions
    of each. Where all partitions are left out, the wall clock is the lane's, and its mark is of no partition (None).
    """

    partition: str | None
    time_ms: int
    least_ms: int | None = None
    feeds: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RegistryMark:
    """A new registry version takes effect here, at an instant (UTC milliseconds): a mark in line with the records.

    `rules`, live: what records behind it are judged by. `differs`: how it differs from the version before (None: to be found out).
    `in_parts`: those whom it concerns may get their part in the marks `RegistryPart` that follow, with records in between.
    """

    fence_set: FenceSet
    time_ms: int
    rules: RuleSet | None = None
    differs: Difference | None = None
    in_parts: bool = False


@dataclass(frozen=True, slots=True)
class RegistryPart:
    """The new registry version takes effect for some more of those whom it concerns."""


@dataclass(frozen=True, slots=True)
class Until:
    """The end of a replay's clock: what is due up to and including this instant comes now."""

    time_ms: int


Mark = ClockMark | RegistryMark | RegistryPart | Until


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """One shard's part of a judged batch: `rows` int64 are its rows of the columns; `subject` int32 is -1 of rejected ones.

    The first shard also carries what is counted once: how many `records` there are, rejects by reason, ignored fields, dead
    letters. `heard`, live only: what the records, rejected ones included, say of their source, which is `feed`.
    """

    fence_set: FenceSet
    fixes: Accepted
    subject: NDArray[np.int32]
    verdicts: Verdicts
    rows: NDArray[np.int64]
    records: int
    rejected: NDArray[np.int64] | None = None
    ignored: NDArray[np.int64] | None = None
    dead_letters: tuple[bytes, ...] = ()
    feed: str = ""
    heard: Heard | None = None


@dataclass(slots=True)
class Outgoing:
    """What a shard hands to the sinks: alerts in order, dead letters, clock marks that have gone by, versions now in force."""

    alerts: list[Alert] = field(default_factory=list)
    dead_letters: tuple[bytes, ...] = ()
    marks: list[ClockMark] = field(default_factory=list)
    versions: list[FenceSet] = field(default_factory=list)
