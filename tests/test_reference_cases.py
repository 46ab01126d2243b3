"""The reference judge gives exactly what the worked cases of the contract say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference import judge_records
from tests.reference.moments import read_time

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir() if (path / "fixes.jsonl").exists())


def test_the_ten_cases_are_here() -> None:
    """A case that got lost would be a test that silently passes."""
    assert len(NAMES) == 10


@pytest.mark.parametrize("name", NAMES)
def test_reference_gives_what_the_case_says(name: str, tmp_path: Path) -> None:
    """Alerts, ids, distances, positions and report of a worked case come out of the reference."""
    case = CASES / name
    until = read_time((case / "until").read_text().strip()) if (case / "until").exists() else None
    versions = []
    if (case / "registry-at.txt").exists():
        for line in (case / "registry-at.txt").read_text().split():
            time, _, directory = line.partition("=")
            instant = read_time(time)
            assert instant is not None
            versions.append((instant, case / directory))
    with (case / "fixes.jsonl").open("rb") as lines:
        alerts, report = judge_records(case / "registry", lines, until, versions)
    got, got_report = tmp_path / "alerts.jsonl", tmp_path / "report.json"
    got.write_text("".join(json.dumps(alert) + "\n" for alert in alerts))
    got_report.write_text(json.dumps(report))
    options: list[str | Path] = ["--distance", "--position", "--reports", case / "expected-report.json", got_report]
    command: list[str | Path] = [sys.executable, CASES / "compare.py", case / "expected-alerts.jsonl", got, *options]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
