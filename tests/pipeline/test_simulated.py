"""Simulated worlds through the whole path: exactly the scripted breaches are found, nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pipeline.scripted import assert_scripted
from tests.pipeline.world_folder import WorldFolder, replay

SEEDS = [int(seed) for seed in os.environ.get("FENCEWATCH_SEEDS", "").split(",") if seed]


@pytest.mark.parametrize(
    ("seed", "subjects", "hours", "step_s", "stories"),
    [
        (31, 300, 24, 60, None),
        (32, 400, 12, 60, 20),
        (33, 120, 6, 20, 8),
        (34, 60, 36, 300, 4),
        (35, 1, 24, 60, 1),
        (36, 200, 6, 60, 0),
    ],
)
def test_exactly_the_scripted_breaches_are_found(
    seed: int, subjects: int, hours: float, step_s: int, stories: int | None, tmp_path: Path
) -> None:
    """Large and small worlds, often and seldom sampled, with many stories and with none; with their regions and their clears."""
    world = WorldFolder.make(tmp_path, seed=seed, subjects=subjects, hours=hours, step_s=step_s, stories=stories)
    outcome = replay(world.fence_set, [world.file("parquet")], tmp_path / "alerts.jsonl")
    assert_scripted(outcome.alerts, world.world.breaches)
    assert outcome.report["rejected"] == {}
    assert outcome.report["fixes_read"] == len(world.fixes())
    assert stories == 0 or world.world.breaches


def test_the_worlds_of_other_tests_hold_too(world: WorldFolder, small_world: WorldFolder, tmp_path: Path) -> None:
    """Those that are replayed in a hundred ways."""
    for number, one in enumerate((world, small_world)):
        outcome = replay(one.fence_set, [one.file()], tmp_path / f"{number}.jsonl")
        assert_scripted(outcome.alerts, one.world.breaches)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", SEEDS or [1001])
def test_ten_thousand_people_for_a_day(seed: int, tmp_path: Path) -> None:
    """The world of the size that the issue names; seeds by FENCEWATCH_SEEDS=5,6,7 (see also benchmarks.scripted_breaches)."""
    world = WorldFolder.make(tmp_path, seed=seed, subjects=10_000, hours=24)
    outcome = replay(world.fence_set, [world.parts_file()], tmp_path / "alerts.jsonl")
    assert len(world.world.breaches) > 100
    assert_scripted(outcome.alerts, world.world.breaches)
