"""The worked cases of the contract come out of the command itself: alerts, ids, distances, positions, report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.commands import alerts_in, fencewatch, told

CASES = Path(__file__).parent.parent / "cases"
NAMES = ("basic-1", "basic-2", "basic-3", "basic-4", "full-1", "full-2", "full-3", "full-4", "full-5", "full-6")


def assert_as_expected(case: Path, alerts: Path, report: Path) -> None:
    """By the comparison that comes with the cases."""
    options: list[str | Path] = ["--distance", "--position", "--reports", case / "expected-report.json", report]
    command: list[str | Path] = [sys.executable, CASES / "compare.py", case / "expected-alerts.jsonl", alerts, *options]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.splitlines()[-1].startswith("EQUAL: ")


def clock_of(case: Path) -> list[object]:
    """`--until` and `--registry-at` of a case."""
    until, changes = case / "until", case / "registry-at.txt"
    options: list[object] = ["--until", until.read_text().strip()] if until.exists() else []
    for change in changes.read_text().split() if changes.exists() else ():
        time, _, directory = change.partition("=")
        options += ["--registry-at", f"{time}={case / directory}"]
    return options


def replayed(case: Path, fixes: str, folder: Path, *options: object) -> tuple[Path, Path]:
    """The alerts and the report of a case."""
    alerts, report = folder / "got.jsonl", folder / "got.json"
    files = ("--alerts-out", alerts, "--report", report)
    outcome = fencewatch("replay", case / fixes, "--registry", case / "registry", *files, *clock_of(case), *options)
    assert outcome.code == 0, outcome.err
    return alerts, report


@pytest.mark.jitless
@pytest.mark.parametrize("name", NAMES)
def test_a_case_comes_out_equal(name: str, tmp_path: Path) -> None:
    """Areas, windows, confirmation, order, bad input; and in the full ones all of section 5."""
    assert_as_expected(CASES / name, *replayed(CASES / name, "fixes.jsonl", tmp_path))


@pytest.mark.parametrize("fixes", ["fixes.csv", "fixes.parquet"])
def test_the_first_case_comes_out_equal_from_its_other_files(fixes: str, tmp_path: Path) -> None:
    """The same records as CSV and Parquet."""
    assert_as_expected(CASES / "basic-1", *replayed(CASES / "basic-1", fixes, tmp_path))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (1, 3), (7, 2), (100, 4)])
def test_a_case_comes_out_equal_however_it_is_cut(name: str, batch: int, workers: int, tmp_path: Path) -> None:
    """In batches of any size, on any number of workers; alerts equal to the byte but for the deployment."""
    (tmp_path / "whole").mkdir()
    whole, _ = replayed(CASES / name, "fixes.jsonl", tmp_path / "whole")
    alerts, report = replayed(CASES / name, "fixes.jsonl", tmp_path, "--batch", batch, "--workers", workers)
    assert_as_expected(CASES / name, alerts, report)
    assert told(alerts_in(alerts)) == told(alerts_in(whole))


@pytest.mark.parametrize("name", NAMES)
def test_a_case_cut_into_files_comes_out_equal(name: str, tmp_path: Path) -> None:
    """Three files read one after another, one of them without its last line feed."""
    lines = (CASES / name / "fixes.jsonl").read_bytes().splitlines(keepends=True)
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, (begin, end) in enumerate(((0, 100), (100, 101), (101, len(lines)))):
        (parts / f"{number}.jsonl").write_bytes(b"".join(lines[begin:end]).removesuffix(b"\n" if number == 1 else b""))
    assert_as_expected(CASES / name, *replayed(CASES / name, str(parts), tmp_path))
