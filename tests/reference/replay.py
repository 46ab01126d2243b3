"""The reference as two functions: a registry and some lines in, alerts and a report out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.reference.judge import Judge
from tests.reference.registry import read_registry

Alerts = list[dict[str, Any]]


def judge_records(
    registry_dir: str | Path,
    lines: Iterable[bytes],
    until_ms: int | None = None,
    registry_at: Sequence[tuple[int, str | Path]] = (),
) -> tuple[Alerts, dict[str, Any]]:
    """What the contract makes of some JSON lines: the alerts in the order they were made, and the report.

    `until_ms` is `--until`, `registry_at` the pairs of `--registry-at`, times in UTC milliseconds. The registries must be right.
    """
    alerts, report, _ = judge_with_doubts(registry_dir, lines, until_ms, registry_at)
    return alerts, report


def judge_with_doubts(
    registry_dir: str | Path,
    lines: Iterable[bytes | int],
    until_ms: int | None = None,
    registry_at: Sequence[tuple[int, str | Path]] = (),
) -> tuple[Alerts, dict[str, Any], set[int]]:
    """The same, and the records on which rounding decides; a number among the lines is a clock mark of a live run.

    These are indices into `lines` (the index after the last: the closing clock) of records in whose judging, edges and versions
    they brought included, some distance was within a metre or 1 % of a threshold, so that another right arithmetic may say
    otherwise. Exact cover tests, boundary points too, are no doubt; near a circle or a converted border they are.
    """
    versions = [(instant, partial(read_registry, Path(directory))) for instant, directory in registry_at]
    judge = Judge(read_registry(Path(registry_dir)), versions)
    for index, line in enumerate(lines):
        if isinstance(line, int):
            judge.mark(index, line)
        else:
            judge.read(index, line)
    report = judge.finish(until_ms)
    return judge.docket.alerts, report, judge.docket.doubts
