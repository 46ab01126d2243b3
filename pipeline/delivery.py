"""All sinks of a run behind one face: alerts to Redis and files, dead letters, counts and metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fences.fence_set import FenceSet
from fences.problems import FencewatchError
from operators.alert import Alert
from pipeline.items import ClockMark, Outgoing
from pipeline.totals import Totals
from sinks.alert_files import AlertFile
from sinks.alert_json import encode_alert
from sinks.dead_letters import DeadLetterFile, DeadLetterStream
from sinks.metrics import Metrics
from sinks.redis_alerts import RedisAlerts


class UnwrittenError(FencewatchError):
    """A file that could be opened cannot be written any more: the disk is full, the pipe closed."""


@contextmanager
def _told_of(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwrittenError(f"{what} cannot be written: {error.strerror or error}.") from error


@dataclass(slots=True)
class Delivery:
    """Delivers in order: first to Redis, which may refuse and be tried again, then to files.

    `now_ms`: live only, the clock that the arrivals of fixes are told by (the demo's is not the wall's).
    """

    deployment: str
    totals: Totals
    redis: RedisAlerts | None = None
    file: AlertFile | None = None
    dead_letters: list[DeadLetterFile | DeadLetterStream] = field(default_factory=list)
    metrics: Metrics | None = None
    now_ms: Callable[[], int] | None = None
    on_marks: Callable[[list[ClockMark]], None] | None = None
    on_saved: Callable[[], None] | None = None
    on_version: Callable[[FenceSet], None] | None = None

    def deliver(self, items: list[Outgoing]) -> None:
        """Deliver what some items carry. Raises `Undelivered` where Redis stays away too long, `UnwrittenError` for a full disk."""
        encoded = [(alert, encode_alert(alert, self.deployment)) for item in items for alert in item.alerts]
        letters = [letter for item in items for letter in item.dead_letters]
        marks = [mark for item in items for mark in item.marks]
        if letters:
            with _told_of(f"{len(letters):,} dead letters"):
                for sink in self.dead_letters:
                    sink.write(letters)
        if encoded:
            self._deliver_alerts(encoded)
        if self.on_version is not None:
            for version in (version for item in items for version in item.versions):
                self.on_version(version)
        if marks and self.on_marks is not None:
            self.on_marks(marks)

    def _deliver_alerts(self, encoded: list[tuple[Alert, bytes]]) -> None:
        started = time.perf_counter()
        if self.redis is not None:
            self.redis.deliver(encoded)
        if self.file is not None:
            with _told_of(f"{len(encoded):,} alerts"):
                self.file.write(encoded)
        alerts = [alert for alert, _ in encoded]
        self.totals.told(alerts)
        if self.metrics is not None:
            self.metrics.stage("deliver", time.perf_counter() - started)
            self.metrics.alerts(alerts, None if self.now_ms is None else self.now_ms())

    def saved(self) -> None:
        """A snapshot is being taken: what was written must outlive the machine."""
        if self.redis is not None:
            self.redis.tidy()
        if self.file is not None:
            with _told_of("the file of alerts"):
                self.file.sync()
        if self.on_saved is not None:
            self.on_saved()

    def close(self) -> None:
        """Close the files; connections are the run's."""
        if self.file is not None:
            self.file.close()
        for sink in self.dead_letters:
            sink.close()
