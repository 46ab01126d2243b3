"""Metrics count what a batch brought, under names and labels that do not grow with the world."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sinks.metrics import DELAY_BUCKETS_S, BatchCounts, Metrics
from tests.sinks.alert_examples import alert

PAGE = Path(__file__).parent.parent.parent / "docs" / "metrics.md"
LABELS = {"source", "reason", "field", "stage", "kind", "level", "type", "version", "le"}


def fed() -> Metrics:
    """Metrics that everything has been told once."""
    metrics = Metrics()
    metrics.batch(
        BatchCounts(
            "gps",
            20,
            judged=10,
            contacts=1,
            late=2,
            duplicates=3,
            conflicts=1,
            rejected={"future": 3},
            fields_ignored={"device": 2},
        ),
        np.array([0.5, 1.0, 2.0, np.nan, 1e6]),
    )
    metrics.stage("judge", 0.002)
    metrics.alerts([alert(1), alert(1, "cleared"), alert(2, received_ms=None)], delivered_ms=1_700_000_060_500 - 60_000 + 1500)
    metrics.open_episodes({"left_area": 4})
    metrics.source_lag("gps", 0.25)
    metrics.clock(1_700_000_000_000)
    metrics.subjects(100, 7)
    metrics.rules("0123456789ab")
    metrics.reload(good=False, at_ms=1_700_000_000_000)
    metrics.redis(up=True)
    metrics.undelivered(3)
    metrics.wall_clock_stepped_back(2.5)
    metrics.build("0.1.0")
    return metrics


def families(metrics: Metrics) -> dict[str, Metric]:
    """As a scrape sees them."""
    return {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One series."""
    return metrics.registry.get_sample_value(name, labels)


def test_a_batch_adds_up() -> None:
    """Each record counts once as a fix, and in what became of it."""
    metrics = fed()
    parts = ["fixes_judged", "contacts", "late_fixes", "duplicates", "conflicts"]
    counted = [value(metrics, f"fencewatch_{part}_total", source="gps") for part in parts]
    assert counted == [10, 1, 2, 3, 1]
    assert value(metrics, "fencewatch_rejects_total", source="gps", reason="future") == 3
    assert value(metrics, "fencewatch_fixes_total", source="gps") == 20
    assert value(metrics, "fencewatch_fields_ignored_total", field="device") == 2
    metrics.batch(BatchCounts("gps", 5, judged=5))
    assert value(metrics, "fencewatch_fixes_total", source="gps") == 25


def test_a_column_is_counted_like_single_values() -> None:
    """A bound belongs to its bucket, a missing value to none, and the last bucket holds all."""
    metrics = fed()
    counts = [value(metrics, "fencewatch_event_delay_seconds_bucket", le=str(bound)) for bound in DELAY_BUCKETS_S]
    assert counts == [2, *[3] * (len(DELAY_BUCKETS_S) - 1)]
    assert value(metrics, "fencewatch_event_delay_seconds_bucket", le="+Inf") == 4
    assert value(metrics, "fencewatch_event_delay_seconds_count") == 4
    assert value(metrics, "fencewatch_event_delay_seconds_sum") == pytest.approx(1e6 + 3.5)


def test_alerts_by_kind_level_and_type() -> None:
    """And the time from the fix to its alert, of those that a fix brought."""
    metrics = fed()
    assert value(metrics, "fencewatch_alerts_total", kind="left_area", level="red", type="opened") == 2
    assert value(metrics, "fencewatch_alerts_total", kind="left_area", level="red", type="cleared") == 1
    assert value(metrics, "fencewatch_fix_to_alert_seconds_count") == 2


def test_gauges_say_what_is() -> None:
    """A kind that has no open episode any more is not kept at its last number."""
    metrics = fed()
    assert value(metrics, "fencewatch_open_episodes", kind="left_area") == 4
    metrics.open_episodes({"absent": 1})
    assert value(metrics, "fencewatch_open_episodes", kind="left_area") is None
    assert value(metrics, "fencewatch_last_reload_successful") == 0
    assert value(metrics, "fencewatch_last_reload_timestamp_seconds") == 1_700_000_000
    assert value(metrics, "fencewatch_rules_info", version="0123456789ab") == 1
    assert value(metrics, "fencewatch_subjects_never_heard") == 7
    assert value(metrics, "fencewatch_wall_clock_stepped_back_seconds_total") == 2.5


def test_redis_up_follows_the_sinks() -> None:
    """The method fits `on_state`; each time Redis goes away is counted."""
    metrics = Metrics()
    metrics.redis(True, "")  # noqa: FBT003 - as the sinks call it
    assert value(metrics, "fencewatch_redis_up") == 1
    metrics.redis(False, "gone")  # noqa: FBT003 - as above
    assert value(metrics, "fencewatch_redis_up") == 0
    assert value(metrics, "fencewatch_redis_failures_total") == 1


def test_names_and_labels_are_those_of_the_house() -> None:
    """Prefix and base units; no label whose values grow with subjects, areas or rules."""
    for name, family in families(fed()).items():
        assert name.startswith("fencewatch_"), name
        assert not re.search(r"_(ms|milliseconds|minutes|hours|km|pct|percent)(_|$)", name), name
        assert family.documentation.endswith("."), name
        assert {label for sample in family.samples for label in sample.labels} <= LABELS, name


def test_two_registries_do_not_meet() -> None:
    """Each process, and each test, has its own."""
    assert value(Metrics(), "fencewatch_alerts_undelivered") == 0
    assert value(fed(), "fencewatch_alerts_undelivered") == 3


def test_page_lists_every_metric_and_no_other() -> None:
    """docs/metrics.md has a line for each, as Prometheus shows its name."""
    endings = {"counter": "_total", "info": "_info"}
    shown = {family.name + endings.get(family.type, "") for family in fed().registry.collect()}
    listed = set(re.findall(r"^\| `(fencewatch_\w+)`", PAGE.read_text(), re.MULTILINE))
    assert listed == shown
