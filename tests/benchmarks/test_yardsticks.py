"""The yardsticks are worth comparing with: the best per-fix flow raises the very alerts that the program raises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from benchmarks.results import Cost, table
from benchmarks.run import FORMS, form_and_world, key_of
from benchmarks.yardsticks.bare_orjson import parse
from benchmarks.yardsticks.obvious import ObviousFlow
from benchmarks.yardsticks.per_fix import PerFixFlow
from fences.fence_set import FenceSet
from fences.load import load_registry
from fences.registry import Registry
from pipeline.replay import ReplayOptions, run_replay
from pipeline.sources.files import FileOptions
from pipeline.worlds.bench_broken import write_jsonl_broken
from pipeline.worlds.bench_worlds import BenchSpec, BenchWorld, make_bench_world
from pipeline.worlds.casting import ABOUT_PLACES
from pipeline.worlds.plane import Plane
from pipeline.worlds.track_files import write_jsonl
from pipeline.worlds.world import make_world

TINY = BenchSpec("tiny", Plane(119.5, 31.4), 3, 2, 2, 3, 40, 12, 4_000)
FIXES = 20_000


def _world(breach_share: float, folder: Path) -> tuple[BenchWorld, Registry]:
    world = make_bench_world(TINY, 7, breach_share)
    world.write_registry(folder / "registry")
    return world, load_registry(folder / "registry")[0]


def _our_ids(registry: Registry, fixes: Path) -> list[str]:
    out = fixes.with_suffix(".alerts")
    run_replay(ReplayOptions([str(fixes)], FileOptions(), alerts_out=out), FenceSet(registry))
    return sorted(orjson.loads(line)["id"] for line in out.read_bytes().splitlines())


@pytest.mark.parametrize("breach_share", [0.07, 0.2])
@pytest.mark.parametrize("order", ["time", "subject"])
def test_the_best_per_fix_flow_raises_our_alerts(breach_share: float, order: str, tmp_path: Path) -> None:
    """In a small benchmark world, sorted by time and by subject, with many changes of state: the same set of ids."""
    world, registry = _world(breach_share, tmp_path)
    write_jsonl(world.parts(FIXES, "subject" if order == "subject" else "time"), tmp_path / "fixes.jsonl")
    ours = _our_ids(registry, tmp_path / "fixes.jsonl")
    flow = PerFixFlow(registry)
    theirs = flow.run(tmp_path / "fixes.jsonl", FIXES, 5_000, None, "test")
    keyed = flow.run(tmp_path / "fixes.jsonl", FIXES, 5_000, None, "test", keyed=True)
    assert len(ours) > 50
    assert sorted(theirs.alert_ids) == sorted(keyed.alert_ids) == ours
    assert theirs.fixes == FIXES - 5_000


def test_the_same_holds_for_groups_permits_and_moves(tmp_path: Path) -> None:
    """In a simulated world with all stories about places, whose rules have periods, groups and own forbidden places."""
    world = make_world(seed=11, subjects=200, hours=6, table=ABOUT_PLACES)
    world.write_registry(tmp_path / "registry")
    write_jsonl(world.parts(), tmp_path / "fixes.jsonl")
    registry, _ = load_registry(tmp_path / "registry")
    lines = (tmp_path / "fixes.jsonl").read_bytes().count(b"\n")
    ours = _our_ids(registry, tmp_path / "fixes.jsonl")
    theirs = PerFixFlow(registry).run(tmp_path / "fixes.jsonl", lines, 0, None, "test")
    assert len(ours) >= len(world.breaches) > 0
    assert sorted(theirs.alert_ids) == ours


def test_broken_lines_do_not_change_what_is_compared(tmp_path: Path) -> None:
    """Where one line in a hundred is no fix, both go on and raise the same alerts; two runs of the flow are independent."""
    world, registry = _world(0.2, tmp_path)
    write_jsonl_broken(world.parts(FIXES), tmp_path / "fixes.jsonl")
    ours, flow = _our_ids(registry, tmp_path / "fixes.jsonl"), PerFixFlow(registry)
    for _ in range(2):
        assert sorted(flow.run(tmp_path / "fixes.jsonl", FIXES, 0, None, "test").alert_ids) == ours


def test_the_obvious_flow_and_bare_parsing_read_every_line(tmp_path: Path) -> None:
    """They count the fixes that they were given, and the obvious flow raises alerts."""
    world, registry = _world(0.2, tmp_path)
    write_jsonl(world.parts(FIXES), tmp_path / "fixes.jsonl")
    obvious = ObviousFlow(registry).run(tmp_path / "fixes.jsonl", 10_000, 2_000)
    assert obvious.fixes == 8_000
    assert obvious.alerts > 50
    assert parse(tmp_path / "fixes.jsonl", FIXES + 1).fixes == FIXES


def test_every_key_says_its_form_and_its_world() -> None:
    """The names in `latest.json` are those that were agreed, and can be read back."""
    keys = {key_of(form, world): (form, world) for world, forms in FORMS.items() for form in forms}
    assert {"jsonl_w1", "csv_w1", "parquet_w1", "jsonl_w2", "jsonl_w1_breach", "jsonl_w1_by_subject"} <= set(keys)
    assert {key: form_and_world(key) for key in keys} == keys


def test_ratios_are_of_rates_and_of_processor_time() -> None:
    """(b) twenty times as slow is a ratio of 20; half the processor time of bare parsing is 0.5; the table shows them."""
    cost = Cost(5_000_000, 5_000, 500.0, 250.0, 400.0, 10_000.0, 9_000.0, 900.0, 15_000.0, 40_000.0, 500.0, {"read": 1.0})
    assert (cost.ratio, cost.ratio_cpu, cost.ratio_keyed) == (20.0, 36.0, 30.0)
    assert (cost.ratio_obvious, cost.cpu_to_orjson) == (80.0, 0.5)
    assert replace(cost, keyed_wall_ns=None).ratio_keyed is None
    row = next(line for line in table({"jsonl_w1": cost}).splitlines() if line.startswith("jsonl_w1"))
    assert row.split()[1] == "2,000,000"
    assert "20.0" in row.split()
