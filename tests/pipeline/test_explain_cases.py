"""The worked cases explained: at any instant what was told by then, and what only later, is together what the case expects."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from fences.fence_set import FenceSet
from fences.load import load_registry
from fences.times import to_ms
from pipeline.explain.from_files import explain_files
from pipeline.explain.page import as_json, page
from pipeline.sources.files import FileOptions
from tests.pipeline.scripted import milliseconds

CASES = sorted(path for path in (Path(__file__).parents[1] / "cases").iterdir() if path.is_dir() and (path / "registry").is_dir())
INSTANTS = 20


def compiled(directory: Path) -> FenceSet:
    """A registry."""
    return FenceSet(load_registry(directory)[0])


def versions_of(case: Path) -> list[tuple[int, FenceSet]]:
    """Its registry changes."""
    file = case / "registry-at.txt"
    changes = [line.split("=") for line in file.read_text().split()] if file.exists() else []
    return [(to_ms(time) or 0, compiled(case / directory)) for time, directory in changes]


def ids_upto(alerts: list[dict[str, Any]], at_ms: int) -> set[str]:
    """Of alerts whose time is not after an instant."""
    return {alert["id"] for alert in alerts if milliseconds(alert["time"]) <= at_ms}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_at_any_instant(case: Path) -> None:
    """Some subjects, instants at alerts and beside them: nothing too much, nothing left out, and all of it can be shown."""
    expected = [orjson.loads(line) for line in (case / "expected-alerts.jsonl").read_bytes().splitlines()]
    registry, later = compiled(case / "registry"), versions_of(case)
    draw = random.Random(case.name)
    for _ in range(INSTANTS):
        alert = draw.choice(expected)
        at_ms = milliseconds(alert["time"]) + draw.choice((-1, 0, 30_000))
        told = explain_files([str(case / "fixes.jsonl")], FileOptions("auto", {}, None), registry, later, alert["subject"], at_ms)
        assert list(page(told))
        said = as_json(told)
        assert ids_upto([*said["alerts"], *said["later_alerts"]], at_ms) == ids_upto(
            [other for other in expected if other["subject"] == alert["subject"]], at_ms
        )
