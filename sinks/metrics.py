"""What fencewatch counts for Prometheus: names, units, labels, and the few calls that feed them.

Everything is fed once per batch or more rarely, never once per fix. No label per subject, area or rule: these are personal data
and without end. What each metric means for an operator stands in `docs/metrics.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from operators.alert import Alert

STAGE_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
DELAY_BUCKETS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
BATCH_BUCKETS = (1, 10, 100, 500, 1000, 2000, 4000, 8000, 16000, 32000)


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What became of one batch of one source. `fixes` is all its records; the other numbers are among them.

    `rejected` by reason of section 6, `fields_ignored` by field. `fixes` = judged + contacts + late + duplicates + conflicts +
    the sum of `rejected`.
    """

    source: str
    fixes: int
    judged: int = 0
    contacts: int = 0
    late: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    fields_ignored: Mapping[str, int] = field(default_factory=dict)


class ColumnHistogram(Collector):
    """A histogram that takes a whole column at once; prometheus_client's own takes a Python call for each value.

    Not for two threads at once; a scrape beside an observation sees at worst the counts of a moment before.
    """

    def __init__(self, name: str, text: str, buckets: tuple[float, ...], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._bounds = np.array(buckets, np.float64)
        self._counts = np.zeros(len(buckets) + 1, np.int64)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: NDArray[np.float64]) -> None:
        """Count every value of the column that is a number (NaN: no value)."""
        values = values[~np.isnan(values)]
        # A bucket's bound belongs to it ("le"), hence the left side.
        self._counts = self._counts + np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._counts))
        self._sum += float(values.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The state as Prometheus wants it: cumulative counts by upper bound."""
        bounds = [*(repr(float(bound)) for bound in self._bounds), "+Inf"]
        counts = np.cumsum(self._counts).tolist()
        family = HistogramMetricFamily(self._name, self._text)
        family.add_metric([], list(zip(bounds, counts, strict=True)), self._sum)
        yield family

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name alone, for the registry's check of doubled names."""
        yield HistogramMetricFamily(self._name, self._text)


class Metrics:
    """All metrics of one process in a registry of their own."""

    def __init__(self) -> None:
        # When each series was made is of no use to an operator, and a third of the page.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it
        self.registry = registry = CollectorRegistry()
        self._fixes = Counter("fencewatch_fixes", "Records read, rejected ones included.", ["source"], registry=registry)
        self._judged = Counter("fencewatch_fixes_judged", "Records in order and with a position.", ["source"], registry=registry)
        self._contacts = Counter("fencewatch_contacts", "Records in order without a position.", ["source"], registry=registry)
        self._late = Counter("fencewatch_late_fixes", "Records older than the subject's last one.", ["source"], registry=registry)
        self._duplicates = Counter(
            "fencewatch_duplicates", "Records told again: same subject, time and place.", ["source"], registry=registry
        )
        self._conflicts = Counter(
            "fencewatch_conflicts", "Records of one subject and time at two places.", ["source"], registry=registry
        )
        self._rejects = Counter("fencewatch_rejects", "Records sent to the dead letters.", ["source", "reason"], registry=registry)
        self._fields = Counter(
            "fencewatch_fields_ignored", "Optional fields that were wrong and count as absent.", ["field"], registry=registry
        )
        self._batch = Histogram("fencewatch_batch_fixes", "Records in a batch.", buckets=BATCH_BUCKETS, registry=registry)
        self._stage = Histogram(
            "fencewatch_stage_seconds", "Time a batch spends in a stage.", ["stage"], buckets=STAGE_BUCKETS_S, registry=registry
        )
        self._delay = ColumnHistogram(
            "fencewatch_event_delay_seconds", "From a fix's own time to its arrival at the source.", DELAY_BUCKETS_S, registry
        )
        self._alerts = Counter("fencewatch_alerts", "Alerts told for the first time.", ["kind", "level", "type"], registry=registry)
        self._latency = ColumnHistogram(
            "fencewatch_fix_to_alert_seconds",
            "From the arrival of a fix to the delivery of its alert.",
            LATENCY_BUCKETS_S,
            registry,
        )
        self._open = Gauge("fencewatch_open_episodes", "Episodes that are open now.", ["kind"], registry=registry)
        self._lag = Gauge(
            "fencewatch_source_lag_seconds", "How far the reading is behind the source.", ["source"], registry=registry
        )
        self._lost = Counter(
            "fencewatch_source_entries_lost",
            "Entries that a stream dropped before they were read, at least.",
            ["source"],
            registry=registry,
        )
        self._clock = Gauge("fencewatch_clock_timestamp_seconds", "The lane's clock: up to when it has judged.", registry=registry)
        self._silent = Gauge(
            "fencewatch_source_silent", "1 while a source gives no records (`feed_silent`), else 0.", ["source"], registry=registry
        )
        self._subjects = Gauge("fencewatch_subjects", "Subjects in the registry.", registry=registry)
        self._never_heard = Gauge(
            "fencewatch_subjects_never_heard", "Subjects of whom nothing ever came: nobody watches them.", registry=registry
        )
        self._rules = Info("fencewatch_rules", "The version of the rules in force.", registry=registry)
        self._reload_good = Gauge(
            "fencewatch_last_reload_successful", "1, or 0 when the last reload was refused.", registry=registry
        )
        self._reload_at = Gauge("fencewatch_last_reload_timestamp_seconds", "When a reload was last tried.", registry=registry)
        self._redis_up = Gauge("fencewatch_redis_up", "1, or 0 while Redis takes no writes.", registry=registry)
        self._redis_away = Counter("fencewatch_redis_failures", "How often Redis began to take no writes.", registry=registry)
        self._undelivered = Gauge("fencewatch_alerts_undelivered", "Alerts that wait for Redis.", registry=registry)
        self._steps = Counter("fencewatch_wall_clock_steps_back", "How often the wall clock went backwards.", registry=registry)
        self._stepped = Counter(
            "fencewatch_wall_clock_stepped_back_seconds", "By how much it went backwards, in all.", registry=registry
        )
        self._build = Info("fencewatch_build", "The program that runs.", registry=registry)
        # A series that is absent until its first event cannot be told from one that nobody feeds.
        self._redis_up.set(0)
        self._reload_good.set(1)

    def batch(self, counts: BatchCounts, delay_s: NDArray[np.float64] | None = None) -> None:
        """One batch of a source is judged. `delay_s`: received less time of its accepted records, NaN where not known."""
        source = counts.source
        self._fixes.labels(source).inc(counts.fixes)
        self._judged.labels(source).inc(counts.judged)
        self._contacts.labels(source).inc(counts.contacts)
        self._late.labels(source).inc(counts.late)
        self._duplicates.labels(source).inc(counts.duplicates)
        self._conflicts.labels(source).inc(counts.conflicts)
        for reason, number in counts.rejected.items():
            self._rejects.labels(source, reason).inc(number)
        for name, number in counts.fields_ignored.items():
            self._fields.labels(name).inc(number)
        self._batch.observe(counts.fixes)
        if delay_s is not None:
            self._delay.observe(delay_s)

    def stage(self, stage: str, seconds: float) -> None:
        """A batch spent this long in a stage (`decode`, `judge`, `episodes`, `deliver`, ...)."""
        self._stage.labels(stage).observe(seconds)

    def alerts(self, alerts: Iterable[Alert], delivered_ms: int | None = None) -> None:
        """These alerts were delivered. `delivered_ms`: the wall clock then; live only, for the latency of those a fix brought."""
        arrived: list[int] = []
        for alert in alerts:
            self._alerts.labels(alert.kind, alert.level, alert.change).inc()
            if alert.received_ms is not None:
                arrived.append(alert.received_ms)
        if delivered_ms is not None and arrived:
            self._latency.observe((delivered_ms - np.array(arrived, np.float64)) / 1000.0)

    def open_episodes(self, by_kind: Mapping[str, int]) -> None:
        """How many episodes are open, by kind; a kind that is not named has none."""
        self._open.clear()
        for kind, number in by_kind.items():
            self._open.labels(kind).set(number)

    def source_lag(self, source: str, seconds: float) -> None:
        """How far the reading is behind the newest record of a source."""
        self._lag.labels(source).set(seconds)

    def entries_lost(self, source: str, entries: int) -> None:
        """So many entries of a source were deleted before they were read."""
        self._lost.labels(source).inc(entries)

    def sources_silent(self, silent: Mapping[str, bool]) -> None:
        """Which sources are silent."""
        for source, is_silent in silent.items():
            self._silent.labels(source).set(float(is_silent))

    def clock(self, clock_ms: int) -> None:
        """The lane's clock, UTC milliseconds."""
        self._clock.set(clock_ms / 1000.0)

    def subjects(self, registered: int, never_heard: int) -> None:
        """How many subjects there are, and of how many nothing ever came."""
        self._subjects.set(registered)
        self._never_heard.set(never_heard)

    def rules(self, version: str) -> None:
        """The version of the registry that is in force."""
        self._rules.info({"version": version})

    def reload(self, *, good: bool, at_ms: int) -> None:
        """A reload was tried: taken, or refused and the old rules kept."""
        self._reload_good.set(float(good))
        self._reload_at.set(at_ms / 1000.0)

    def redis(self, up: bool, _reason: str = "") -> None:  # noqa: FBT001 - the form of `redis_patience.OnState`
        """Redis takes writes, or no longer does; fits `on_state` of the sinks."""
        self._redis_up.set(float(up))
        if not up:
            self._redis_away.inc()

    def undelivered(self, alerts: int) -> None:
        """How many alerts wait for Redis."""
        self._undelivered.set(alerts)

    def wall_clock_stepped_back(self, seconds: float) -> None:
        """The wall clock went backwards by this much."""
        self._steps.inc()
        self._stepped.inc(seconds)

    def build(self, version: str) -> None:
        """The version of the program."""
        self._build.info({"version": version})

    def text(self) -> bytes:
        """The metrics in Prometheus' text form."""
        return generate_latest(self.registry)
