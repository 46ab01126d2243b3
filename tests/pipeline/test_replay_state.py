"""`replay --state`: stopped and continued, the alerts are those of one run, once each."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.pipeline.commands import LATEST_S, alerts_in, fencewatch, start, told
from tests.pipeline.listeners import until
from tests.pipeline.short_day import ShortDay

PACED = ("--speed", 14400, "--batch", 50)
"""Eight hours in two seconds: time enough to be stopped in."""


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _stopped(options: list[object], out: Path, number: signal.Signals) -> dict[str, Any]:
    """Start a paced replay, signal it once it has told something new, and give its report."""
    report = out.with_name("report.json")
    before = _lines(out)
    running = start("replay", *options, *PACED, "--report", report, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(lambda: _lines(out) > before or running.poll() is not None)
    running.send_signal(number)
    _, said = running.communicate(timeout=LATEST_S)
    assert running.returncode == (-number if number == signal.SIGKILL else 0), said.decode()
    if number == signal.SIGKILL:
        return {}
    assert b"stopped before the end" in said
    found: dict[str, Any] = orjson.loads(report.read_bytes())
    return found


def test_stopped_twice_and_continued(short_day: ShortDay, tmp_path: Path) -> None:
    """SIGTERM, then SIGINT, each with exit 0: the rest is read by other numbers of workers; every record is read once."""
    out, last = tmp_path / "alerts.jsonl", tmp_path / "last.json"
    options: list[object] = [
        short_day.fixes(),
        "--registry",
        short_day.registry,
        "--alerts-out",
        out,
        "--state",
        tmp_path / "state",
    ]
    reports = [
        _stopped([*options, "--workers", 1], out, signal.SIGTERM),
        _stopped([*options, "--workers", 3], out, signal.SIGINT),
    ]
    assert 0 < _lines(out) < len(short_day.alerts)
    ended = fencewatch("replay", *options, "--workers", 2, "--report", last)
    assert ended.code == 0, ended.err
    reports.append(orjson.loads(last.read_bytes()))
    assert told(alerts_in(out)) == short_day.alerts
    assert sum(report["fixes_read"] for report in reports) == _lines(short_day.fixes())
    assert all(report["fixes_read"] > 0 for report in reports)
    assert len({alert["source"] for alert in alerts_in(out)}) == 1, "a state folder is one deployment"
    more = fencewatch("replay", *options)
    assert more.code == 0
    assert told(alerts_in(out)) == short_day.alerts, "nothing is left to read"


def test_killed_and_run_again(short_day: ShortDay, tmp_path: Path) -> None:
    """Kill -9 twice: the file is complete and without duplicates once a run comes to its end."""
    out = tmp_path / "alerts.jsonl"
    options: list[object] = [
        short_day.fixes(),
        "--registry",
        short_day.registry,
        "--alerts-out",
        out,
        "--state",
        tmp_path / "state",
    ]
    _stopped(options, out, signal.SIGTERM)
    for _ in range(2):
        _stopped(options, out, signal.SIGKILL)
    ended = fencewatch("replay", *options)
    assert ended.code == 0, ended.err
    assert told(alerts_in(out)) == short_day.alerts


def _ends_before(fixes: Path, folder: Path, share: float) -> Path:
    """The first part of the fixes, under the same name: what a file looked like when it was still being written."""
    lines = fixes.read_bytes().splitlines(keepends=True)
    part = folder / fixes.name
    part.write_bytes(b"".join(lines[: round(share * len(lines))]))
    return part


@pytest.mark.parametrize("change", ["shuffled", "added", "removed"])
def test_another_registry_between_two_runs(short_day: ShortDay, tmp_path: Path, change: str) -> None:
    """Subjects and rules keep their state by id, wherever they stand in the registry now."""
    registry = tmp_path / "registry"
    shutil.copytree(short_day.registry, registry)
    out = tmp_path / "alerts.jsonl"
    fixes = _ends_before(short_day.fixes(), tmp_path, 0.5)
    options = ("replay", fixes, "--registry", registry, "--alerts-out", out, "--state", tmp_path / "state")
    assert fencewatch(*options).code == 0
    before = alerts_in(out)
    opened = {alert["data"]["episode"] for alert in before if alert["type"].endswith("opened")}
    still_open = opened - {alert["data"]["episode"] for alert in before if alert["type"].endswith("cleared")}
    assert still_open, "an episode that is open over the change is what this is about"
    gone = _change(registry, change, {alert["subject"] for alert in before if alert["data"]["episode"] in still_open})
    shutil.copy(short_day.fixes(), fixes)
    ended = fencewatch(*options)
    assert ended.code == 0, ended.err

    def plain(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [alert for alert in alerts if alert["subject"] not in gone]
        return [{**alert, "data": {**alert["data"], "rules_version": None}} for alert in kept]

    assert plain(told(alerts_in(out))) == plain(short_day.alerts)


def _change(registry: Path, change: str, of_interest: set[str]) -> set[str]:
    """Change the subjects and rules of a registry; who is gone now."""
    dice = random.Random(7)
    subjects = [orjson.loads(line) for line in (registry / "subjects.jsonl").read_bytes().splitlines()]
    files = [registry / "rules.jsonl", *sorted((registry / "rules.d").iterdir())]
    rules = [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]
    shutil.rmtree(registry / "rules.d")
    gone: set[str] = set()
    if change == "added":
        subjects = [{**subjects[0], "id": f"new-{k}"} for k in range(30)] + subjects
    if change == "removed":
        gone = {subject["id"] for subject in subjects[::3]} - of_interest
        subjects = [subject for subject in subjects if subject["id"] not in gone]
        for rule in rules:
            rule["subjects"] = [subject for subject in rule.get("subjects", []) if subject not in gone]
    dice.shuffle(subjects)
    dice.shuffle(rules)
    (registry / "subjects.jsonl").write_bytes(b"".join(orjson.dumps(subject) + b"\n" for subject in subjects))
    (registry / "rules.jsonl").write_bytes(b"".join(orjson.dumps(rule) + b"\n" for rule in rules))
    return gone


def test_a_state_folder_in_use_is_refused(short_day: ShortDay, tmp_path: Path) -> None:
    """A second run beside the first is told so in one sentence, and the first is not disturbed."""
    out = tmp_path / "alerts.jsonl"
    options: list[object] = ["replay", short_day.fixes(), "--registry", short_day.registry, "--state", tmp_path / "state"]
    running = start(*options, *PACED, "--alerts-out", out, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(lambda: _lines(out) > 0)
    second = fencewatch(*options)
    assert second.code == 1
    assert len(second.said) == 1
    assert f"{tmp_path / 'state'}: another run (process {running.pid}) uses this state folder" in second.err
    _, said = running.communicate(timeout=LATEST_S)
    assert running.returncode == 0, said.decode()
    assert told(alerts_in(out)) == short_day.alerts


def test_the_next_days_file(short_day: ShortDay, tmp_path: Path) -> None:
    """New files go on with the stream when the old ones are read to the end, with or without the old ones before them."""
    lines = short_day.fixes().read_bytes().splitlines(keepends=True)
    days = [tmp_path / f"{day}.jsonl" for day in ("one", "two", "three")]
    for k, day in enumerate(days):
        day.write_bytes(b"".join(lines[k * len(lines) // 3 : (k + 1) * len(lines) // 3]))
    out = tmp_path / "alerts.jsonl"
    options = ("--registry", short_day.registry, "--state", tmp_path / "state", "--alerts-out", out)
    for files in (days[:1], days[:2], days[2:]):
        ended = fencewatch("replay", *files, *options)
        assert ended.code == 0, ended.err
    assert told(alerts_in(out)) == short_day.alerts
    other = fencewatch("replay", days[1], days[2], *options)
    assert other.code == 1
    assert len(other.said) == 1
    assert "do not begin with" in other.err


def test_an_alerts_file_of_something_else_is_not_overwritten(short_day: ShortDay, tmp_path: Path) -> None:
    """Where a state folder goes on, the file named must be its own."""
    out = tmp_path / "alerts.jsonl"
    options = ("replay", short_day.fixes(), "--registry", short_day.registry, "--state", tmp_path / "state", "--alerts-out", out)
    assert fencewatch(*options).code == 0
    for text in ("notes of mine\n", '{"a":1}\n', "[1]\n"):
        out.write_text(text)
        again = fencewatch(*options)
        assert again.code == 1
        assert len(again.said) == 1
        assert out.read_text() == text


def test_a_new_state_folder_begins_a_new_file(short_day: ShortDay, tmp_path: Path) -> None:
    """What an earlier replay wrote there does not stay between the alerts of this one."""
    out = tmp_path / "alerts.jsonl"
    for state in ("one", "two"):
        options = ("--registry", short_day.registry, "--state", tmp_path / state, "--alerts-out", out)
        assert fencewatch("replay", short_day.fixes(), *options).code == 0
        assert told(alerts_in(out)) == short_day.alerts
        assert len({alert["source"] for alert in alerts_in(out)}) == 1
