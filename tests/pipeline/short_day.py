"""A small world for the tests of the commands, made once a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.commands import alerts_in, fencewatch, told


@dataclass(frozen=True, slots=True)
class ShortDay:
    """Its folder, its registry, and what a replay of its fixes without any trouble tells."""

    folder: Path
    registry: Path
    alerts: list[dict[str, Any]]

    def fixes(self, form: str = "jsonl") -> Path:
        """The fixes in one of the forms."""
        return self.folder / f"fixes.{form}"


@pytest.fixture(scope="session")
def short_day(tmp_path_factory: pytest.TempPathFactory) -> ShortDay:
    """80 people, 8 hours, 73 breaches, 38,000 fixes."""
    folder = tmp_path_factory.mktemp("short-day")
    made = fencewatch("simulate", "--subjects", 80, "--hours", 8, "--seed", 5, "--stories", 6, "--format", "all", "--out", folder)
    assert made.code == 0, made.err
    out = folder / "alerts.jsonl"
    replayed = fencewatch("replay", folder / "fixes.jsonl", "--registry", folder / "registry", "--alerts-out", out)
    assert replayed.code == 0, replayed.err
    alerts = told(alerts_in(out))
    assert len(alerts) > 50
    return ShortDay(folder, folder / "registry", alerts)
