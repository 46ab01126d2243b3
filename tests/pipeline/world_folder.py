"""A simulated world in a folder, its files written when first asked for, and replays of them within this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.fix_batch import FixBatch
from pipeline.pace import Pace
from pipeline.replay import Replayed, ReplayOptions, run_replay
from pipeline.sources.files import FileOptions
from pipeline.worlds.casting import STORIES
from pipeline.worlds.stories import Story
from pipeline.worlds.track_files import write_csv, write_jsonl, write_parquet
from pipeline.worlds.track_forms import Form, carried_by, write_gpx, write_plt, write_traccar
from pipeline.worlds.world import Order, World, make_world
from tests.pipeline.commands import alerts_in, told

START = "2024-03-04T07:00:00+08:00"
"""A Monday in the past, so that a live run does not find the records to lie in the future."""
DEPLOYMENT = "test"
Alerts = list[dict[str, Any]]
WRITERS = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}
FORMS = {"gpx": write_gpx, "plt": write_plt, "traccar": write_traccar}


@dataclass
class WorldFolder:
    """A world, its compiled registry, and files of its fixes."""

    folder: Path
    world: World
    _tables: dict[Order, pa.Table] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        seed: int,
        subjects: int,
        hours: float,
        stories: int | None = None,
        step_s: int = 60,
        table: tuple[Story, ...] = STORIES,
    ) -> WorldFolder:
        """Simulate, and write the registry."""
        world = make_world(seed=seed, subjects=subjects, hours=hours, start=START, step_s=step_s, stories=stories, table=table)
        world.write_registry(folder / "registry")
        return cls(folder, world)

    @cached_property
    def fence_set(self) -> FenceSet:
        """The compiled registry."""
        return FenceSet(load_registry(self.folder / "registry")[0])

    def fixes(self, order: Order = "time") -> pa.Table:
        """All fixes."""
        if order not in self._tables:
            self._tables[order] = self.world.fixes(order)
        return self._tables[order]

    def file(self, form: str = "jsonl", order: Order = "time") -> Path:
        """A file of all fixes: JSON lines, CSV or Parquet."""
        path = self.folder / f"{order}.{form}"
        if not path.exists():
            WRITERS[form](self.fixes(order), path)
        return path

    def parts_file(self) -> Path:
        """A Parquet file of all fixes, written part by part: for worlds that would fill the memory."""
        path = self.folder / "parts.parquet"
        if not path.exists():
            write_parquet(self.world.parts(), path)
        return path

    def foreign(self, form: Form) -> tuple[Path, Path]:
        """The fixes in the form of another program, and the same as JSON lines that say no more than it carries."""
        theirs, ours = self.folder / (form if form != "traccar" else "traccar.json"), self.folder / f"{form}.jsonl"
        if not theirs.exists():
            FORMS[form](self.fixes(), theirs)
            write_jsonl(carried_by(self.fixes(), form), ours)
        return theirs, ours


@dataclass(frozen=True)
class Outcome:
    """A replay's alerts (in an order of their own, without the deployment), its report, and whether it was stopped."""

    alerts: Alerts
    report: dict[str, Any]
    stopped: bool


class StopAfter(Pace):
    """Ends the replay like an operator: a SIGTERM to this process once so many batches were decoded."""

    def __init__(self, batches: int) -> None:
        super().__init__(1.0)
        self.left = batches

    def __call__(self, batch: FixBatch) -> None:  # noqa: ARG002 - the form of a pace
        """Count one; at the last one send the signal and wait until it was heard."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            assert self.stop.wait(30), "nobody heard the signal"


def replay(
    fence_set: FenceSet,
    files: Sequence[Path],
    out: Path,
    *,
    batch: int = 16384,
    workers: int = 1,
    form: str = "auto",
    state: Path | None = None,
    stop_after: int | None = None,
    until_ms: int | None = None,
    later: Sequence[tuple[int, FenceSet]] = (),
) -> Outcome:
    """Replay files into the alert file `out`; with `stop_after` it is told to stop after so many batches.

    `until_ms`, `later`: `--until` and `--registry-at`.
    """
    replayed = run_replay(
        ReplayOptions(
            [str(path) for path in files],
            FileOptions(form=form, batch=batch),
            deployment=DEPLOYMENT,
            alerts_out=out,
            workers=workers,
            state=state,
            pace=None if stop_after is None else StopAfter(stop_after),
            until_ms=until_ms,
        ),
        fence_set,
        later,
    )
    return outcome_of(replayed, out)


def outcome_of(replayed: Replayed, out: Path) -> Outcome:
    """What was written; no id may stand in the file twice."""
    alerts = told(alerts_in(out))
    assert len({alert["id"] for alert in alerts}) == len(alerts), "an id was told twice"
    return Outcome(alerts, replayed.report, replayed.stopped)


def counts(report: dict[str, Any]) -> dict[str, Any]:
    """A report without seconds and rates, and without gaps (of a run that was stopped they are those of its part)."""
    return {name: value for name, value in report.items() if name not in ("seconds", "fixes_per_second", "gaps_s")}
