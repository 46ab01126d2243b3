"""An example run as it stands on the page, and what happened held to it.

A replay goes through the real dataflow, in several cuts. A live example goes through judging and the shard, with the marks of its
clock and the stamps of its one source, `gps`. What stands in a column `judged` is asked after each record.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.decode.entries import decode_entries
from operators.decode.json_lines import decode_json_lines
from operators.facts import Facts
from pipeline.episodes import Shard
from pipeline.items import Chunk, ClockMark, Mark, Until
from pipeline.judging import Judging, rule_set_of
from pipeline.totals import Totals
from sinks.alert_json import encode_alert
from tests.pipeline.world_folder import replay
from tests.reference.moments import read_time
from tests.rules_page.example import Example, NotationError
from tests.rules_page.rows import Row, Told, rows_of
from tests.rules_page.world import World

CUTS = ((1, 1), (16384, 2))
"""Records a batch, and workers."""
SOURCE = "gps"


@dataclass(frozen=True)
class Stage:
    """An example ready to be run: its registries, its rows."""

    example: Example
    fence_set: FenceSet
    later: list[tuple[int, FenceSet]]
    rows: list[Row]

    @property
    def until_ms(self) -> int | None:
        """Where a replay's last row is the clock, its time."""
        return self.rows[-1].time_ms if self.rows[-1].what == "(the clock)" else None


@dataclass(frozen=True)
class Played:
    """What happened: alerts, the report, and where it was asked what was judged."""

    alerts: list[dict[str, Any]]
    report: dict[str, Any]
    judged: list[str] | None = None


def stage(example: Example, directory: Path) -> Stage:
    """Write and compile the registries, read the rows."""
    world = World(example.clock).take(example.world)
    plane = world.plane
    fence_set, later = compiled(world, directory / "registry"), []
    for number, (time, changed) in enumerate(example.changes, 2):
        later.append((example.clock.ms(time), compiled(world.take(changed), directory / f"registry-{number}")))
    rows = list(rows_of(example))
    for k, row in enumerate(rows):
        if row.record is not None and row.place is not None:
            lon, lat = plane.degrees(*row.place)
            rows[k] = replace(row, record=row.record | {"lon": lon, "lat": lat})
        if row.what == "(the clock)" and k < len(rows) - 1 and not example.live:
            raise NotationError(f"{example.title}: in a replay the clock is the last row")
    return Stage(example, fence_set, later, rows)


def compiled(world: World, directory: Path) -> FenceSet:
    """The fence set of a world."""
    return FenceSet(load_registry(world.write(directory))[0])


def assert_happens(example: Example, directory: Path) -> None:
    """Run an example and compare: alerts in each cut, counts, and the judgements that the page shows."""
    ready = stage(example, directory)
    assert_as_on_page(step_by_step(ready), ready.rows)
    for batch, workers in () if example.live else CUTS:
        assert_as_on_page(replayed(ready, directory, batch, workers), ready.rows)


def assert_as_on_page(played: Played, rows: list[Row]) -> None:
    """What happened is what the rows say."""
    assert_same(played.alerts, [alert for row in rows for alert in row.alerts])
    counted = Counter({name: played.report[name] for name in ("late", "duplicates", "conflicts") if played.report[name]})
    assert counted + Counter(played.report["rejected"]) == Counter(word for row in rows for word in row.counted)
    assert played.judged in (None, [text for row in rows for _, text in row.judged])


def assert_same(told: list[dict[str, Any]], expected: list[Told]) -> None:
    """The same alerts, each once; compared is what the page says of each, and it must say how far where an alert does."""
    got = [as_told(alert) for alert in told]
    same = [replace(alert, regions=None) for alert in got]
    assert sorted(map(repr, same)) == sorted(repr(replace(alert, regions=None)) for alert in expected)
    for alert in expected:
        if alert.regions is not None:
            found = [other.regions for other in got if replace(other, regions=None) == replace(alert, regions=None)]
            assert alert.regions in found, (alert, found)


def as_told(alert: dict[str, Any]) -> Told:
    """An alert as a page would tell it."""
    data, change = alert["data"], alert["type"].rpartition(".")[2]
    ended = data["reason"] == "rule_ended"
    return Told(
        subject=alert["subject"],
        change=change,
        kind=data["kind"],
        rule=data["rule"],
        level=data["level"] if change == "opened" else None,
        time_ms=read_time(alert["time"]) or 0,
        onset_ms=read_time(data["onset"]) if change == "opened" else None,
        received_ms=None if ended else read_time(data["received"]),
        late=data["late"],
        reason=data["reason"],
        distance_m=None if data["distance_m"] is None else round(data["distance_m"]),
        found=data["found_region"] if change == "moved" else None,
        regions=" and ".join(data["regions"]) or "nobody",
    )


def replayed(ready: Stage, directory: Path, batch: int, workers: int) -> Played:
    """By the real dataflow."""
    file, out = directory / "fixes.jsonl", directory / f"alerts-{batch}-{workers}.jsonl"
    file.write_text("".join(json.dumps(row.record) + "\n" for row in ready.rows if row.record is not None))
    outcome = replay(ready.fence_set, [file], out, batch=batch, workers=workers, until_ms=ready.until_ms, later=ready.later)
    return Played(outcome.alerts, outcome.report)


def step_by_step(ready: Stage) -> Played:
    """By judging and the shard, a row at a time."""
    versions = [(ms, rule_set_of(version, 1)) for ms, version in ready.later]
    live = ready.example.live
    judging = Judging(rule_set_of(ready.fence_set, 1), 1, versions=versions)
    totals = Totals()
    shard = Shard(ready.fence_set, totals, feeds=[SOURCE] if live else ())
    alerts: dict[str, dict[str, Any]] = {}
    judged, latest_ms = [], 0
    for item, row in items_of(ready):
        latest_ms = max(latest_ms, row.time_ms)
        parts = []
        while isinstance(item, ClockMark) and judging.versions and judging.versions[0][0] <= item.time_ms:
            parts += judging._change_version()
        for _, part in (*parts, *judging(item)):
            for alert in shard.take(part).alerts:
                alerts.setdefault(alert.id, orjson.loads(encode_alert(alert, "test")))
        if row.judged:
            facts = shard.facts(row.who, latest_ms)
            judged += [judgement(facts, column) for column, _ in row.judged]
    return Played(list(alerts.values()), totals.report(1.0), judged)


def items_of(ready: Stage) -> Iterator[tuple[Chunk | Mark, Row]]:
    """What is fed in, each with its row."""
    for row in ready.rows:
        if row.record is not None:
            if ready.example.live:
                fields = [text.encode() for key, value in row.record.items() for text in (key, written(value))]
                decode = partial(decode_entries, [b"%d-0" % row.arrives_ms], [fields])
            else:
                decode = partial(decode_json_lines, orjson.dumps(row.record))
            yield Chunk(SOURCE, decode, live=ready.example.live, feed=SOURCE), row
        elif row.what == "(the clock)" and ready.example.live:
            yield ClockMark(SOURCE, row.time_ms, row.time_ms, ((SOURCE, row.time_ms),)), row
        elif row.what == "(the clock)":
            yield Until(row.time_ms), row


def written(value: object) -> str:
    """A field of a Redis entry."""
    return repr(value).lower() if isinstance(value, bool) else str(value)


def judgement(facts: Facts, column: str) -> str:
    """What is known after a row, as the page writes it: `breach 1 of 2`, `fine 1 of 2` while open, else the verdict alone."""
    rule = column.removeprefix("judged").strip()
    slot = next((s for s in facts.slots if s.slot == (f"rule:{rule}" if rule else "area")), None)
    if slot is None or slot.verdict is None:
        return "not judged"
    if slot.verdict == "breach" and slot.state == "pending":
        return f"breach {slot.count} of {slot.confirm_fixes}"
    if slot.verdict == "fine" and slot.state == "open":
        return f"fine {slot.clear_count} of {slot.clear_fixes}"
    return slot.verdict
